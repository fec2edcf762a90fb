// The frame around all pages: navigation, keys of the keyboard, the visitor's key, whose memories.
import { asks, forgetMe, get, key, me, scope } from "./api.js";
import { el, field, words } from "./dom.js";
import { dialog, failure, toast } from "./parts.js";

// Pages by group: name, title, the letter after "g".
const groups = [
  ["Memory", [["memories", "Memories", "m"], ["ask", "Ask", "a"], ["timeline", "Timeline", "t"],
    ["links", "Links", "l"], ["tiers", "Tiers", "i"], ["quarantine", "Quarantine", "q"]]],
  ["Model", [["chat", "Chat", "c"], ["models", "Models", "o"]]],
  ["Store", [["vaults", "Vaults", "v"], ["jobs", "Jobs", "j"], ["audit", "Audit log", "u"],
    ["keys", "Keys", "k"]]],
];
const pages = new Map(groups.flatMap(([, list]) => list).map(([name, title]) => [name, title]));
pages.set("memory", "Memory");

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const menu = document.getElementById("menu");
const whose = document.getElementById("whose");
const search = document.getElementById("find-text");

let leaving = new AbortController();
let cleanup;

/** The page that the address names: its name, the part behind it, and its query. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  let id = rest.join("/");
  try { id = decodeURIComponent(id); } catch { /* A broken address names nothing. */ }
  return { name: pages.has(name) ? name : "memories", id, query: new URLSearchParams(query ?? "") };
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  cleanup?.();
  cleanup = undefined;
  const { name, id, query } = place();
  const title = pages.get(name);
  search.value = (name === "memories" && query.get("q")) || "";
  for (const link of nav.querySelectorAll("a")) {
    const here = link.dataset.page === name || (name === "memory" && link.dataset.page === "memories");
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  openMenu(false);
  document.title = `${title} · Mneme`;
  const heading = el("h1", { tabindex: "-1" }, title);
  const body = el("div", { class: "page", "data-page": name });
  const waiting = el("p", { class: "waiting", role: "status" }, "Loading …");
  const late = setTimeout(() => body.append(waiting), 150);
  // The heading stays where it is: it has the focus.
  const lead = el("p", { class: "lead", hidden: true });
  const actions = el("div", { class: "actions" });
  main.replaceChildren(el("div", { class: "head" }, el("div", {}, heading, lead), actions), body);
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
  const view = {
    id, query, signal, body,
    /** A sentence under the title, and what can be done beside it. */
    head: (subtitle, ...list) => {
      lead.hidden = !subtitle;
      lead.replaceChildren(...words(subtitle ?? ""));
      actions.replaceChildren(...list.flat().filter(Boolean));
    },
    again: show,
    /** Done when the visitor goes elsewhere. */
    leave: (action) => { cleanup = action; },
  };
  try {
    const page = await import(`./pages/${name}.js`);
    if (signal.aborted) return;
    await page.show(view);
  } catch (error) {
    if (!signal.aborted && error.name !== "AbortError") body.replaceChildren(failure(error, show));
  } finally {
    clearTimeout(late);
    waiting.remove();
    if (!signal.aborted) body.dataset.ready = "yes";
  }
}

/** Goes to a page; the same page again is shown anew. */
export function go(hash) {
  if (location.hash === hash) show();
  else location.hash = hash;
}

// Navigation.

function openMenu(open) {
  document.body.classList.toggle("menu-open", open);
  menu.setAttribute("aria-expanded", String(open));
}

nav.append(...groups.map(([group, list]) => el("div", { class: "group" },
  el("h2", { id: `nav-${group}` }, group),
  el("ul", { "aria-labelledby": `nav-${group}` }, list.map(([name, title, letter]) =>
    el("li", {}, el("a", { href: `#/${name}`, "data-page": name },
      el("span", {}, title), el("kbd", { "aria-hidden": "true" }, `g ${letter}`))))))),
el("p", { class: "version", id: "version" }));
menu.addEventListener("click", () => openMenu(!document.body.classList.contains("menu-open")));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = search.value.trim();
  go(text ? `#/memories?q=${encodeURIComponent(text)}` : "#/memories");
});

