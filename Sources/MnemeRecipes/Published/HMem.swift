import MnemeCube
import MnemePipeline

/// H-MEM [73]: layers of abstraction; a search goes down from the summaries that match to what they
/// were made of, and compares nothing else.
enum HMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "h-mem",
        paper: "Hierarchical Memory for High-Efficiency Long-Term Reasoning in LLM Agents [73]",
        idea:
            "search among summaries of conversations, then among traces of those that match, then in the best of these",
        simplified: "three layers instead of four: summaries by rule unless a model is configured, traces of a few "
            + "messages, and messages; upper layers are made when the job `maintain` runs",
        claim: "beats five baselines on five task settings of LoCoMo; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = LayeredSearch()
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = Layers()
        return recipe
    }

    /// The tags of the upper layers.
    static let tag = "h-mem/session", traceTag = "h-mem/trace"

    /// Keeps a summary of each conversation, and a trace of each few messages, which point to what they were made of.
    struct Layers: MemoryMaintainer {
        let summary = "keep a summary of each conversation, and a trace of each few messages"
        /// Messages of a trace.
        var width = 6

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let traces = WindowSummaries(width: width, quoted: width, tag: traceTag)
            let sums = try await Summaries(tag: tag, sentences: 6).operations(on: memories, in: context) {
                $0.tags.contains(traceTag) ? nil : $0.scope.session
            }
            let below = try await traces.operations(on: memories, in: context)
            return sums + below
        }
    }

    /// From the summaries down.
    struct LayeredSearch: RetrievalPlan {
        let roundLimit = 4
        let hitLimit = 400
        /// Conversations whose traces are searched, and traces whose messages are.
        var width = 14, traces = 24
        /// What a message inherits of its trace's score.
        var inherited: Float = 0.5

        func first(_ query: RetrievalQuery) -> [Probe] {
            [query.nearest(width, among: ProbeFilter(tag: tag))]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            switch query.round {
            case 1:
                let sessions = Set(hits.compactMap(\.session))
                // Before there are summaries everything is the lower layer.
                let filter =
                    sessions.isEmpty ? ProbeFilter(withoutTag: tag) : ProbeFilter(sessions: sessions, tag: traceTag)
                return .probe([query.nearest(sessions.isEmpty ? 100 : traces, among: filter)])
            case 2:
                let found = above(hits)
                return found.isEmpty ? .ranked(placed(hits)) : .probe([.linked(with: found, limit: 200)])
            default:
                return .ranked(placed(hits))
            }
        }

        /// Whose messages are searched: traces, and the best summary where none of its conversation is among them, as a
        /// trace that would say the same as the summary of a short conversation is not kept beside it.
        private func above(_ hits: [RetrievalHit]) -> [Int] {
            let traces = hits.filter { $0.tags.contains(traceTag) }
            let best = hits.filter { $0.tags.contains(tag) }.max { ($0.score, $1.number) < ($1.score, $0.number) }
            let summary = best.flatMap { best in traces.contains { $0.session == best.session } ? nil : best.number }
            return traces.map(\.number) + [summary].compactMap(\.self)
        }

        /// Messages with a part of their traces' scores: a trace stands at its last message's time.
        private func placed(_ hits: [RetrievalHit]) -> [RetrievalHit] {
            let traces = Dictionary(grouping: hits.filter { $0.tags.contains(traceTag) }) { $0.session }
                .mapValues { $0.sorted { $0.eventTime < $1.eventTime } }
            return hits.filter { !$0.tags.contains(tag) && !$0.tags.contains(traceTag) }.map { hit in
                let above = traces[hit.session]?.first { $0.eventTime >= hit.eventTime }
                return hit.scored(hit.score + inherited * (above?.score ?? 0))
            }
        }
    }
}
