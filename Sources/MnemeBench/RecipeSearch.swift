public import Mneme
public import MnemeBase
public import MnemePipeline
public import MnemeRecipes

/// Searches compositions of recipes' stages for the one that does best, by mutation and selection.
///
/// After MemEvolve [252] and ALMA [253]: a population of designs is measured on some conversations, or on some streams of
/// tasks; the best ones have children in which a stage comes from another recipe or from another parent, and the winner is
/// compared with what the search began from on conversations or streams that it was not measured on.
public struct RecipeSearch: Sendable {
    /// How well a recipe does, from 0 to 1.
    typealias Score = @Sendable (Recipe) async throws -> Double

    /// A composition and how well it does.
    public struct Candidate: Sendable, Codable, Equatable {
        /// The composition.
        public var composition: RecipeComposition
        /// Of conversations the mean of any@1, any@5, any@10 and all@10; of streams ``StreamEvaluation/Row/score``.
        public var score: Double

        /// A composition with its score.
        public init(composition: RecipeComposition, score: Double) {
            (self.composition, self.score) = (composition, score)
        }
    }

    /// The outcome of a search.
    public struct Outcome: Sendable, Codable, Equatable {
        /// Compositions measured, the best first.
        public var measured: [Candidate]
        /// Scores on what was kept aside: of the best, and of the standard recipe.
        public var best: Double, standard: Double
        /// Scores there of other recipes by their names, where they were asked for.
        public var others: [String: Double] = [:]
    }

    private let trained: Score, keptAside: Score
    private let seed: UInt64
    /// True if a stage may be made of several recipes'.
    private let isNesting: Bool
    /// Compositions that have children.
    private static let parents = 3

    /// A search on the first half of some conversations; the second half is kept aside.
    ///
    /// - Throws: `InputError` for fewer than two conversations.
    public init(_ conversations: [LocomoConversation], embedder: (any TextEmbedder)?, seed: UInt64 = 1) throws {
        guard conversations.count > 1 else {
            throw InputError("A search needs two conversations at least: half of them are kept aside.")
        }
        let half = (conversations.count + 1) / 2
        func score(_ some: ArraySlice<LocomoConversation>) -> Score {
            let evaluation = RecipeEvaluation(Array(some), embedder: embedder)
            return { recipe in
                let row = try await evaluation.run(recipe) { _, _ in }
                return (row.any1 + row.any5 + row.any10 + row.all10) / 4
            }
        }
        (trained, keptAside) = (score(conversations[..<half]), score(conversations[half...]))
        (self.seed, isNesting) = (seed, false)
    }

    /// A search on made streams of tasks, see ``StreamEvaluation``: measured on those of some seeds, and compared on those
    /// of others. Stages may be made of several recipes'.
    ///
    /// - Parameters:
    ///   - tasks: of a stream, about.
    ///   - count: seeds that it is measured on, and as many that are kept aside.
    ///   - seed: of the search; the streams' follow from it.
    public init(streamsOf tasks: Int, count: Int = 2, seed: UInt64 = 1) {
        func score(_ first: UInt64) -> Score {
            { recipe in
                var sum = 0.0
                for place in 0..<UInt64(max(1, count)) {
                    sum += try await StreamEvaluation(seed: first + place, tasks: tasks).run(.recipe(recipe)).score
                }
                return sum / Double(max(1, count))
            }
        }
        (trained, keptAside) = (score(seed &* 1_000), score(seed &* 1_000 &+ 500))
        (self.seed, isNesting) = (seed, true)
    }

