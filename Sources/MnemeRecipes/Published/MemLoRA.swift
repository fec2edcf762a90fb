import Foundation
import MnemeCube
import MnemePipeline

/// MemLoRA [69]: one small expert for each operation: what to extract, what to update, how to answer.
enum MemLoRA: PublishedRecipe {
    static let card = RecipeCard(
        name: "memlora",
        paper: "MemLoRA: Distilling Expert Adapters for On-Device Memory Systems [69]",
        idea: "a small expert for each operation, exchanged as it goes from extracting to updating to answering",
        simplified:
            "experts are linear rules of few weights; adapters for the same operations are learned by "
            + "`mneme adapters train --operation`, from rules instead of a large model",
        claim: "beats baselines of ten times the size, matches sixty times the size on LoCoMo")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = ExtractionExpert(base: standard.extractor)
        recipe.reconciler = UpdateExpert()
        recipe.ranker = AnswerExpert()
        return recipe
    }

    /// Keeps a draft whose weighted detail reaches a bound.
    struct ExtractionExpert: MemoryExtractor {
        /// Finds what a text holds.
        var base: any MemoryExtractor
        /// Weights of names, dates, claims and keywords.
        var weights = (entities: 1.0, dates: 1.0, claims: 1.5, keywords: 0.5), bound = 1.0

        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            base.drafts(of: input, in: context).filter { draft in
                let cube = draft.cube
                let detail =
                    weights.entities * Double(cube.entities.count) + weights.dates * Double(cube.dates.count)
                    + weights.claims * Double(cube.claims.count) + weights.keywords * Double(cube.keywords.count)
                return detail >= bound || input.type != nil || !input.tags.isEmpty || input.priority > 0
            }
        }

        func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }
    }

    /// Adds, replaces or confirms by the likeness of the nearest.
    struct UpdateExpert: Reconciler {
        /// Bounds of the three operations.
        var same = 0.97, replaces = 0.8

        func operations(for draft: MemCube, among neighbours: [Neighbour], at time: Date) -> [MemoryOperation] {
            var manager = MemoryR1.Manager()
            (manager.same, manager.update) = (same, replaces)
            return manager.operations(for: draft, among: neighbours, at: time)
        }
    }

    /// Ranks by five features of sixteen: what a small expert can hold.
    struct AnswerExpert: RecallRanker {
        /// Weights of the features that count most in ``FusionRanker``.
        var weights = RecallFeatures([
            .wordsNearby: 5, .meaning: 3.3, .meaningAround: 3.8, .detail: 3.9, .coverage: 2.1,
        ])

        func contributions(of features: RecallFeatures) -> RecallFeatures { features * weights }
    }
}
