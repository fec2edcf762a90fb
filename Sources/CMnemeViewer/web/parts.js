// What several pages show: memories in a list, reasons of a score, dialogs, errors, lists that go on.
import { clip, count, dated, el, field, number, said, words } from "./dom.js";

/** What kinds of memories are. */
export const kinds = [["episodic", "Episodic: something that happened"], ["semantic", "Semantic: a fact"],
  ["procedural", "Procedural: how something is done"], ["preference", "Preference: likes and wishes"],
  ["core", "Core: who somebody is"]];
export const states = [["activated", "Active"], ["quarantined", "Quarantined"], ["archived", "Archived"],
  ["merged", "Merged"], ["frozen", "Frozen"], ["generated", "Generated"]];
export const tiers = [["short-term", "Short-term"], ["mid-term", "Mid-term"],
  ["long-term", "Long-term"], ["profile", "Profile"]];
const stateNames = new Map(states);

/** A word in a frame. */
export const badge = (text, kind = "") => el("span", { class: `badge ${kind}` }, text);

/** What is unusual about a memory's state. */
export const stateBadge = (memory) => memory.state === "activated" || memory.state === "generated"
  ? memory.validUntil && badge("No longer holds", "warn")
  : badge(stateNames.get(memory.state) ?? memory.state, memory.state === "quarantined" ? "danger" : "warn");

/** The address of a memory's page. */
export const memoryLink = (id) => `#/memory/${encodeURIComponent(id)}`;

/** A memory in a list: what it says, and a line about it. */
export function memoryRow(memory, { score, more, when = memory.eventTime } = {}) {
  const text = memory.text || (memory.activation
    ? `KV cache of ${number(memory.activation.tokens)} tokens` : "(no text)");
  return el("li", { class: "memory" },
    el("div", { class: "kind", title: `${memory.type} memory` }, memory.type),
    el("div", { class: "what" },
      el("a", { class: "text", href: memoryLink(memory.id), "data-row": memory.id }, said(clip(text, 420))),
      el("p", { class: "meta" },
        memory.speaker && el("span", {}, said(memory.speaker)),
        dated(when), memory.tier && memory.tier !== "short-term" && el("span", {}, memory.tier),
        memory.scope?.agent && el("span", {}, "agent ", said(memory.scope.agent)),
        memory.tags?.map((tag) => el("span", { class: "tag" }, said(tag))),
        memory.sensitivity && memory.sensitivity !== "internal" && badge(memory.sensitivity),
        stateBadge(memory)),
      more),
    score !== undefined && el("div", { class: "score", title: "Score; comparable within one answer" },
      score.toFixed(1)));
}

// What each part of a score means, in plain words.
const reasons = {
  words: "words of the question", wordsNearby: "words in the messages next to it",
  wordsInSession: "words in the whole conversation", meaning: "meaning close to the question",
  meaningNearby: "meaning of the messages next to it", meaningAround: "meaning of the messages around it",
  speaker: "who said it", coverage: "how much of the question it covers", detail: "how much it says",
  timeAsked: "a time was asked for", numberAsked: "a number was asked for",
    nameAsked: "a name was asked for",
  date: "near the dates in the question", latest: "the question asks for now",
    related: "linked to other good answers",
  supersedes: "supersedes an earlier memory", superseded: "is superseded by a later memory",
};

/** The parts of a score as bars, the largest first. */
export function explanation(recalled) {
  const parts = Object.entries(recalled.explanation).filter(([, value]) => Math.abs(value) >= 0.05)
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const most = Math.max(0.1, ...parts.map(([, value]) => Math.abs(value)));
  const bars = parts.map(([name, value]) => {
    const bar = el("span", { class: value < 0 ? "amount minus" : "amount plus" });
    bar.style.width = `${Math.max(2, (100 * Math.abs(value)) / most)}%`;
    return el("tr", {}, el("th", { scope: "row" }, reasons[name] ?? name),
      el("td", { class: "bars" }, bar), el("td", { class: "value" },
        (value > 0 ? "+" : "−") + Math.abs(value).toFixed(1)));
  });
  return el("table", { class: "reasons" },
    el("caption", {}, `Score ${recalled.score.toFixed(1)}, made of:`), el("tbody", {}, bars));
}

/** Nothing to show, and what to do about it. */
export const empty = (title, text, command) => el("div", { class: "empty" },
  el("p", { class: "title" }, title), text && el("p", {}, words(text)),
    command && el("pre", {}, el("code", {}, command)));

const advice = {
  0: "Start it again on its machine, then try again.",
  401: "Enter a key that is valid.",
  403: "Your key does not allow this. Whoever runs the server can give you another one.",
  404: "It may have been erased, or it belongs to another user.",
  429: "Wait a little, then try again.",
};

