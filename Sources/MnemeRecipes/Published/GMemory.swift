import MnemeCube
import MnemePipeline

/// G-Memory [226]: insights above what agents said to one another; a search goes up to the insights and
/// down to what they came from.
enum GMemory: PublishedRecipe {
    static let card = RecipeCard(
        name: "g-memory",
        paper: "G-Memory: Tracing Hierarchical Memory for Multi-Agent Systems [226]",
        idea: "insights across conversations and agents; what is found leads up to them, and they lead down again",
        simplified:
            "of cases an insight is a word and a step that went together for several agents, found by counting, and a "
            + "trajectory the case with those who worked on it; elsewhere it is a summary of what several conversations say "
            + "on one subject, by rule unless a model is configured",
        claim: "up to 20.89 % more success in embodied action, 10.12 % in knowledge questions")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = UpAndDown()
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = Insights()
        return recipe
    }

    /// The tag of insights; the subject stands behind it in a tag of its own.
    static let tag = "g-memory/insight"
    /// Tags of what cases give: what a team has learned, and how one task was worked on.
    static let teamTag = "g-memory/team", trajectoryTag = "g-memory/trajectory"
    /// The kind of link between trajectories of like tasks.
    static let likeKind = "likeTask"

    /// Keeps an insight for each subject that comes back in several conversations.
    struct Insights: MemoryMaintainer {
        let summary = "keep an insight for each subject of several conversations"
        /// Conversations in which a subject comes back at least, and subjects at most.
        var leastSessions = 3, most = 50

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let team = TeamMemory().operations(on: memories, in: context)
            // Sessions with cases have trajectories instead.
            let worked = Set(memories.filter { Trace($0) != nil }.compactMap(\.scope.session))
            let sources = memories.filter {
                $0.provenance.source != Provenance.recipe && !worked.contains($0.scope.session ?? "")
            }
            var sessions: [String: Set<String>] = [:]
            for cube in sources {
                for word in cube.keywords { sessions[word, default: []].insert(cube.scope.session ?? "") }
            }
            // Words of many conversations say little; the rarest that come back are subjects.
            let subjects = Set(
                sessions.filter { $0.value.count >= leastSessions }
                    .sorted { ($0.value.count, $0.key) < ($1.value.count, $1.key) }.prefix(most).map(\.key))
            func subject(_ cube: MemCube) -> String? {
                cube.provenance.source == Provenance.recipe
                    ? cube.tags.first { $0.hasPrefix(tag + ":") }.map { String($0.dropFirst(tag.count + 1)) }
                    : cube.keywords.filter(subjects.contains).min {
                        (sessions[$0]!.count, $0) < (sessions[$1]!.count, $1)
                    }
            }
            let byID = Dictionary(uniqueKeysWithValues: sources.map { ($0.id, $0) })
            let rest = memories.filter { !worked.contains($0.scope.session ?? "") }
            return try await team
                + Summaries(tag: tag).operations(on: rest, in: context, by: subject).map { operation in
                    guard case .add(var cube, let links) = operation,
                        let name = links.first.flatMap({ byID[$0.target] }).flatMap(subject)
                    else { return operation }
                    cube.tags.append("\(tag):\(name)")
                    return .add(cube, links: links)
                }
        }
    }

    /// Up along links from messages to insights, down again to what these were made of.
    struct UpAndDown: RetrievalPlan {
        /// Nearest, up, down, and the order of what a team has.
        let roundLimit = 4
        let hitLimit = 300
        /// The weight of what a link led to, and insights of a team that stand first.
        var linkWeight: Float = 0.1
        var width = 5

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(40, among: ProbeFilter(withoutTag: tag))] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let insights = hits.filter { $0.tags.contains(tag) || $0.tags.contains(teamTag) }
            if query.round == 1 { return .probe([.linked(with: hits.prefix(10).map(\.number), limit: 60)]) }
            if query.round == 2, !insights.isEmpty {
                return .probe([.linked(with: insights.prefix(3).map(\.number), limit: 40)])
            }
            // Where insights led down and no team has worked, cosines alone decide.
            if query.round == 3, !hits.contains(where: { $0.tags.contains(teamTag) || $0.tags.contains(trajectoryTag) })
            {
                return .answer
            }
            // What the team has learned about a word of the question, then how like tasks were worked on, then the rest:
            // cosines and what links add lie below 2.
            let told = Set(
                hits.filter { $0.tags.contains(teamTag) && $0.matches != 0 }.sorted { $0.score > $1.score }
                    .prefix(width).map(\.number))
            return .ranked(
                hits.filter { !$0.tags.contains(teamTag) || told.contains($0.number) }.map { hit in
                    let lift: Float = told.contains(hit.number) ? 4 : hit.tags.contains(trajectoryTag) ? 2 : 0
                    return hit.scored(hit.score + linkWeight * hit.probed + lift)
                })
        }
    }
}
