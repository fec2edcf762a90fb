public import Mneme
public import MnemeBase
public import MnemePipeline
public import MnemeRecipes

/// Searches compositions of recipes' stages for the one that finds most, by mutation and selection.
///
/// After MemEvolve [252]: a population of designs is measured on some conversations, the best ones have
/// children in which a stage comes from another recipe or from another parent, and the winner is compared with
/// what the search began from on conversations that it was not measured on.
public struct RecipeSearch: Sendable {
    /// A composition and how much of the evidence it found.
    public struct Candidate: Sendable, Codable, Equatable {
        /// The composition.
        public var composition: RecipeComposition
        /// Mean of any@1, any@5, any@10 and all@10.
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
        /// Scores on the conversations kept aside: of the best, and of the standard recipe.
        public var best: Double, standard: Double
    }

    private let trained: RecipeEvaluation, keptAside: RecipeEvaluation
    private let seed: UInt64
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
        trained = RecipeEvaluation(Array(conversations[..<half]), embedder: embedder)
        keptAside = RecipeEvaluation(Array(conversations[half...]), embedder: embedder)
        self.seed = seed
    }

    /// Measures `steps` compositions beside the standard one. The same seed gives the same search.
    ///
    /// - Parameters:
    ///   - standard: what compositions take unnamed stages from.
    ///   - progress: done and total.
    /// - Throws: as `RecipeEvaluation.run(_:progress:)`, `CancellationError`.
    public func run(
        over standard: Recipe, steps: Int, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws -> Outcome {
        var random = SplitMix64(seed: seed)
        var measured = [
            Candidate(
                composition: RecipeComposition(name: "searched"),
                score: try await Self.score(trained, standard))
        ]
        for step in 0..<steps {
            try Task.checkCancellation()
            progress(step, steps + 2)
            guard let child = Self.child(of: measured, &random) else { break }
            let score = try await Self.score(trained, child.recipe(over: standard))
            measured.append(Candidate(composition: child, score: score))
            // Of equals the earlier one stays first: it has fewer changes.
            measured.sort { $0.score > $1.score }
        }
        progress(steps, steps + 2)
        let best = try await Self.score(keptAside, measured[0].composition.recipe(over: standard))
        progress(steps + 1, steps + 2)
        return Outcome(measured: measured, best: best, standard: try await Self.score(keptAside, standard))
    }

    private static func score(_ evaluation: RecipeEvaluation, _ recipe: Recipe) async throws -> Double {
        let row = try await evaluation.run(recipe) { _, _ in }
        return (row.any1 + row.any5 + row.any10 + row.all10) / 4
    }

    /// A composition that was not measured yet: one of the best with a stage of another recipe, or of
    /// another parent; nil if none was found.
    package static func child(of measured: [Candidate], _ random: inout SplitMix64) -> RecipeComposition? {
        let parents = measured.prefix(Self.parents).map(\.composition)
        let stages: [WritableKeyPath<RecipeComposition, String?>] = [
            \.extractor, \.reconciler, \.retrieval, \.ranker, \.maintainer,
        ]
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
}
