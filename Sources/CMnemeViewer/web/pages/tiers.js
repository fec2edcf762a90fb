// How far memories have come: tiers, warm topics, the profile.
import { get, may, post, scope, scoped } from "../api.js";
import { ago, count, el, number } from "../dom.js";
import { actionButton, empty, figures, memoryLink, memoryRow, table, tiers, toast } from "../parts.js";

const meaning = { "short-term": "of a conversation that goes on", "mid-term": "of a topic that came up",
  "long-term": "of a topic that matters", profile: "who somebody is" };

export async function show(view) {
  const report = await get("v1/tiers", scoped({ limit: 30 }), view.signal);
  const promote = await may("admin") && actionButton("Move now", async () => {
    const { user, tenant } = scope.get();
    await post("v1/jobs", { kind: "promote", user, tenant: user ? tenant : undefined });
    toast("The job `promote` is in the queue. What moves shows here when it is done.");
  });
  view.head("What was just said becomes a topic, a topic that matters becomes long-term, and who somebody is their profile.", promote);
  const topics = report.topics.map((topic) => el("tr", {},
    el("td", { class: "wide" }, el("a", { href: memoryLink(topic.id), "data-row": topic.id },
      topic.about.length ? topic.about.join(", ") : "a topic without a name")),
    el("td", { class: "number" }, number(topic.memories)),
      el("td", { class: "number" }, number(topic.visits)),
    el("td", { class: "number" }, topic.heat.toFixed(1)),
      el("td", { class: "nowrap" }, ago(new Date(topic.last)))));
  view.body.replaceChildren(
    figures(tiers.map(([name, title]) => [title,
      el("a", { href: `#/memories?tier=${name}` }, number(report.counts[name] ?? 0)), meaning[name]])),
    el("section", { "aria-labelledby": "topics" }, el("h2", { id: "topics" }, "Warm topics"),
      topics.length ? table(["About", ["Memories"], ["Visits"], ["Heat"], "Last used"], topics,
        "Warm topics") : empty("There are no topics yet.",
        "Memories join topics when the job `promote` runs and their conversation has ended.",
        "mneme jobs add promote && mneme jobs run"),
      topics.length > 0 && el("p", { class: "note" },
        "Above a heat of 5 the memories of a topic become long-term.")),
    el("section", { "aria-labelledby": "profile" }, el("h2", { id: "profile" },
      `Profile: ${count(report.profile.length, "memory", "memories")}`),
      report.profile.length ? el("ul", { class: "list" },
        report.profile.map((memory) => memoryRow(memory))) : empty("The profile is empty.",
        "Chats begin with what is in it: name, home, work, likes.")));
}
