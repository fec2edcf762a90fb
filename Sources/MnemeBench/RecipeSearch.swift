public import Mneme
public import MnemeBase
public import MnemePipeline
public import MnemeRecipes

/// Searches compositions of recipes' stages for the one that does best, by mutation and selection.
///
/// After MemEvolve [252] and ALMA [253]: a population of designs is measured on some conversations, or on some streams of
/// tasks; the best ones have children in which a stage comes from another recipe or from another parent, and the winner is
/// compared with what the search began from on conversations or streams that it was not measured on.
///
/// A search may begin with whole recipes. Where stages nest, a child may also take all that changes in a design which is the
/// best by one measure drawn by chance (lexicase selection, Spector 2012): what is best at one thing alone has descendants,
/// too, though its mean is low.
public struct RecipeSearch: Sendable {
    /// How well a recipe does by each measure, from 0 to 1.
    typealias Score = @Sendable (Recipe) async throws -> [Double]

    /// A composition and how well it does.
    public struct Candidate: Sendable, Codable, Equatable {
        /// The composition.
        public var composition: RecipeComposition
        /// Of conversations the mean of any@1, any@5, any@10 and all@10; of streams ``StreamEvaluation/Row/score``.
        public var score: Double
        /// What the score is the mean of.
        public var measures: [Double] = []

        /// A composition with its score.
        public init(composition: RecipeComposition, score: Double) {
            (self.composition, self.score) = (composition, score)
        }

