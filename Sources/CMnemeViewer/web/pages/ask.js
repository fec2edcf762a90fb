// A question, what came of it, and why.
import { post, scoped } from "../api.js";
import { choice, count, el, field, number } from "../dom.js";
import { empty, explanation, failure, figures, memoryRow } from "../parts.js";

const modes = [["", "Everything together"], ["words", "Words alone (BM25)"],
  ["vectors", "Meaning alone"], ["rrf", "Words and meaning, by rank"]];

/** Answers, each with the parts of its score. */
function answers(found) {
  const { memories } = found;
  if (memories.length === 0) return empty("Nothing answers that.",
    "Ask with other words, or for another time.");
  return el("ul", { class: "list" }, memories.map((recalled, i) => memoryRow(recalled.memory, {
    score: recalled.score,
    more: el("details", { class: "why", open: i < 3 }, el("summary", {}, "Why this one"),
      recalled.matched.length > 0 && el("p", { class: "meta" }, "Holds the words ",
        recalled.matched.map((word) => el("span", { class: "tag" }, word))),
      recalled.duplicates.length > 0 && el("p", { class: "meta" },
        `${count(recalled.duplicates.length, "memory says", "memories say")} the same, folded into this one`),
      recalled.disputedBy?.length > 0 && el("p", { class: "meta" },
        `Disputed: ${count(recalled.disputedBy.length, "memory says", "memories say")} otherwise`),
      explanation(recalled)),
  })));
}

export async function show(view) {
  view.head("Ask as a model would: what comes, in which order, and what each part of the score is.");
  const question = el("input", { name: "query", type: "search", required: true, maxlength: 1000,
    value: view.query.get("q") ?? "", placeholder: "Where does Ana live?", "aria-label": "Question",
    autocomplete: "off" });
  const text = (name, label, type, hint) => field(label,
    el("input", { name, type, value: view.query.get(name) ?? "", autocomplete: "off" }), hint);
  const form = el("form", { class: "question", role: "search" },
    el("div", { class: "row" }, question, el("button", { class: "primary" }, "Ask")),
    el("details", { open: ["mode", "at", "as_of", "also"].some((name) => view.query.get(name)) },
      el("summary", {}, "How"),
      el("div", { class: "filters" },
        field("Ranked by", choice("mode", modes, view.query.get("mode") ?? "")),
        field("At most", choice("limit", [["5", "5"], ["", "10"], ["30", "30"], ["100", "100"]],
          view.query.get("limit") ?? "")),
        text("at", "Facts valid on", "date"), text("as_of", "What was known on", "date"),
        text("also", "Vaults besides", "text", "Users, with commas between them."))));
  const result = el("div", { class: "page", "aria-live": "polite" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const next = new URLSearchParams();
    for (const [name, value] of [["q", question.value], ...["mode", "limit", "at", "as_of",
      "also"].map((name) => [name, form.elements[name].value])]) {
      if (value.trim()) next.set(name, value.trim());
    }
    const hash = `#/ask?${next}`;
    location.hash === hash ? view.again() : (location.hash = hash);
  });
  view.body.replaceChildren(form, result);
  const asked = view.query.get("q");
  if (!asked) return question.focus();
  try {
    const also = view.query.get("also")?.split(",").map((name) => name.trim()).filter(Boolean);
    const found = await post("v1/memories/search", scoped({
      query: asked, limit: Number(view.query.get("limit")) || undefined,
        mode: view.query.get("mode") || undefined,
      at: view.query.get("at") || undefined, as_of: view.query.get("as_of") || undefined,
        also: also?.length ? also : undefined,
    }), view.signal);
    result.replaceChildren(
      figures([["Came", number(found.memories.length)], ["Considered", number(found.considered)],
        ["Took", `${found.milliseconds.toFixed(1)} ms`],
        ["Tokens", number(found.tokens)], ["Quarantined and left out", number(found.held)]]),
      found.pendingEmbeddings > 0 ? el("p", { class: "note" },
        `${count(found.pendingEmbeddings, "memory has", "memories have")} no vector yet and can be found by words only.`) : "",
      answers(found));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    result.replaceChildren(failure(error));
  }
}
