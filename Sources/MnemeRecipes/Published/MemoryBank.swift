import Foundation
import MnemeCube
import MnemePipeline

/// MemoryBank [221]: memories fade after Ebbinghaus' curve unless they are recalled, and each day
/// leaves a summary.
enum MemoryBank: PublishedRecipe {
    static let card = RecipeCard(
        name: "memorybank",
        paper: "MemoryBank: Enhancing Large Language Models with Long-Term Memory [221]",
        idea: "what is not recalled fades after Ebbinghaus' curve; each day leaves a summary",
        simplified: "faded memories are archived at a bound instead of by chance; summaries by rule "
            + "without a model; no portrait of the user; retrieval is the standard's",
        claim: "answers by people's judgement; no figure of recall")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.maintainer = Forgetting()
        return recipe
    }

    /// Sums days up, then archives what has faded.
    struct Forgetting: MemoryMaintainer {
        let summary = "sum each day up, and archive what has faded"
        /// How retention falls.
        var curve: any ForgettingCurve = MemoryBankCurve(days: 30)
        /// Retention below which a memory is archived.
        var below = 0.05
        private let summaries = Summaries(tag: "memorybank/day")

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let days = try await summaries.operations(on: memories, in: context) {
                String(Int(($0.eventTime.timeIntervalSince1970 / 86_400).rounded(.down)))
            }
            return days
                + memories.filter {
                    // Summaries stay, and what somebody gave a priority.
                    $0.provenance.source != Provenance.recipe && $0.priority <= 0
                        && $0.tier != .profile
                        && curve.retention(of: $0, now: context.now) < below
                }.map { .archive($0.id) }
        }
    }
}
