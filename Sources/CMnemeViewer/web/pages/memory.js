// One memory: what it says, where it is from, its links and its history.
import { get, may, memoryPath, patch, post, remove, scope, scoped } from "../api.js";
import { bytes, clip, el, field, number, said, time, words } from "../dom.js";
import { actionButton, askReason, badge, dialog, memoryLink, stateBadge, toast } from "../parts.js";

const changes = {
  add: "remembered", update: "changed", archive: "forgotten", restore: "restored", link: "linked",
    unlink: "link removed",
  erase: "erased", rollback: "rolled back", supersede: "superseded", reinstate: "holds again",
    invalidate: "said to be outdated",
  confirm: "confirmed", move: "moved", adopt: "imported from another store", merge: "merged",
    freeze: "frozen",
  quarantine: "quarantined", release: "released",
};
const linkNames = {
  derivedFrom: ["made of", "source of"], supersedes: ["supersedes", "superseded by"],
    consolidates: ["says the same as", "merged into"],
  corrects: ["corrects", "corrected by"], related: ["related to", "related to"],
    nearDuplicateOf: ["nearly the same as", "nearly the same as"],
};
/** A link in words, seen from one of its ends. */
export const linkName = (kind, leads) => linkNames[kind]?.[leads ? 0 : 1] ?? (leads ? kind : `${kind} of`);

const row = (label, ...value) => value.some((part) => part !== undefined && part !== null
  && part !== false && part !== "" && !(Array.isArray(part) && part.length === 0))
  && el("div", {}, el("dt", {}, label), el("dd", {}, value));
const list = (values) => values?.length ? values.map((value) =>
  el("span", { class: "tag" }, said(value))) : [];

function facts(memory) {
  const { provenance = {}, metadata = {} } = memory;
  return el("dl", { class: "facts" },
    row("Happened", time(memory.eventTime, true)), row("Recorded", time(memory.recordedTime, true)),
    memory.version > 1 && row("Changed", time(memory.updatedTime, true)),
    memory.validUntil && row("Valid until", time(memory.validUntil, true)),
      memory.expires && row("Expires", time(memory.expires, true)),
    row("Kind", memory.type), row("Tier", memory.tier ?? "short-term"), row("Label", memory.sensitivity),
    row("Said by", memory.speaker && said(memory.speaker)),
    row("User", said(memory.scope.tenant === "default" ? memory.scope.user
      : `${memory.scope.tenant}/${memory.scope.user}`)),
    row("Agent", memory.scope.agent && said(memory.scope.agent)),
    row("Session", memory.scope.session && el("a",
      { href: `#/memories?session=${encodeURIComponent(memory.scope.session)}` },
      said(memory.scope.session))),
    row("Source", provenance.source, provenance.reference && [" · ", said(provenance.reference)],
      provenance.parts > 1 && ` · part ${provenance.part} of ${provenance.parts}`),
    row("Tags", list(memory.tags)), row("Names", list(memory.entities)),
      row("Keywords", list(memory.keywords)),
    row("Dates", memory.dates?.map((date) => el("div", {}, said(`“${date.text}”`), ": ",
      date.start.slice(0, 10), date.end && date.end.slice(0, 10) !== date.start.slice(0, 10)
      && ` to ${date.end.slice(0, 10)}`))),
    row("Claims", memory.claims?.map((claim) => el("div", {},
      said(`${claim.subject}, ${claim.attribute}: ${claim.isDenied ? "not " : ""}${claim.value}`)))),
    row("Recalled", memory.usage && `${number(memory.usage.count)} times, `,
      memory.usage && time(memory.usage.last)),
    memory.confirmations > 0 && row("Confirmed", `${number(memory.confirmations)} times`),
    row("Vouched for by", memory.vouchedBy && said(memory.vouchedBy)),
    row("KV cache", memory.activation
      && `${number(memory.activation.tokens)} tokens, ${bytes(memory.activation.bytes)}, ${memory.activation.model}`),
    row("Adapter", memory.adapter
      && `${memory.adapter.name}, ${number(memory.adapter.parameters)} numbers for ${memory.adapter.model}`),
    Object.entries(metadata).map(([name, value]) => row(said(name), said(value))),
    row("Id", el("code", {}, memory.id)));
}

