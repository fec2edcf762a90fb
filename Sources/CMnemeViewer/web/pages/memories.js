// All memories, filtered; or those that answer a search.
import { get, may, post, scoped } from "../api.js";
import { choice, count, el, field, number } from "../dom.js";
import { actionButton, dialog, empty, endless, explanation, kinds, memoryRow, states, tiers, toast } from "../parts.js";

const filters = ["type", "state", "tier", "tag", "session", "from", "before"];

/** The address with other filters. */
function addressOf(form, query) {
  const next = new URLSearchParams();
  if (query.get("q")) next.set("q", query.get("q"));
  for (const name of filters) {
    const value = form.elements[name]?.value.trim();
    if (value) next.set(name, value);
  }
  return `#/memories?${next}`;
}

function filterForm(query) {
  const isSearch = query.has("q");
  const text = (name, label, type = "text") => field(label,
    el("input", { name, type, value: query.get(name) ?? "", maxlength: 200, autocomplete: "off" }));
  const form = el("form", { class: "filters" },
    field("Kind", choice("type", [["", "All"], ...kinds.map(([v]) => [v, v])], query.get("type"))),
    !isSearch && field("State", choice("state", [["", "All"], ...states], query.get("state"))),
    !isSearch && field("Tier", choice("tier", [["", "All"], ...tiers], query.get("tier"))),
    text("tag", "Tag"), text("session", "Session"), text("from", "From", "date"),
      text("before", "Before", "date"));
  const apply = () => { location.hash = addressOf(form, query); };
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
  const used = filters.filter((name) => query.get(name)).length;
  return el("details", { class: "filter-box", open: used > 0 },
    el("summary", {}, used ? `Filter (${used})` : "Filter"), form,
    used > 0 && el("a", { href: query.get("q") ? `#/memories?q=${encodeURIComponent(query.get("q"))}`
      : "#/memories" }, "Clear the filter"));
}

const chosen = (query) => Object.fromEntries(filters.map((name) => [name, query.get(name) || undefined]));

async function addMemory(again) {
  const text = el("textarea", { name: "text", rows: 4, required: true, maxlength: 100000,
    autofocus: true });
  const speaker = el("input", { name: "speaker", maxlength: 200, autocomplete: "off" });
  const tags = el("input", { name: "tags", maxlength: 400, autocomplete: "off" });
  const time = el("input", { name: "time", type: "datetime-local" });
  const agreed = await dialog({
    title: "Remember", action: "Remember",
    body: [field("Text", text), field("Said by", speaker), field("When", time, "Now if left out."),
      field("Tags", tags, "With commas between them.")],
  });
  if (!agreed) return;
  const list = tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  const { memories } = await post("v1/memories", scoped({
    text: text.value, speaker: speaker.value.trim() || undefined,
    tag: list.length ? list : undefined, time: time.value ? new Date(time.value).toISOString() : undefined,
  }));
  const quarantined = memories.filter((m) => m.memory.state === "quarantined").length;
  toast(quarantined ? "Remembered, and quarantined: it reads like an instruction to a model."
    : memories.every((m) => m.duplicate) ? "This was known already." : "Remembered.");
  again();
}

async function search(view, text) {
  const { type, tag, from, before, session } = chosen(view.query);
  const found = await post("v1/memories/search",
    scoped({ query: text, limit: 50, type, tag, from, before, session }), view.signal);
  view.head(`${count(found.memories.length, "result")} for “${text}”, the best first. ${number(found.considered)} considered in ${found.milliseconds.toFixed(1)} ms.`,
    el("a", { class: "button", href: "#/memories" }, "Show all"));
  const list = el("ul", { class: "list" }, found.memories.map((recalled) => memoryRow(recalled.memory, {
    score: recalled.score, more: el("details", { class: "why" }, el("summary", {}, "Why this one"),
      explanation(recalled)) })));
  view.body.replaceChildren(filterForm(view.query),
    found.held > 0 ? el("p", { class: "note" },
      `${count(found.held, "memory", "memories")} quarantined and left out: they read like instructions to a model. `,
      el("a", { href: "#/quarantine" }, "Look at them")) : "",
    found.memories.length ? list : empty("Nothing answers that.",
      "Try other words, or take filters away."));
}

export async function show(view) {
  const text = view.query.get("q");
  if (text) return search(view, text);
  const first = get("v1/memories", scoped({ ...chosen(view.query), limit: 50 }), view.signal);
  const counted = get("v1/stats", scoped(), view.signal).catch(() => undefined);
  let page = first;
  const isFiltered = filters.some((name) => view.query.get(name));
  const content = await endless({
    signal: view.signal,
    list: el("ul", { class: "list" }),
    row: (memory) => memoryRow(memory),
    load: async (after) => {
      const { memories, next } = await (page ?? get("v1/memories",
        scoped({ ...chosen(view.query), limit: 50, after }), view.signal));
      page = undefined;
      return { items: memories, next };
    },
    nothing: isFiltered
      ? empty("No memory fits these filters.", "Take some away.")
      : empty("Nothing is remembered yet.", "Tell Mneme something here, or on the command line:",
        'mneme remember "Ana moved to Lisbon last Friday."'),
  });
  const add = await may("write") && actionButton("Remember …", () => addMemory(view.again), "primary");
  view.head("The newest first.", add);
  view.body.replaceChildren(filterForm(view.query), content);
  const stats = await counted;
  if (stats && !view.signal.aborted) {
    const all = `${count(stats.memories, "memory", "memories")} in ${count(stats.sessions, "conversation")}`;
    view.head(isFiltered ? `Those that fit, of ${all}; the newest first.` : `${all}, the newest first.`, add);
  }
}
