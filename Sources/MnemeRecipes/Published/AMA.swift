import Foundation
import MnemeCube
import MnemePipeline

/// AMA [256]: a retriever chooses a granularity, a judge sends it to the next one where evidence is
/// missing, and a refresher ends what a later memory contradicts.
enum AMA: PublishedRecipe {
    static let card = RecipeCard(
        name: "ama",
        paper: "AMA: Adaptive Memory via Multi-Agent Collaboration [256]",
        idea: "a granularity for each question, another where a judge misses evidence; conflicts are repaired",
        simplified:
            "the agents are rules: the router goes by the length of the question, the judge by its words that are "
            + "covered, the refresher by claims",
        claim: "about 80 % fewer tokens than full context, with better answers than its baselines")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = RetrieverAndJudge()
        recipe.maintainer = Refresher()
        return recipe
    }

    /// Granularities from fine to coarse, and a judge between them.
    struct RetrieverAndJudge: RetrievalPlan {
        let hitLimit = 200
        let roundLimit = 3
        /// The share of the question's words that the evidence has to hold.
        var enough: Float = 0.8
        /// Words from which on a question is broad, and begins with windows of conversations.
        var broad = 7
        /// Memories of each search.
        var width = 60

        func first(_ query: RetrievalQuery) -> [Probe] { probes(query, query.words.count >= broad ? 1 : 0) }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            if query.coverage(of: hits.prefix(10)) >= enough { return .answer }
            switch query.round {
            case 1: return .probe(probes(query, query.words.count >= broad ? 0 : 1))
            case 2:
                let missing = query.missing(from: hits.prefix(10)).joined(separator: " ")
                return missing.isEmpty ? .answer : .probe([.text(missing, limit: width)])
            default: return .answer
            }
        }

        /// Single messages, or windows of conversations and times.
        private func probes(_ query: RetrievalQuery, _ granularity: Int) -> [Probe] {
            granularity == 0
                ? [.words(limit: width), query.nearest(width, among: nil)]
                : [.wordsNearby(limit: width), query.nearest(width, among: nil), .dates(limit: width)]
        }
    }

    /// Ends claims that a later memory contradicts.
    struct Refresher: MemoryMaintainer {
        let summary = "end what a later memory contradicts"

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            var holding: [String: (cube: MemCube, claim: Claim)] = [:]
            var operations: [MemoryOperation] = []
            for cube in memories where cube.validUntil == nil {
                for claim in cube.claims {
                    let key = "\(claim.subject)\u{0}\(claim.attribute)"
                    defer { if !claim.isDenied { holding[key] = (cube, claim) } }
                    guard let (old, before) = holding[key], old.id != cube.id, old.eventTime < cube.eventTime,
                        (before.value == claim.value) == claim.isDenied
                    else { continue }
                    operations.append(.invalidate(old.id, at: cube.eventTime))
                }
            }
            return operations
        }
    }
}