// Whose memories, and the key.

async function showWho() {
  const { user, tenant } = scope.get();
  let name = user;
  try {
    const principal = await me();
    name ??= principal.user ?? "default";
    nav.classList.toggle("no-admin", !principal.permissions.includes("admin"));
  } catch { name ??= "default"; }
  whose.replaceChildren(el("span", { class: "faint" }, "User "),
    el("strong", {}, tenant ? `${tenant}/${name}` : name));
}

async function askWhose() {
  const { user, tenant } = scope.get();
  let vaults = [];
  try { vaults = (await get("v1/vaults")).vaults; } catch { /* The names can be typed, too. */ }
  const names = el("input", { name: "user", list: "known-users", value: user ?? "",
    placeholder: "your own", maxlength: 256, autocomplete: "off" });
  const tenants = el("input", { name: "tenant", value: tenant ?? "", placeholder: "your own",
    maxlength: 256, autocomplete: "off" });
  const secret = el("input", { name: "key", type: "password", value: key.get(), placeholder: "none",
    autocomplete: "off" });
  const chosen = await dialog({
    title: "Whose memories",
    body: [
      field("User", names, "Pages show this user's memories, as far as you may see them."),
      el("datalist", { id: "known-users" },
        [...new Set(vaults.map((v) => v.vault.user))].map((name) => el("option", { value: name }))),
      field("Tenant", tenants),
      field("Key", secret, "Kept in this tab only, until it is closed. A server on this machine without keys needs none."),
    ],
    action: "Show",
  });
  if (!chosen) return;
  scope.set({ user: names.value.trim(), tenant: tenants.value.trim() });
  useKey(secret.value.trim());
}

function useKey(secret) {
  key.set(secret);
  forgetMe();
  showWho();
  show();
}

let isAsking = false;
async function askKey() {
  if (isAsking) return;
  isAsking = true;
  const wrong = key.get() !== "";
  const secret = el("input", { name: "key", type: "password", required: true, autocomplete: "off",
    autofocus: true });
  const given = await dialog({
    title: wrong ? "This key is not valid" : "This server needs a key",
    body: [
      el("p", {}, "Make one on the server's machine: ", el("code", {}, "mneme keys create NAME")),
      field("Key", secret, "Kept in this tab only, until it is closed."),
    ],
    action: "Enter",
  });
  isAsking = false;
  if (given) useKey(secret.value.trim());
}
asks.addEventListener("key", askKey);
whose.addEventListener("click", askWhose);

// The keyboard.

const shortcuts = [["/", "Search memories"], ["j, k", "Next and previous in a list"],
  ["Enter", "Open it"], ["?", "This help"], ["Esc", "Close"]];

function showHelp() {
  const rows = [...shortcuts,
    ...groups.flatMap(([, list]) => list.map(([, title, letter]) => [`g ${letter}`, title]))];
  dialog({
    title: "Keyboard", close: "Close",
    body: [el("dl", { class: "keys" },
      rows.map(([keys, what]) => el("div", {}, el("dt", {}, el("kbd", {}, keys)), el("dd", {}, what))))],
  });
}
document.getElementById("help").addEventListener("click", showHelp);

/** Moves the focus along the list of the page. */
function step(by) {
  const rows = [...main.querySelectorAll("[data-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row === document.activeElement
    || row.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

let wasG = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const letter = event.key;
  const page = Date.now() - wasG < 1500 && groups.flatMap(([, list]) => list).find(([, , l]) =>
    l === letter);
  wasG = letter === "g" ? Date.now() : 0;
  if (page) go(`#/${page[0]}`);
  else if (letter === "/") search.focus();
  else if (letter === "?") showHelp();
  else if (letter === "j") step(1);
  else if (letter === "k") step(-1);
  else if (letter === "Escape") openMenu(false);
  else return;
  event.preventDefault();
});

addEventListener("hashchange", show);
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name === "AbortError") event.preventDefault();
  else toast(event.reason?.message ?? "Something failed in this page.");
});
showWho();
show();
get("healthz").then(({ version }) =>
  { document.getElementById("version").textContent = `Mneme ${version}`; }).catch(() => {});
