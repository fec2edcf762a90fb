// The models that are served, what the engine does now, and what is kept of earlier prompts.
import { get, may } from "../api.js";
import { bytes, count, el, number, percent, time } from "../dom.js";
import { badge, empty, figures, table } from "../parts.js";

const every = 2000;
const seconds = (value) => (value === null || value === undefined ? "–" : value < 1
  ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`);

function engineFigures({ engine }) {
  if (!engine) return empty("No language model runs here.",
    "Memory needs none. To chat and to serve one:", "mneme pull smollm2 && mneme serve --model smollm2");
  const { kv } = engine;
  const found = kv.tokensFromMemory + kv.tokensFromDisk + kv.tokensFromRemote;
  return el("div", {}, figures([
    ["Answering", number(engine.running), `${number(engine.waiting)} waiting`],
    ["Answered", number(engine.finished), engine.preempted
      ? `${number(engine.preempted)} put back meanwhile` : "requests"],
    ["First token", seconds(engine.firstTokenSeconds), "mean"],
    ["Between tokens", seconds(engine.betweenTokensSeconds),
      engine.betweenTokensSeconds ? `${(1 / engine.betweenTokensSeconds).toFixed(1)} a second` : "mean"],
    ["Prompt tokens", number(engine.promptTokens), "computed"],
    ["Answer tokens", number(engine.answerTokens), engine.draftedTokens
      ? `${percent(engine.acceptedTokens, engine.draftedTokens)} of drafts accepted` : "written"],
    ["KV cache", bytes(kv.bytes), `of ${bytes(kv.limitBytes)} in memory`],
    ["Found again", percent(found, kv.tokens), `${number(found)} of ${number(kv.tokens)} tokens`],
  ]));
}

export async function show(view) {
  const { data } = await get("v1/models", {}, view.signal);
  const isAdmin = await may("admin");
  view.head("Models run on this machine, by Mneme's own engine.");
  const engine = el("div", {});
  const rows = data.map(({ id }) => el("tr", {}, el("td", { class: "wide" }, id),
    el("td", {}, id.includes("@") ? "embedding" : badge("language", "good"))));
  view.body.replaceChildren(rows.length ? table(["Model", "For"], rows, "Models")
    : empty("No model is served.", "Recall finds words without one. For meaning:", "mneme pull minilm"));
  if (!isAdmin) return view.body.append(el("p", { class: "note" },
    "Figures of the engine are for whoever looks after the server."));
  const look = async () => engine.replaceChildren(engineFigures(await get("v1/engine", {}, view.signal)));
  const [{ texts, total }] = await Promise.all([get("v1/kv", {}, view.signal), look()]);
  view.body.append(
    el("section", { "aria-labelledby": "engine" }, el("h2", { id: "engine" }, "Engine, now"), engine),
    el("section", { "aria-labelledby": "kept" }, el("h2", { id: "kept" },
      `Kept KV cache${total ? `: ${count(total, "text")}` : ""}`),
      texts.length ? table(["Text", "Model", ["Tokens"], ["On disk"], ["Memories in it"], "Last used",
        ""], texts.map((text) => el("tr", {},
        el("td", {}, el("code", {}, text.id)), el("td", {}, text.model),
          el("td", { class: "number" }, number(text.tokens)),
          el("td", { class: "number" }, bytes(text.bytes)),
        el("td", { class: "number" }, number(text.sources.length)),
          el("td", { class: "nowrap" }, time(text.lastUse)),
          el("td", {}, text.isPinned && badge("pinned")))), "Kept KV cache")
        : el("p", { class: "faint" },
          "Nothing is kept on disk yet. What a model computes of a prompt is kept by itself, and found again by the next prompt that begins alike.")));
  const timer = setInterval(() => { if (!document.hidden) look().catch(() => {}); }, every);
  view.leave(() => clearInterval(timer));
}