    /// Measures `steps` compositions beside the standard one. The same seed gives the same search.
    ///
    /// - Parameters:
    ///   - standard: what compositions take unnamed stages from.
    ///   - others: recipes that the best is compared with on what was kept aside.
    ///   - progress: done and total.
    /// - Throws: as `RecipeEvaluation.run(_:progress:)`, `CancellationError`.
    public func run(
        over standard: Recipe, steps: Int, against others: [Recipe] = [],
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws -> Outcome {
        var random = SplitMix64(seed: seed)
        let total = steps + 2 + others.count
        var measured = [
            Candidate(composition: RecipeComposition(name: "searched"), score: try await trained(standard))
        ]
        for step in 0..<steps {
            try Task.checkCancellation()
            progress(step, total)
            let next =
                isNesting
                ? Self.grafted(on: measured, over: standard, &random) : Self.child(of: measured, &random)
            guard let child = next else { break }
            measured.append(Candidate(composition: child, score: try await trained(child.recipe(over: standard))))
            // Of equals the earlier one stays first: it has fewer changes.
            measured.sort { $0.score > $1.score }
        }
        progress(steps, total)
        let best = try await keptAside(measured[0].composition.recipe(over: standard))
        progress(steps + 1, total)
        var outcome = Outcome(measured: measured, best: best, standard: try await keptAside(standard))
        for (done, other) in others.enumerated() {
            try Task.checkCancellation()
            progress(steps + 2 + done, total)
            outcome.others[other.name] = try await keptAside(other)
        }
        return outcome
    }

    private static var stages: [WritableKeyPath<RecipeComposition, String?>] {
        [\.extractor, \.reconciler, \.retrieval, \.ranker, \.maintainer]
    }

    /// A composition that was not measured yet: one of the best with a stage of another recipe, or of
    /// another parent; nil if none was found.
    package static func child(of measured: [Candidate], _ random: inout SplitMix64) -> RecipeComposition? {
        let parents = measured.prefix(Self.parents).map(\.composition)
        for _ in 0..<100 {
            var child = parents[Int.random(in: 0..<parents.count, using: &random)]
            let stage = stages[Int.random(in: 0..<stages.count, using: &random)]
            if parents.count > 1, random.unit() < 0.3 {
                child[keyPath: stage] = parents[Int.random(in: 0..<parents.count, using: &random)][keyPath: stage]
            } else {
                let name = RecipeCatalog.names[Int.random(in: 0..<RecipeCatalog.names.count, using: &random)]
                child[keyPath: stage] = name == RecipeCatalog.standardCard.name ? nil : name
            }
            if !measured.contains(where: { $0.composition == child }) { return child }
        }
        return nil
    }

    /// A composition that was not measured yet: as ``child(of:_:)``, or one of the best into which all is grafted that
    /// another recipe changes, around what it has, as its stages often need each other.
    ///
    /// - Parameter standard: what tells which stages a recipe changes.
    package static func grafted(
        on measured: [Candidate], over standard: Recipe, _ random: inout SplitMix64
    ) -> RecipeComposition? {
        let parents = measured.prefix(Self.parents).map(\.composition)
        for _ in 0..<100 {
            guard random.unit() < 0.6 else { return child(of: measured, &random) }
            var child = parents[Int.random(in: 0..<parents.count, using: &random)]
            let name = RecipeCatalog.names[Int.random(in: 0..<RecipeCatalog.names.count, using: &random)]
            guard let recipe = RecipeCatalog.recipe(name, over: standard) else { continue }
            let changes: [(WritableKeyPath<RecipeComposition, String?>, Bool)] = [
                (\.extractor, type(of: recipe.extractor) != type(of: standard.extractor)),
                (\.reconciler, type(of: recipe.reconciler) != type(of: standard.reconciler)),
                (\.retrieval, type(of: recipe.retrieval) != type(of: standard.retrieval)),
                (\.ranker, type(of: recipe.ranker) != type(of: standard.ranker)),
                (\.maintainer, recipe.maintainer != nil),
            ]
            for (stage, isChanged) in changes where isChanged {
                child[keyPath: stage] = adding(name, to: child[keyPath: stage])
            }
            if !measured.contains(where: { $0.composition == child }) { return child }
        }
        return nil
    }

    /// A stage with another recipe's around it; the innermost one goes where there are too many.
    private static func adding(_ name: String, to stage: String?) -> String {
        let inner = (stage.map { $0.split(separator: "+").map(String.init) } ?? []).filter { $0 != name }
        return ([name] + inner).prefix(RecipeComposition.mostParts).joined(separator: "+")
    }
}
