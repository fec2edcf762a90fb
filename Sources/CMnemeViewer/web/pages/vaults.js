// Whose memories there are, and who shares what with whom.
import { get, may, remove, scope, scoped } from "../api.js";
import { clip, count, el, number, said, time } from "../dom.js";
import { actionButton, badge, dialog, empty, memoryLink, table, toast } from "../parts.js";

const ownerName = ({ tenant, user }) => (tenant === "default" ? user : `${tenant}/${user}`);
const isSame = (a, b) => a.user === (b.user ?? "default") && a.tenant === (b.tenant ?? "default");

function grantRow(grant, end) {
  return el("tr", {},
    el("td", {}, said(ownerName(grant.owner))), el("td", {}, said(grant.grantee)),
      el("td", {}, grant.permissions.join(", ")),
    el("td", {}, grant.cube ? el("a", { href: memoryLink(grant.cube) }, "one memory") : "all memories"),
      el("td", {}, `up to ${grant.upTo}`),
    el("td", { class: "nowrap" }, grant.expires ? time(grant.expires) : "never"), el("td", {}, end));
}

export async function show(view) {
  const [{ vaults, total }, { grants, received }, mayShare] = await Promise.all([
    get("v1/vaults", { limit: 500 }, view.signal), get("v1/grants", scoped(), view.signal), may("share")]);
  view.head("A vault is the memories of one user. It is shared by grants, and moves to another machine as a sealed package.");
  const open = (vault) => actionButton("Show", async () =>
    { scope.set(vault); location.hash = "#/memories"; location.reload(); }, "small");
  const rows = vaults.map(({ vault, memories, grants: shared, shared: isForeign }) => el("tr", {},
    el("td", { class: "wide" }, said(ownerName(vault)), " ",
      isSame(vault, scope.get()) && badge("shown now", "good"), isForeign && badge("shared with you")),
    el("td", { class: "number" }, memories === undefined ? "" : number(memories)),
      el("td", { class: "number" }, shared === undefined ? "" : number(shared)),
      el("td", {}, open(vault))));
  const end = (grant) => mayShare && actionButton("Take back …", async () => {
    if (!await dialog({ title: "Take this grant back?", body: el("p", {},
      `${clip(grant.grantee, 80)} reaches these memories no more, at once.`), action: "Take back",
      danger: true })) return;
    await remove(`v1/grants/${grant.id}`, { user: grant.owner.user, tenant: grant.owner.tenant });
    toast("Taken back.");
    view.again();
  }, "danger small");
  const columns = ["Memories of", "For", "May", "What", "Label", "Until", ""];
  view.body.replaceChildren(
    rows.length ? table(["Vault", ["Memories"], ["Grants"], ""], rows,
      "Vaults") : empty("There are no vaults yet.", "The first memory of a user makes one.",
      "mneme remember \"The stand-up is at ten\" --user team"),
    total > vaults.length ? el("p", { class: "note" },
      `${count(total - vaults.length, "more vault")} not shown.`) : "",
    el("section", { "aria-labelledby": "given" }, el("h2", { id: "given" }, "Shared with others"),
      grants.length ? table(columns, grants.map((grant) => grantRow(grant, end(grant))),
        "Shared with others") : el("p", { class: "faint" }, "Nothing of these memories is shared. ",
        el("code", {}, "mneme share user:NAME"), " does that.")),
    el("section", { "aria-labelledby": "got" }, el("h2", { id: "got" }, "Shared with you"),
      received.length ? table(columns, received.map((grant) => grantRow(grant)),
        "Shared with you") : el("p", { class: "faint" }, "Nobody shares memories with you.")));
}