        /// A composition whose score is the mean of measures.
        public init(composition: RecipeComposition, measures: [Double]) {
            (self.composition, self.measures) = (composition, measures)
            score = measures.reduce(0, +) / Double(max(1, measures.count))
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

    /// Names of recipes that the search begins with, each as a whole.
    public var first: [String] = []
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
                return [row.any1, row.any5, row.any10, row.all10]
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
                var sums: [Double] = []
                for place in 0..<UInt64(max(1, count)) {
                    let row = try await StreamEvaluation(seed: first + place, tasks: tasks).run(.recipe(recipe))
                    sums = sums.isEmpty ? row.measures : zip(sums, row.measures).map(+)
                }
                return sums.map { $0 / Double(max(1, count)) }
            }
        }
        (trained, keptAside) = (score(seed &* 1_000), score(seed &* 1_000 &+ 500))
        (self.seed, isNesting) = (seed, true)
    }

    /// Measures `steps` compositions beside the standard one and ``first``. The same seed gives the same
    /// search.
    ///
    /// - Parameters:
    ///   - standard: what compositions take unnamed stages from.
    ///   - steps: compositions that are made and measured.
    ///   - others: recipes that the best is compared with on what was kept aside.
    ///   - progress: done and total.
    /// - Throws: `InputError` for a recipe that there is not, as `RecipeEvaluation.run(_:progress:)`, `CancellationError`.
    public func run(
        over standard: Recipe, steps: Int, against others: [Recipe] = [],
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws -> Outcome {
        var random = SplitMix64(seed: seed)
        let wholes = try first.map { try Self.whole($0, over: standard) }.filter {
            $0 != RecipeComposition(name: Self.name)
        }
        let total = 1 + wholes.count + steps + 2 + others.count
        var done = 0
        func finished(_ score: Candidate) -> Candidate {
            done += 1
            progress(done, total)
            return score
        }
        progress(0, total)
        var measured: [Candidate] = []
        for composition in [RecipeComposition(name: Self.name)] + wholes
        where !measured.contains(where: { $0.composition == composition }) {
            measured.append(finished(try await measure(composition, over: standard)))
        }
        // Of equals the earlier one stays first: it has fewer changes.
        measured = Self.sorted(measured)
        for _ in 0..<steps {
            let next =
                isNesting
                ? Self.grafted(on: measured, over: standard, &random) : Self.child(of: measured, &random)
            guard let child = next else { break }
            measured = Self.sorted(measured + [finished(try await measure(child, over: standard))])
        }
        func aside(_ recipe: Recipe) async throws -> Double {
            try Task.checkCancellation()
            return Candidate(composition: measured[0].composition, measures: try await keptAside(recipe)).score
        }
        var outcome = Outcome(
            measured: measured, best: try await aside(measured[0].composition.recipe(over: standard)),
            standard: try await aside(standard))
        for (place, other) in others.enumerated() {
            progress(total - others.count + place, total)
            outcome.others[other.name] = try await aside(other)
        }
        return outcome
    }

    /// The name of compositions that a search makes.
    private static let name = "searched"

    private func measure(_ composition: RecipeComposition, over standard: Recipe) async throws -> Candidate {
        try Task.checkCancellation()
        return Candidate(
            composition: composition, measures: try await trained(composition.recipe(over: standard)))
    }

    /// The best first, of equal ones in their order.
    private static func sorted(_ measured: [Candidate]) -> [Candidate] {
        measured.enumerated().sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }.map(\.element)
    }

    /// All that a recipe changes, as a composition.
    ///
    /// - Throws: `InputError` for a recipe that there is not.
    package static func whole(_ name: String, over standard: Recipe) throws -> RecipeComposition {
        guard let recipe = RecipeCatalog.recipe(name, over: standard) else {
            throw InputError(
                "There is no recipe '\(name.prefix(100))': \(RecipeCatalog.names.joined(separator: ", ")).")
        }
        var whole = RecipeComposition(name: Self.name)
        let changes: [(WritableKeyPath<RecipeComposition, String?>, Bool)] = [
            (\.extractor, type(of: recipe.extractor) != type(of: standard.extractor)),
            (\.reconciler, type(of: recipe.reconciler) != type(of: standard.reconciler)),
            (\.retrieval, type(of: recipe.retrieval) != type(of: standard.retrieval)),
            (\.ranker, type(of: recipe.ranker) != type(of: standard.ranker)),
            (\.maintainer, recipe.maintainer != nil),
        ]
        for (stage, isChanged) in changes where isChanged { whole[keyPath: stage] = name }
        return whole
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
    /// another design changes, around what it has or within, as stages often need each other. The other design is a recipe,
    /// or the best of those measured by one measure.
    ///
    /// - Parameter standard: what tells which stages a recipe changes.
    package static func grafted(
        on measured: [Candidate], over standard: Recipe, _ random: inout SplitMix64
    ) -> RecipeComposition? {
        let parents = measured.prefix(Self.parents).map(\.composition)
        for _ in 0..<100 {
            guard random.unit() < 0.8 else { return child(of: measured, &random) }
            var child = parents[Int.random(in: 0..<parents.count, using: &random)]
            guard let donor = donor(among: measured, over: standard, &random) else { continue }
            let isAround = random.unit() < 0.5
            for stage in stages {
                guard let given = donor[keyPath: stage] else { continue }
                let own = child[keyPath: stage]
                child[keyPath: stage] = isAround ? nested(given, around: own) : nested(own, around: given)
            }
            if !measured.contains(where: { $0.composition == child }) { return child }
        }
        return nil
    }

    /// What stages are taken from: the best by a measure drawn by chance, or a recipe.
    private static func donor(
        among measured: [Candidate], over standard: Recipe, _ random: inout SplitMix64
    ) -> RecipeComposition? {
        let measures = measured.first?.measures.count ?? 0
        if measures > 0, random.unit() < 0.7 {
            let measure = Int.random(in: 0..<measures, using: &random)
            let known = measured.filter { $0.measures.count == measures }
            return known.enumerated().max {
                ($0.element.measures[measure], $1.offset) < ($1.element.measures[measure], $0.offset)
            }?.element.composition
        }
        let name = RecipeCatalog.names[Int.random(in: 0..<RecipeCatalog.names.count, using: &random)]
        return try? whole(name, over: standard)
    }

    /// A stage with another one within; the innermost recipes go where there are too many.
    private static func nested(_ outer: String?, around inner: String?) -> String? {
        let outside = (outer ?? "").split(separator: "+")
        let inside = (inner ?? "").split(separator: "+")
        let names = outside + inside.filter { !outside.contains($0) }
        return names.isEmpty ? nil : names.prefix(RecipeComposition.mostParts).joined(separator: "+")
    }
}
