import MnemeCube
import MnemePipeline

/// ViLoMem [129]: mistakes of perception and mistakes of reasoning are kept apart, grow and are refined
/// apart, and each stream has its place in an answer.
enum ViLoMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "vilomem",
        paper: "Agentic Learner with Grow-and-Refine Multimodal Semantic Memory [129]",
        idea: "two streams of mistakes, what was seen wrongly and what was concluded wrongly, searched side by side",
        simplified: "streams are told apart by words; texts alone, no images; refining merges what is nearly the same",
        claim: "better pass@1 on six multimodal benchmarks with fewer repeated errors; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = Streams(base: standard.extractor)
        recipe.retrieval = SideBySide(otherwise: standard.retrieval)
        recipe.maintainer = GrowAndRefine()
        return recipe
    }

    /// Tags of the two streams.
    static let perception = "vilomem/perception", logic = "vilomem/logic"

    private static let mistakes = [
        "mistake", "wrong", "wrongly", "misread", "misheard", "overlooked", "error", "incorrect",
    ]
    private static let senses = [
        "misread", "misheard", "overlooked", "saw", "see", "looked", "read", "heard", "image", "screen", "picture",
    ]

    /// The stream of a text that tells of a mistake; nil for others.
    static func stream(of words: some Sequence<String>) -> String? {
        let words = Set(words)
        guard !words.isDisjoint(with: mistakes) else { return nil }
        return words.isDisjoint(with: senses) ? logic : perception
    }

    /// Tags what tells of a mistake with its stream.
    struct Streams: MemoryExtractor {
        /// Finds what a text holds.
        var base: any MemoryExtractor

        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            base.drafts(of: input, in: context).map { draft in
                var draft = draft
                let words = draft.cube.text.lowercased().split { !$0.isLetter }.map(String.init)
                if let stream = stream(of: words) { draft.cube.tags.append(stream) }
                return draft
            }
        }

        func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }
    }

    /// The usual search, and the nearest mistakes of each stream beside it.
    struct SideBySide: RetrievalPlan {
        /// The search of everything.
        var otherwise: any RetrievalPlan
        /// Mistakes of each stream.
        var width = 5

        var roundLimit: Int { otherwise.roundLimit }
        var hitLimit: Int { otherwise.hitLimit }

        func first(_ query: RetrievalQuery) -> [Probe] {
            otherwise.first(query)
                + [perception, logic].map { query.nearest(width, among: ProbeFilter(tag: $0)) }
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            otherwise.next(query, after: hits)
        }
    }

    /// Merges a mistake into a later one of its stream that is nearly the same: it grew a case, and the
    /// stream no entry.
    struct GrowAndRefine: MemoryMaintainer {
        let summary = "merge mistakes that are nearly the same, stream by stream"
        /// The least cosine of the same mistake.
        var least = 0.85

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let byID = Dictionary(uniqueKeysWithValues: memories.map { ($0.id, $0) })
            var gone: Set<CubeID> = []
            var operations: [MemoryOperation] = []
            for cube in memories.reversed() where !gone.contains(cube.id) {
                guard let stream = cube.tags.first(where: { $0 == perception || $0 == logic }) else { continue }
                for near in try await context.neighbours(of: cube.id, limit: 5)
                where near.similarity >= least && !gone.contains(near.id) {
                    guard let other = byID[near.id], other.tags.contains(stream),
                        (other.eventTime, other.id) < (cube.eventTime, cube.id)
                    else { continue }
                    gone.insert(other.id)
                    operations += [.merge(other.id, into: cube.id), .confirm(cube.id)]
                }
            }
            return operations
        }
    }
}
