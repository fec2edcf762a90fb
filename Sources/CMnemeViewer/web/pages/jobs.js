// Work behind the answers: what waits, runs, is done or failed.
import { get, post, scope } from "../api.js";
import { ago, choice, el, field, number, said, time } from "../dom.js";
import { actionButton, badge, dialog, empty, figures, table, toast } from "../parts.js";

const names = [["waiting", "Waiting"], ["running", "Running"], ["done", "Done"], ["dead", "Failed"],
  ["cancelled", "Cancelled"]];
const title = new Map(names);
const look = { dead: "danger", running: "good", waiting: "warn" };

const ownerName = (owner) => (owner
  ? (owner.tenant === "default" ? owner.user : `${owner.tenant}/${owner.user}`) : "everybody");

async function add(kinds, again) {
  const { user } = scope.get();
  const kind = choice("kind", kinds.map((name) => [name, name]), kinds[0]);
  const whose = el("input", { name: "user", value: user ?? "", maxlength: 256, autocomplete: "off" });
  const agreed = await dialog({ title: "Ask for work", action: "Add",
    body: [field("Kind", kind), field("User", whose, "Everybody if left out.")] });
  if (!agreed) return;
  const { job } = await post("v1/jobs", { kind: kind.value, user: whose.value.trim() || undefined,
    tenant: whose.value.trim() ? scope.get().tenant : undefined });
  toast(`Job ${job.id} is in the queue.`);
  again();
}

function jobRow(job, act) {
  return el("tr", {},
    el("td", { class: "number" }, job.id), el("td", {},
      badge(title.get(job.state) ?? job.state, look[job.state] ?? "")),
    el("td", { class: "nowrap" }, job.kind, " ",
      Object.entries(job.arguments).map(([name, value]) =>
      el("span", { class: "tag" }, said(`${name}=${value}`)))),
    el("td", {}, said(ownerName(job.owner))), el("td", { class: "nowrap" },
      time(job.finished ?? job.started ?? job.due)),
    el("td", { class: "number" }, `${job.attempts} of ${job.maximumAttempts}`),
      el("td", { class: "wide" }, job.message && said(job.message)),
    el("td", {}, ["waiting", "running"].includes(job.state) ? act("Cancel", `v1/jobs/${job.id}/cancel`)
      : ["dead", "cancelled"].includes(job.state) && act("Retry", `v1/jobs/${job.id}/retry`)));
}

export async function show(view) {
  const state = view.query.get("state") || undefined;
  const [{ jobs, counts, kinds }, { schedules }] = await Promise.all([
    get("v1/jobs", { state, limit: 200 }, view.signal), get("v1/schedules", {}, view.signal)]);
  view.head("Forgetting, linking, merging, moving between tiers: done behind the answers, by this server or by `mneme jobs run`.",
    actionButton("Refresh", async () => view.again()), actionButton("Ask for work …",
      () => add(kinds, view.again), "primary"));
  const act = (label, path) => actionButton(label, async () => { await post(path); view.again(); },
    "small");
  view.body.replaceChildren(
    figures(names.map(([name, label]) => [label,
      el("a", { href: `#/jobs?state=${name}` }, number(counts[name] ?? 0))])),
    state ? el("p", {}, el("a", { href: "#/jobs" }, "Show jobs of all states")) : "",
    jobs.length ? table([["Job"], "State", "Kind", "For", "When", ["Attempts"], "Outcome", ""],
      jobs.map((job) => jobRow(job, act)), "Jobs")
      : empty(state ? "No job is in this state." : "No job was ever asked for.",
        "Nothing is scheduled by itself.", 'mneme jobs schedule nightly "0 3 * * *" decay'),
    el("section", { "aria-labelledby": "schedules" }, el("h2", { id: "schedules" }, "Schedules"),
      schedules.length ? table(["Name", "Kind", "For", "When (UTC)", "Next"],
        schedules.map(({ schedule, next }) => el("tr", {},
        el("td", {}, said(schedule.name)), el("td", {}, schedule.job.kind),
          el("td", {}, said(ownerName(schedule.job.owner))),
        el("td", {}, el("code", {}, schedule.cron)), el("td", { class: "nowrap" },
          next ? [time(next), el("span", { class: "faint" },
          new Date(next) < Date.now() ? " (due)" : "")] : "never"))), "Schedules")
        : el("p", { class: "faint" }, "Nothing is scheduled.")));
}
