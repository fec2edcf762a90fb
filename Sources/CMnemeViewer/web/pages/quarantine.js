// What reads like an instruction to a model, and waits for somebody's word.
import { get, may, memoryPath, post, scope, scoped } from "../api.js";
import { el } from "../dom.js";
import { actionButton, askReason, empty, endless, memoryRow, toast } from "../parts.js";

const signs = {
  override: "sets aside what a model was told",
    role: "pretends to be the system or a turn of the conversation",
  exfiltration: "wants private things to be sent somewhere",
    trigger: "waits for something that somebody says or does",
  redirection: "puts one thing in another's place", tool: "has a tool do harm",
    concealment: "keeps something from people",
  disarming: "does away with checks", persistence: "wants to be kept or obeyed above others",
    disguise: "is hidden or disguised",
  command: "tells the reader to do something", agent: "speaks to an agent",
    audience: "speaks of users as of others",
  lesson: "is like a text that was quarantined before", dissent: "contradicts what several others agree on",
};

export async function show(view) {
  const mayRelease = await may("share");
  const mayErase = await may("erase");
  view.head("Texts that read like instructions to a model are kept out of recall, and of every prompt, until somebody releases them.");
  const decide = (row, memory, [label, path, title, text, done, danger]) =>
    actionButton(label, async () => {
    const reason = await askReason(title, text, label.replace(" …", ""), danger);
    if (reason === undefined) return;
    await post(memoryPath(memory.id, path), { ...scope.get(), reason: reason ?? undefined });
    row.remove();
    toast(done);
  }, danger ? "danger small" : "small");
  const line = (memory) => {
    const actions = el("div", { class: "actions" });
    const row = memoryRow(memory, { when: memory.recordedTime, more: [
      memory.caution?.length > 0 && el("p", { class: "meta" }, "It ",
        memory.caution.map((sign) => signs[sign] ?? sign).join(", "), "."), actions] });
    if (mayRelease) actions.append(decide(row, memory, ["Release …", "/release", "Release this memory?",
      "It enters recall and prompts on your word, which is kept with it. Others will read it.",
      "Released."]));
    if (mayErase) actions.append(decide(row, memory, ["Erase …", "/erase",
      "Erase this memory for good?", "This cannot be undone.", "Erased.", true]));
    return row;
  };
  view.body.replaceChildren(await endless({
    signal: view.signal, list: el("ul", { class: "list" }), row: line,
    load: async (after) => {
      const { memories, next } = await get("v1/memories",
        scoped({ state: "quarantined", limit: 50, after }), view.signal);
      return { items: memories, next };
    },
    nothing: empty("Nothing is quarantined.",
      "Whatever reads like an instruction to a model is shown here when it comes in."),
  }));
}
