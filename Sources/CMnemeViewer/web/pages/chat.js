// A chat with the model that runs here: answers come word by word, with the memories they were given.
import { events, get, scope } from "../api.js";
import { clip, count, el, said } from "../dom.js";
import { empty, failure, memoryLink } from "../parts.js";

// A conversation lasts as long as the page: going elsewhere and back continues it.
let turns = [];
let session = newSession();

function newSession() { return `viewer-${Date.now().toString(36)}`; }

function turnBox(turn) {
  const words = el("div", { class: "words" }, said(turn.content));
  return el("div", { class: turn.role === "user" ? "turn" : "turn model" },
    el("p", { class: "who" }, turn.role === "user" ? "You" : "Model"), words, used(turn.memories));
}

function used(memories) {
  if (!memories) return null;
  if (memories.length === 0) return el("p", { class: "used faint" }, "No memory was used.");
  return el("details", { class: "used", open: true }, el("summary", {},
    `${count(memories.length, "memory", "memories")} used`),
    el("ul", {}, memories.map((memory) => el("li", {},
      el("a", { href: memoryLink(memory.id) }, said(clip(memory.text, 160))),
      el("span", { class: "faint" }, ` ${memory.score.toFixed(1)}`)))));
}

export async function show(view) {
  const { data } = await get("v1/models", {}, view.signal);
  const model = data.find(({ id }) => !id.includes("@"))?.id;
  if (!model) {
    view.head("A chat that remembers.");
    return view.body.replaceChildren(empty("No language model runs here.", "Start the server with one:",
      "mneme pull smollm2 && mneme serve --model smollm2"));
  }
  const talk = el("div", { class: "talk", "aria-live": "polite" }, turns.map(turnBox));
  const text = el("textarea", { name: "text", rows: 2, maxlength: 20000, required: true,
    "aria-label": "Message", placeholder: "Say something" });
  const recalls = el("input", { type: "checkbox", checked: true });
  const keeps = el("input", { type: "checkbox", checked: false });
  const send = el("button", { class: "primary" }, "Send");
  const stop = el("button", { type: "button", hidden: true }, "Stop");
  const hello = el("p", { class: "faint" },
    `${model} answers. Memories that bear on what you say go into its prompt; under each answer stands which.`);
  const form = el("form", { class: "compose" }, el("div", { class: "row" }, text, send, stop),
    el("div", { class: "options" }, el("label", { class: "check" }, recalls, "Use memories"),
      el("label", { class: "check" }, keeps, "Remember this chat")));
  view.head("Answers come from the model on this machine.",
    el("button", { type: "button", onclick: () =>
    { turns = []; session = newSession(); view.again(); } }, "New chat"));
  view.body.replaceChildren(turns.length ? "" : hello, talk, form);
  text.focus();
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  recalls.addEventListener("change", () => { keeps.disabled = !recalls.checked; });
  let running;
  stop.addEventListener("click", () => running?.abort());
  view.leave(() => running?.abort());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const content = text.value.trim();
    if (!content || running) return;
    hello.remove();
    text.value = "";
    turns.push({ role: "user", content });
    const answer = { role: "assistant", content: "" };
    const box = turnBox(answer);
    const words = box.querySelector(".said");
    talk.append(turnBox(turns.at(-1)), box);
    words.textContent = "…";
    box.scrollIntoView({ block: "end" });
    running = new AbortController();
    send.hidden = true;
    stop.hidden = false;
    const memory = recalls.checked ? { ...scope.get(), session, remember: keeps.checked } : undefined;
    try {
      const messages = turns.map(({ role, content: said }) => ({ role, content: said }));
      // The likeliest words: small models wander off with others.
      const request = { model, messages, memory, stream: true, temperature: 0, max_tokens: 1024 };
      for await (const part of events("v1/chat/completions", request, running.signal)) {
        answer.content += part.choices[0]?.delta?.content ?? "";
        words.textContent = answer.content || "…";
        if (part.memories) answer.memories = part.memories;
      }
    } catch (error) {
      if (error.name !== "AbortError") box.append(failure(error));
    } finally {
      running = undefined;
      send.hidden = false;
      stop.hidden = true;
    }
    if (answer.content) turns.push(answer);
    else turns.pop();
    words.textContent = answer.content || "(no answer)";
    box.append(used(answer.memories) ?? "");
    box.scrollIntoView({ block: "nearest" });
  });
}