async function links(view, found) {
  if (!found?.length) return el("p", { class: "faint" },
    words("No links. The job `link` connects memories that are close in meaning."));
  const others = found.slice(0, 60).map((link) => (link.source === view.id ? link.target : link.source));
  const texts = new Map(await Promise.all([...new Set(others)].map((id) =>
    get(memoryPath(id), scoped(), view.signal).then(({ memory }) => [id, memory.text]).catch(() => [id,
      "(not to be seen)"]))));
  return el("ul", { class: "links" }, found.slice(0, 60).map((link, i) => el("li", {},
    el("span", { class: "faint" }, `${linkName(link.kind, link.source === view.id)} `),
    el("a", { href: memoryLink(others[i]) }, said(clip(texts.get(others[i]), 160))), " ",
      time(link.time))));
}

/** What changed from one version to the next, member by member. */
function difference(before, after) {
  if (!after) return [];
  const members = ["text", "type", "state", "tier", "speaker", "sensitivity", "validUntil", "expires",
    "tags"];
  return members.filter((name) => before
    && JSON.stringify(before[name]) !== JSON.stringify(after[name])).map((name) =>
    el("div", { class: "change" }, el("span", { class: "faint" }, `${name}: `),
      before[name] !== undefined && el("del", {}, said(clip(String(before[name]), 300))), " ",
      after[name] !== undefined && el("ins", {}, said(clip(String(after[name]), 300)))));
}

function history(id, entries, restoreTo) {
  let before;
  const rows = entries.map((entry) => {
    const changed = difference(before, entry.snapshot);
    before = entry.snapshot ?? before;
    return el("li", {},
      el("p", { class: "meta" }, el("strong", {}, changes[entry.operation] ?? entry.operation),
        entry.snapshot && el("span", {}, `version ${entry.version}`),
        el("span", {}, "by ", said(entry.principal)), time(entry.time, true)),
      entry.link && el("p", {}, `${linkName(entry.link.kind, entry.link.source === id)} `,
        el("a", { href: memoryLink(entry.link.source === id ? entry.link.target : entry.link.source) },
          "another memory")),
      entry.reason && el("p", {}, "Why: ", said(entry.reason)), changed,
      restoreTo && entry.snapshot && restoreTo(entry));
  });
  return el("ol", { class: "history" }, rows.reverse());
}

