// Who read, changed or was refused what; and whether the log is whole.
import { get, post } from "../api.js";
import { choice, count, el, field, number, said, time, words } from "../dom.js";
import { actionButton, badge, empty, endless, memoryLink, table } from "../parts.js";

const look = { refused: "danger", failed: "warn" };

function entryRow(entry) {
  const what = entry.cubes.length === 1 ? el("a", { href: memoryLink(entry.cubes[0]) },
    "1 memory") : entry.count > 0 ? count(entry.count, "memory", "memories") : "";
  const owner = entry.owner ? (entry.owner.tenant === "default" ? entry.owner.user
    : `${entry.owner.tenant}/${entry.owner.user}`) : "";
  return el("tr", {},
    el("td", { class: "number" }, number(entry.position)),
      el("td", { class: "nowrap" }, time(entry.time)), el("td", {}, said(entry.principal)),
    el("td", {}, entry.operation), el("td", {}, said(owner)), el("td", { class: "nowrap" }, what),
    el("td", {}, entry.outcome === "done" ? "" : badge(entry.outcome, look[entry.outcome])),
    el("td", { class: "wide" }, [entry.detail,
      entry.reason].filter(Boolean).map((text) => el("div", {}, said(text)))));
}

function report(found) {
  const isWhole = found.findings.length === 0;
  return el("div", { class: isWhole ? "empty" : "failure", role: "status" },
    el("p", { class: "title" }, isWhole ? "The log is whole."
      : "Something was changed, taken out or put in."),
    isWhole ? el("p", {},
      `${count(found.entries, "entry", "entries")}, ${count(found.checkpoints, "signature")}; each memory's history is as it was written.${found.begin > 1 ? ` It begins at entry ${number(found.begin)}: what was before was moved to a file.` : ""}`)
      : el("ul", {}, found.findings.map((finding) => el("li", {}, finding))),
    el("p", { class: "note" },
      words("Signatures of any key were taken. `mneme audit verify` on the server's machine checks the key, too.")));
}

export async function show(view) {
  const filter = Object.fromEntries(["principal", "outcome",
    "memory"].map((name) => [name, view.query.get(name) || undefined]));
  const box = el("div", { "aria-live": "polite" });
  view.head("Entries are chained by hash and signed. They name memories and never quote them.",
    actionButton("Verify", async () => {
      box.replaceChildren(el("p", { class: "waiting" }, "Walking the whole log …"));
      try { box.replaceChildren(report(await post("v1/audit/verify", {},
        view.signal))); } catch (error) { box.replaceChildren(); throw error; }
    }, "primary"));
  const form = el("form", { class: "filters" },
    field("Outcome", choice("outcome", [["", "All"], ["done", "Done"], ["refused", "Refused"],
      ["failed", "Failed"]], filter.outcome)),
    field("Principal", el("input", { name: "principal", value: filter.principal ?? "",
      placeholder: "local or key:NAME", autocomplete: "off" })),
    field("Memory", el("input", { name: "memory", value: filter.memory ?? "", placeholder: "id",
      autocomplete: "off" })));
  const apply = () => {
    const next = new URLSearchParams([...new FormData(form)].filter(([, value]) =>
      value.trim()).map(([name, value]) => [name, value.trim()]));
    location.hash = `#/audit?${next}`;
  };
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
  const frame = table([["Entry"], "When", "Who", "Did", "For user", "What", "", "Note"], [], "Audit log");
  const list = await endless({
    signal: view.signal, frame, list: frame.querySelector("tbody"), row: entryRow,
    load: async (before) => {
      const { entries, next } = await get("v1/audit", { ...filter, limit: 100, before }, view.signal);
      return { items: entries, next };
    },
    nothing: empty("The log has no such entry.", "Take filters away."),
  });
  view.body.replaceChildren(box, form, list);
}
