import Foundation
import MnemeCube
import MnemePipeline

/// ViLoMem [129]: mistakes of perception and mistakes of reasoning are kept apart, grow and are refined
/// apart, and each stream has its place in an answer.
enum ViLoMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "vilomem",
        paper: "Agentic Learner with Grow-and-Refine Multimodal Semantic Memory [129]",
        idea: "two streams of mistakes, what was seen wrongly and what was concluded wrongly, searched side by side",
        simplified:
            "streams are told apart by words, and of a case each sentence that tells a mistake becomes an entry; texts "
            + "alone, no images; refining merges what is nearly the same",
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
    /// The tag of what was taken out of a case: one mistake, apart from where it happened.
    static let schema = "vilomem/schema"

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

    /// Tags what tells of a mistake with its stream, and takes mistakes out of cases, a sentence each.
    struct Streams: MemoryExtractor {
        /// Finds what a text holds.
        var base: any MemoryExtractor

        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            let drafts = base.drafts(of: input, in: context)
            return drafts.map { draft in
                var draft = draft
                // What a case tells of two things belongs to neither stream.
                guard Trace(draft.cube) == nil else { return draft }
                if let stream = stream(of: Self.words(draft.cube.text)) { draft.cube.tags.append(stream) }
                return draft
            } + drafts.enumerated().flatMap { place, draft in mistakes(of: draft, at: place, in: input, context) }
        }

        /// Entries for the mistakes that a case tells.
        private func mistakes(
            of draft: Draft, at place: Int, in input: MemoryInput, _ context: ExtractionContext
        ) -> [Draft] {
            guard Trace(draft.cube) != nil else { return [] }
            return draft.cube.text.split(whereSeparator: { ".!?\n".contains($0) }).compactMap { sentence in
                guard let stream = stream(of: Self.words(String(sentence))) else { return nil }
                var cube = context.cube(
                    sentence.trimmingCharacters(in: .whitespaces) + ".", type: .procedural, of: input)
                (cube.tags, cube.metadata) = ([stream, schema], [:])
                return Draft(cube, madeOf: place)
            }
        }

        private static func words(_ text: String) -> [String] {
            text.lowercased().split { !$0.isLetter }.map(String.init)
        }

        func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }
    }

    /// The usual search, and the nearest mistakes of each stream beside it.
    struct SideBySide: RetrievalPlan {
        /// The search of everything.
        var otherwise: any RetrievalPlan
        /// Mistakes of each stream that are looked for, and those taken out of cases that stand first.
        var width = 5, places = 2

        var roundLimit: Int { otherwise.roundLimit + 1 }
        var hitLimit: Int { max(500, otherwise.hitLimit) }

        func first(_ query: RetrievalQuery) -> [Probe] {
            otherwise.first(query)
                + [perception, logic].map { query.nearest(width, among: ProbeFilter(tag: $0)) }
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            var step = RetrievalStep.answer
            if query.round < otherwise.roundLimit {
                step = otherwise.next(query, after: Array(hits.prefix(otherwise.hitLimit)))
                if case .probe = step { return step }
            }
            let hits = step.hits(among: hits)
            let known = hits.filter { $0.tags.contains(schema) && $0.matches != 0 }
            let chosen = Set(
                [perception, logic].flatMap { stream in
                    known.filter { $0.tags.contains(stream) }.sorted { $0.features[.meaning] > $1.features[.meaning] }
                        .prefix(places).map(\.number)
                })
            guard !chosen.isEmpty, let top = hits.first?.score else { return step }
            return .ranked(hits.map { chosen.contains($0.number) ? $0.scored(abs(top) + 1 + $0.score) : $0 })
        }
    }

    /// Merges a mistake into a later one of its stream that is nearly the same: it grew a case, and the
    /// stream no entry. Sentences of one form about two things are two mistakes, however near.
    struct GrowAndRefine: MemoryMaintainer {
        let summary = "merge mistakes that are nearly the same, stream by stream"
        /// The least cosine of the same mistake, and the least share of their keywords that both have.
        var least = 0.85, leastShared = 0.75

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
                    guard let other = byID[near.id], other.tags.contains(stream), isSame(other, cube),
                        (other.eventTime, other.id) < (cube.eventTime, cube.id)
                    else { continue }
                    gone.insert(other.id)
                    operations += [.merge(other.id, into: cube.id), .confirm(cube.id)]
                }
            }
            return operations
        }

        /// True if they are about the same things, as far as their keywords tell.
        private func isSame(_ a: MemCube, _ b: MemCube) -> Bool {
            let (first, second) = (Set(a.keywords), Set(b.keywords))
            let all = first.union(second).count
            return Double(first.intersection(second).count) >= leastShared * Double(all)
        }
    }
}