async function actions(view, memory) {
  const body = (reason, more) => ({ ...scope.get(), reason: reason ?? undefined, ...more });
  const step = (label, name, title, text, { danger, done, send } = {}) => actionButton(label, async () => {
    const reason = await askReason(title, text, label.replace(" …", ""), danger);
    if (reason === undefined) return;
    await (send ? send(reason) : post(memoryPath(view.id, `/${name}`), body(reason)));
    toast(done);
    name === "erase" ? (location.hash = "#/memories") : view.again();
  }, danger ? "danger" : "");
  const list = [el("a", { class: "button", href: `#/links/${encodeURIComponent(view.id)}` },
    "Links as a picture")];
  const isUsed = ["activated", "generated"].includes(memory.state);
  if (await may("write")) {
    if (isUsed) {
      list.unshift(actionButton("Edit …", () => edit(view, memory)));
      list.push(actionButton("Confirm", async () =>
        { await post(memoryPath(view.id, "/feedback"), body(null,
        { verdict: "right" })); toast("Confirmed."); view.again(); }),
        actionButton("Outdated", async () =>
          { await post(memoryPath(view.id, "/feedback"),
          body(null, { verdict: "outdated" })); toast("It stays, behind what holds now."); view.again(); }),
        step("Forget …", "forget", "Forget this memory?", "It leaves recall. Restore brings it back.",
          { done: "Forgotten.", send: (reason) => remove(memoryPath(view.id), scoped({ reason })) }),
        step("Freeze …", "freeze", "Freeze this memory?",
          "It is recalled as it is, and nobody changes it until it is restored.", { done: "Frozen." }),
        step("Quarantine …", "quarantine", "Quarantine this memory?",
          "It stays out of recall and of every prompt until it is released.", { done: "Quarantined." }));
    }
    if (["archived", "merged", "frozen"].includes(memory.state)) list.push(step("Restore …", "restore",
      "Restore this memory?", "It comes back into use.", { done: "Restored." }));
  }
  if (memory.state === "quarantined" && await may("share")) list.push(step("Release …", "release",
    "Release this memory?", "It enters recall on your word, which is kept with it.",
    { done: "Released." }));
  if (await may("erase")) list.push(step("Erase …", "erase", "Erase this memory for good?",
    "Text, vector, index entries, history and what was computed of it are removed. This cannot be undone.", { danger: true, done: "Erased." }));
  return list;
}

async function edit(view, memory) {
  const text = el("textarea", { name: "text", rows: 6, required: true, value: memory.text,
    maxlength: 100000 });
  const tags = el("input", { name: "tags", value: memory.tags.join(", "), autocomplete: "off" });
  const label = el("select", { name: "sensitivity" }, ["public", "internal", "confidential",
    "restricted"].map((name) => el("option", { value: name, selected: name === memory.sensitivity },
    name)));
  const reason = el("input", { name: "reason", maxlength: 400, autocomplete: "off" });
  if (!await dialog({ title: "Edit", action: "Save", body: [field("Text", text),
    field("Tags", tags, "With commas between them."), field("Label", label),
    field("Reason", reason)] })) return;
  const wanted = tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  const change = {
    text: text.value === memory.text ? undefined : text.value, reason: reason.value.trim() || undefined,
    tag: wanted.join() === memory.tags.join() ? undefined : wanted,
      sensitivity: label.value === memory.sensitivity ? undefined : label.value,
  };
  await patch(memoryPath(view.id), { ...scope.get(), ...change });
  toast("Saved. The version before stays in the history.");
  view.again();
}

export async function show(view) {
  if (!view.id) return location.replace("#/memories");
  const [{ memory, links: found }, { history: entries }] = await Promise.all([
    get(memoryPath(view.id), scoped(), view.signal), get(memoryPath(view.id, "/history"), scoped(),
      view.signal)]);
  const restoreTo = (await may("write")) && ((entry) => entry.version < memory.version
    && ["add", "update", "adopt", "rollback"].includes(entry.operation)
    && actionButton("Make this the present version", async () => {
      await post(memoryPath(view.id, "/rollback"), { ...scope.get(), to: entry.version });
      toast(`Version ${entry.version} is the present one again.`);
      view.again();
    }, "quiet small"));
  view.head(null, await actions(view, memory));
  view.body.replaceChildren(
    el("blockquote", { class: "quote" }, said(memory.text || "(no text)")),
    el("p", { class: "meta" }, badge(memory.type), stateBadge(memory),
      memory.caution?.length ? el("span", {},
      `reads like an instruction: ${memory.caution.join(", ")}`) : null),
    el("div", { class: "columns" },
      el("section", { "aria-labelledby": "facts" }, el("h2", { id: "facts" }, "About it"), facts(memory)),
      el("div", {},
        el("section", { "aria-labelledby": "linked" }, el("h2", { id: "linked" }, "Links"),
          await links(view, found)),
        el("section", { "aria-labelledby": "past" }, el("h2", { id: "past" }, "History"),
          history(view.id, entries, restoreTo)))));
}
