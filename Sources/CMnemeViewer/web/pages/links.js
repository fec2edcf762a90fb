// Memories and what connects them, as a picture and as a list.
import { get, scoped } from "../api.js";
import { choice, clip, count, el, field, said, svg } from "../dom.js";
import { empty, memoryLink } from "../parts.js";
import { layout } from "../layout.js";
import { linkName } from "./memory.js";

// A picture that can be read on a telephone, too.
const sizes = { wide: { width: 900, height: 560, letters: 34 },
  narrow: { width: 420, height: 460, letters: 20 } };

function picture(memories, links, middle, room) {
  const size = room < 600 ? sizes.narrow : sizes.wide;
  const places = layout(memories.map((m) => m.id), links, { ...size, middle });
  const near = new Set(links.filter((l) => l.source === middle || l.target === middle));
  const lines = links.map((link) => {
    const [a, b] = [places.get(link.source), places.get(link.target)];
    return svg("line", { class: near.has(link) ? "edge near" : "edge", x1: a.x, y1: a.y, x2: b.x,
      y2: b.y }, svg("title", {}, linkName(link.kind, true)));
  });
  // Names where there is room for them.
  const named = memories.length <= 24
    ? new Set(memories.map((m) => m.id)) : new Set([middle,
    ...[...near].flatMap((l) => [l.source, l.target])]);
  const nodes = memories.map((memory) => {
    const { x, y } = places.get(memory.id);
    const gap = memory.id === middle ? 16 : 12;
    const isLeft = x > size.width * 0.55;
    return svg("a", { class: memory.id === middle ? "node middle" : "node",
      href: `#/links/${encodeURIComponent(memory.id)}`, "aria-label": clip(memory.text, 120) },
      svg("title", {}, clip(memory.text, 300)),
      svg("circle", { cx: x, cy: y, r: memory.id === middle ? 9 : 6 }),
      named.has(memory.id) && svg("text", { x: x + (isLeft ? -gap : gap), y: y + 4,
        "text-anchor": isLeft ? "end" : "start" }, clip(memory.text, size.letters)));
  });
  return el("figure", { class: "picture" }, svg("svg",
    { viewBox: `0 0 ${size.width} ${size.height}`, role: "group",
    "aria-label": "Memories as points, links as lines" }, lines, nodes));
}

export async function show(view) {
  const steps = view.query.get("steps") || undefined;
  const { memories, links, hasMore } = await get("v1/links",
    scoped({ around: view.id || undefined, steps, limit: 60 }), view.signal);
  const texts = new Map(memories.map((memory) => [memory.id, memory]));
  const middle = view.id && texts.get(view.id);
  const connected = new Set(links.flatMap((link) => [link.source, link.target]));
  const drawn = memories.filter((memory) => memory.id === view.id || connected.has(memory.id));
  const distance = choice("steps", [["1", "1 step"], ["", "2 steps"], ["3", "3 steps"]],
    view.query.get("steps") ?? "", {
    "aria-label": "How far", onchange: (event) =>
      { location.hash = `#/links/${encodeURIComponent(view.id)}${event.target.value ? `?steps=${event.target.value}` : ""}`; } });
  view.head(middle ? "What one memory is connected with." : "What the newest memories are connected with.",
    middle && [distance, el("a", { class: "button", href: memoryLink(view.id) }, "Open it"),
      el("a", { class: "button", href: "#/links" }, "The newest ones")]);
  if (links.length === 0) {
    return view.body.replaceChildren(middle ? el("blockquote", { class: "quote" },
      said(clip(middle.text, 300))) : "",
      empty("Nothing is linked here yet.",
        "The job `link` connects each memory with those that are close in meaning:",
        "mneme jobs add link && mneme jobs run"));
  }
  const name = (id) => el("a", { href: `#/links/${encodeURIComponent(id)}`, "data-row": id },
    said(clip(texts.get(id).text, 110)));
  view.body.replaceChildren(
    middle ? el("blockquote", { class: "quote" }, said(clip(middle.text, 300))) : "",
    picture(drawn, links, view.id, view.body.clientWidth),
    el("p", { class: "note" },
      `${count(drawn.length, "memory", "memories")}, ${count(links.length, "link")}${hasMore ? "; there are more further away" : ""}. Choose one to put it into the middle.`),
    el("details", { open: links.length <= 40 }, el("summary", {}, "As a list"),
      el("ul", { class: "links" },
        links.map((link) => el("li", {}, name(link.source),
        el("span", { class: "faint" }, ` ${linkName(link.kind, true)} `), name(link.target))))));
}
