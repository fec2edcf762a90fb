// What happened when: a month as a picture, and its days.
import { get, scoped } from "../api.js";
import { count, dayText, el, svg } from "../dom.js";
import { empty, memoryRow } from "../parts.js";

const monthName = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });
const pad = (n) => String(n).padStart(2, "0");
/** The local month of a date, as "2026-11". */
const monthOf = (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}`;
const startOf = (month) => new Date(Number(month.slice(0, 4)), Number(month.slice(5, 7)) - 1, 1);
const most = 1000;

/** Memories of each day as columns. */
function columns(days, start, room) {
  const length = new Date(start.getFullYear(), start.getMonth() + 1, 0).getDate();
  const highest = Math.max(1, ...[...days.values()].map((list) => list.length));
  const [width, height] = room < 600 ? [380, 120] : [720, 130];
  const step = width / length;
  const bars = Array.from({ length }, (_, i) => {
    const n = days.get(i + 1)?.length ?? 0;
    const tall = (n / highest) * (height - 34);
    const x = i * step + 2;
    return [
      n > 0 && svg("a", { href: `#day-${i + 1}`,
        "aria-label": `${i + 1} ${monthName.format(start)}: ${count(n, "memory", "memories")}`,
        onclick: (event) => {
        event.preventDefault();
        const heading = document.getElementById(`day-${i + 1}`);
        heading.scrollIntoView();
        heading.focus();
      } }, svg("title", {}, `${i + 1}: ${count(n, "memory", "memories")}`),
        svg("rect", { class: "column", x, y: height - 20 - tall, width: step - 4,
        height: Math.max(2, tall), rx: 2 })),
      (i === 0 || (i + 1) % 5 === 0) && svg("text",
        { class: "axis", x: x + (step - 4) / 2, y: height - 5, "text-anchor": "middle" }, i + 1),
    ];
  });
  return el("figure", { class: "picture" }, svg("svg",
    { viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `Memories of each day of ${monthName.format(start)}` },
    svg("line", { class: "rule", x1: 0, y1: height - 20, x2: width, y2: height - 20 }), bars));
}

export async function show(view) {
  let month = view.query.get("month");
  if (!/^\d{4}-\d{2}$/.test(month ?? "")) {
    const { memories } = await get("v1/memories", scoped({ limit: 1, state: "activated" }), view.signal);
    month = monthOf(memories[0] ? new Date(memories[0].eventTime) : new Date());
  }
  const start = startOf(month);
  const end = new Date(start.getFullYear(), start.getMonth() + 1, 1);
  const to = (offset) =>
    `#/timeline?month=${monthOf(new Date(start.getFullYear(), start.getMonth() + offset, 1))}`;
  const chosen = el("input", { type: "month", value: month, "aria-label": "Month", onchange: (event) => {
    if (event.target.value) location.hash = `#/timeline?month=${event.target.value}`;
  } });
  view.head("By when things happened, whenever they were remembered.",
    el("a", { class: "button", href: to(-1), "aria-label": "The month before" }, "← Before"), chosen,
      el("a", { class: "button", href: to(1), "aria-label": "The month after" }, "After →"));
  const { memories, next } = await get("v1/memories",
    scoped({ from: start.toISOString(), before: end.toISOString(), limit: most }), view.signal);
  const days = new Map();
  for (const memory of memories) {
    const day = new Date(memory.eventTime).getDate();
    days.has(day) ? days.get(day).push(memory) : days.set(day, [memory]);
  }
  const ordered = [...days].sort((a, b) => a[0] - b[0]);
  if (memories.length === 0) return view.body.replaceChildren(el("h2", {}, monthName.format(start)),
    empty(`Nothing happened in ${monthName.format(start)}.`, "Go to another month, or choose one above."));
  view.body.replaceChildren(
    el("h2", {}, `${monthName.format(start)}: ${count(memories.length, "memory", "memories")}${next ? " and more" : ""}`),
    columns(days, start, view.body.clientWidth),
    next ? el("p", { class: "note" }, `The ${most} that were remembered last are shown.`) : "",
    ...ordered.map(([day, list]) => el("section", { class: "day" },
      el("h2", { id: `day-${day}`, tabindex: "-1" },
        dayText(new Date(start.getFullYear(), start.getMonth(), day))),
      el("ul", { class: "list" },
        list.sort((a, b) => a.eventTime.localeCompare(b.eventTime)).map((memory) => memoryRow(memory))))));
}
