// The keys of this server: who they are for, what they may do.
import { get, me, remove } from "../api.js";
import { count, el, number, said, time } from "../dom.js";
import { actionButton, badge, dialog, empty, table, toast } from "../parts.js";

const stateOf = (key) => key.revoked ? ["Revoked", "danger"] : key.expires
  && new Date(key.expires) < Date.now() ? ["Expired", "warn"] : ["Valid", "good"];

const bounds = (key) => [key.agent && `agent ${key.agent}`, key.roles?.length
  && `roles ${key.roles.join(", ")}`, key.clearance && `up to ${key.clearance}`,
  key.quota !== undefined && `${number(key.quota)} memories`,
    key.requestsPerMinute
    && `${number(key.requestsPerMinute)} requests a minute`].filter(Boolean).join(", ");

export async function show(view) {
  const [{ keys }, principal] = await Promise.all([get("v1/keys", {}, view.signal), me()]);
  const valid = keys.filter((key) => stateOf(key)[0] === "Valid");
  view.head(keys.length
    ? `${count(valid.length, "valid key")} of ${number(keys.length)}. Secrets are shown once, when a key is made, and kept nowhere.` : "Without keys the server answers callers on its own machine only.");
  const revoke = (key) => actionButton("Revoke …", async () => {
    const own = principal.name === `key:${key.name}`;
    const last = valid.length === 1;
    const text = `It is refused from now on.${own ? " It is the key that you use now." : ""}${last ? " It is the last valid key: the server refuses everybody until another one is made." : ""}`;
    if (!await dialog({ title: `Revoke the key ${key.name}?`, body: el("p", {}, text), action: "Revoke",
      danger: true })) return;
    await remove(`v1/keys/${encodeURIComponent(key.name)}`);
    toast("Revoked.");
    view.again();
  }, "danger small");
  const rows = keys.map((key) => {
    const [state, look] = stateOf(key);
    return el("tr", {}, el("td", {}, said(key.name)), el("td", {}, badge(state, look)),
      el("td", {}, key.permissions.join(", ")),
      el("td", {}, said([key.tenant, key.user ?? "everybody"].filter(Boolean).join("/"))),
        el("td", { class: "wide" }, said(bounds(key))),
      el("td", { class: "nowrap" }, time(key.created)), el("td", { class: "nowrap" },
        key.expires ? time(key.expires) : "never"),
      el("td", {}, state === "Valid" && revoke(key)));
  });
  view.body.replaceChildren(
    rows.length ? table(["Name", "State", "May", "For user", "Bounds", "Made", "Expires", ""], rows,
      "Keys") : empty("There are no keys.",
      "The first one closes the server for all who have none. Make it on the server's machine:",
      "mneme keys create NAME --user USER"),
    el("p", { class: "note" }, "You are ", el("strong", {}, said(principal.name)),
      `, and may ${principal.permissions.join(", ")}.`));
}
