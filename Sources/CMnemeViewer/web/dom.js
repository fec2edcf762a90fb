// Elements, times and numbers. What comes from the server becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** An element: el("p", {class: "note"}, "text", …). Properties "on…" are listeners. */
export const el = (name, properties, ...children) =>
  fill(document.createElement(name), properties, children);

/** An element of a picture. */
export const svg = (name, properties, ...children) =>
  fill(document.createElementNS(SVG, name), properties, children);

/** A text of somebody, each in its own direction of writing. */
export const said = (text, properties) => el("span", { dir: "auto", class: "said", ...properties }, text);

/** Our own words; what stands in backticks is code. */
export const words = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

/** At most so many characters, whole ones. */
export function clip(text, most) {
  const letters = Array.from(text.slice(0, most * 2));
  return letters.length > most || text.length > most * 2
    ? letters.slice(0, most).join("").trimEnd() + "…" : text;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const steps = [[60, "second"], [3600, "minute"], [86400, "hour"], [86400 * 14, "day"],
  [86400 * 60, "week"], [86400 * 730, "month"], [Infinity, "year"]];
const sizes = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800, month: 2629800,
  year: 31557600 };

/** How far a time is from now, in words. */
export function ago(date) {
  const seconds = (date - Date.now()) / 1000;
  if (Math.abs(seconds) < 45) return "just now";
  const unit = steps.find(([most]) => Math.abs(seconds) < most)[1];
  return relative.format(Math.round(seconds / sizes[unit]), unit);
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric",
  hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/** A day as people write it. */
export const dayText = (date) => day.format(date);

/** A time: relative, with the exact one on hover and for machines; `full` says both. */
export function time(text, full = false) {
  const date = new Date(text);
  if (!text || isNaN(date)) return el("span", { class: "faint" }, "–");
  const shown = full ? `${minute.format(date)}, ${ago(date)}` : ago(date);
  return el("time", { datetime: text, title: exact.format(date) }, shown);
}

/** The day of a time, with how long ago. */
export function dated(text) {
  const date = new Date(text);
  if (!text || isNaN(date)) return null;
  const far = Math.abs(date - Date.now()) > 86400e3 * 2;
  return el("time", { datetime: text, title: exact.format(date) },
    far ? `${day.format(date)} · ${ago(date)}` : ago(date));
}

const plain = new Intl.NumberFormat("en");
/** A whole number with separators. */
export const number = (value) => plain.format(Math.round(value ?? 0));

/** A size in bytes. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let left = value ?? 0;
  while (left >= 1024 && unit < units.length - 1) { left /= 1024; unit += 1; }
  return `${left < 10 && unit > 0 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`;
}

/** A share as per cent. */
export const percent = (part, whole) => (whole > 0 ? `${Math.round((100 * part) / whole)} %` : "–");

/** "1 memory", "3 memories". */
export const count = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

/** A label with its field, joined for screen readers by nesting. */
export const field = (label, input, hint) =>
  el("label", { class: "field" }, el("span", { class: "label" }, label), input,
    hint && el("span", { class: "hint" }, hint));

/** A choice. Options are [value, text]. */
export const choice = (name, options, value, properties) =>
  el("select", { name, ...properties }, options.map(([v, text]) =>
    el("option", { value: v, selected: v === (value ?? "") }, text)));