/** An error in plain words, with what to do. */
export function failure(error, again) {
  const known = error.status !== undefined;
  return el("div", { class: "failure", role: "alert" },
    el("p", { class: "title" }, known ? words(error.message) : "This page failed."),
    el("p", {}, known ? advice[error.status] ?? ""
      : `${error.message}. Reload it; if it fails again, please report it.`),
    again && el("button", { onclick: () => again() }, "Try again"));
}

let fading;
/** A short message at the edge. */
export function toast(text) {
  const box = document.getElementById("status");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => box.classList.remove("shown"), 5000);
}

/** Asks in a dialog. Gives true once the form is sent, false if it was closed. */
export function dialog({ title, body, action, danger, close = "Cancel" }) {
  return new Promise((done) => {
    const heading = el("h2", { id: "dialog-title" }, title);
    const form = el("form", { method: "dialog" }, heading, body,
      el("div", { class: "actions end" },
        el("button", { type: "button", class: "quiet", onclick: () => box.close() }, close),
        action && el("button", { type: "submit", class: danger ? "danger" : "primary", value: "yes" },
          action)));
    const box = el("dialog", { "aria-labelledby": "dialog-title" }, form);
    let sent = false;
    form.addEventListener("submit", () => { sent = true; });
    box.addEventListener("close", () => { box.remove(); done(sent); });
    document.body.append(box);
    box.showModal();
  });
}

/** Asks for an action on a memory, with a reason for the journal. Gives the reason, or undefined. */
export async function askReason(title, text, action, danger) {
  const reason = el("input", { name: "reason", maxlength: 400, autocomplete: "off" });
  const agreed = await dialog({ title, body: [el("p", {}, text),
    field("Reason", reason, "Kept in the journal. May be left out.")], action, danger });
  return agreed ? reason.value.trim() || null : undefined;
}

/** A button that does something, waits for it and says what came of it. */
export function actionButton(text, action, kind = "") {
  const button = el("button", { type: "button", class: kind }, text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try { await action(); } catch (error) {
      if (error.name !== "AbortError") toast(error.message);
    } finally { button.disabled = false; }
  });
  return button;
}

/**
 * A list that asks for more as it is scrolled. `load(cursor)` gives {items, next}; `row(item)` an
 * element; `frame` holds the list where that is a part of a table. The first items are waited for.
 */
export async function endless({ load, row, list, frame = list, nothing, signal }) {
  const button = el("button", { type: "button", class: "more" }, "Show more");
  const foot = el("div", { class: "foot" });
  let next;
  let isLoading = false;
  const more = async () => {
    if (isLoading) return;
    isLoading = true;
    button.disabled = true;
    try {
      const page = await load(next);
      list.append(...page.items.map(row));
      next = page.next;
      foot.replaceChildren(next ? button : "");
    } finally {
      isLoading = false;
      button.disabled = false;
    }
  };
  // A page of what is rare may be empty while there is more behind it.
  do { await more(); } while (!list.hasChildNodes() && next);
  if (!list.hasChildNodes()) return nothing;
  button.addEventListener("click", () => more().catch((error) => toast(error.message)));
  const watcher = new IntersectionObserver(async (entries) => {
    if (!entries.at(-1).isIntersecting || !next) return;
    try {
      await more();
      // Asked again, as the end may still be in sight.
      watcher.unobserve(foot);
      watcher.observe(foot);
    } catch (error) {
      // The button is still there to try again.
      watcher.disconnect();
      if (error.name !== "AbortError") toast(error.message);
    }
  }, { rootMargin: "600px" });
  watcher.observe(foot);
  signal.addEventListener("abort", () => watcher.disconnect());
  return el("div", {}, frame, foot);
}

/** Rows of a table that can be scrolled sideways on a narrow screen. A column in brackets is of numbers. */
export const table = (columns, rows, caption) => el("div",
  { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
  el("table", { class: "grid" }, el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, columns.map((column) => Array.isArray(column)
      ? el("th", { scope: "col", class: "number" }, column) : el("th", { scope: "col" }, column)))),
    el("tbody", {}, rows)));

/** Figures side by side: [label, value, note]. */
export const figures = (list) => el("dl", { class: list.length > 6 ? "figures roomy" : "figures" },
  list.map(([label, value, note]) =>
  el("div", {}, el("dt", {}, label), el("dd", {}, value, note && el("span", { class: "note" }, note)))));

/** "3 of 7 memories". */
export const shown = (n) => count(n, "memory", "memories");
