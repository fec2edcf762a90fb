import Foundation
import MnemeCube
import MnemePipeline

/// HEMA [71]: one compact summary of all that was said, beside the messages themselves, of which
/// those that are old and say little are pruned.
enum HEMA: PublishedRecipe {
    static let card = RecipeCard(
        name: "hema",
        paper: "HEMA: A Hippocampus-Inspired Extended Memory Architecture for Long-Context AI "
            + "Conversations [71]",
        idea: "one running summary beside the messages; old ones that say little are pruned",
        simplified: "the summary quotes the most central messages unless a model is configured; the "
            + "lowest twentieth by age and detail is archived",
        claim: "factual recall from 41 % to 87 %; pruning takes 34 % off retrieval time")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = CompactMemory()
        return recipe
    }

    /// Keeps the summary, and prunes.
    struct CompactMemory: MemoryMaintainer {
        let summary = "keep one summary of everything, and archive what is old and says little"
        /// The share of memories that is pruned in a run, and days after which age halves a weight.
        var share = 0.05, halfLife = 180.0
        /// Memories up to which nothing is pruned.
        var least = 100
        private let compact = Summaries(tag: "hema/compact", sentences: 1)

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let summaries = try await compact.operations(on: memories, in: context) { _ in "all" }
            let sources = memories.filter {
                $0.provenance.source != Provenance.recipe && $0.priority <= 0
            }
            guard sources.count > least else { return summaries }
            let weighed = sources.map { (id: $0.id, weight: weight(of: $0, context.now)) }
                .sorted { ($0.weight, $0.id) < ($1.weight, $1.id) }
            let count = min(sources.count - least, Int(Double(sources.count) * share))
            return summaries + weighed.prefix(count).map { .archive($0.id) }
        }

        /// The value of a memory, halved with age and raised by use.
        func weight(of cube: MemCube, _ now: Date) -> Double {
            let detail = Double(cube.keywords.count + cube.entities.count + cube.dates.count)
            return (1 + detail) * (1 + Double(cube.usage?.count ?? 0))
                * exp2(-cube.daysIdle(now: now) / halfLife)
        }
    }
}
