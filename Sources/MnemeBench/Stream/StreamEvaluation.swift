import Foundation
public import Mneme
public import MnemeBase
import MnemePipeline
import MnemeRecipes

/// Plays made streams of tasks to recipes, and counts what came of it: puzzles whose rules recur, errors that repeat, a log
/// of actions that goes on, and news that fade.
///
/// Who acts is a simple rule in each part, which goes by what recall returns and by nothing else. Streams come from a seed,
/// and no recipe knows what they hide. What a recipe gains here it gains on made tasks: the papers' figures are of large
/// models on others.
public struct StreamEvaluation: Sendable {
    /// A stream.
    public enum Part: String, Sendable, Codable, CaseIterable {
        /// Puzzles of pictures that change, with notes of which some are made up.
        case puzzles
        /// Captions and questions of which some deceive.
        case errors
        /// What somebody does at a desk.
        case actions
        /// What is written about companies.
        case news
    }

    /// What the streams are played with.
    public struct Subject: Sendable {
        /// Its name in tables.
        public var name: String
        /// Nil keeps nothing.
        var recipe: Recipe?
        /// True if each agent of a team has a memory of its own.
        var isAlone = false

        /// No memory at all.
        public static let none = Subject(name: "no memory")
        /// The standard recipe, ranked by similarity alone.
        public static let similarity = Subject(name: "similarity", recipe: nearest)
        /// The same, with a memory for each agent of the team.
        public static let alone = Subject(name: "similarity, alone", recipe: nearest, isAlone: true)
        /// What recipes are compared with.
        public static let baselines = [none, alone, similarity]

        /// A recipe by its own name.
        public static func recipe(_ recipe: Recipe) -> Subject { Subject(name: recipe.name, recipe: recipe) }

        private static var nearest: Recipe {
            var recipe = Recipe.standard
            (recipe.name, recipe.ranker) = ("similarity", RelevanceRanker())
            return recipe
        }
    }

    /// What came of it; nil where a stream was not played.
    public struct Row: Sendable, Codable, Equatable {
        /// The subject's name.
        public var name: String
        /// Share of the puzzles of the first and the second half that were solved.
        public var firstHalf: Double?, secondHalf: Double?
        /// Share of scenes that were read and answered rightly, and of chances to repeat an error that were taken.
        public var scenes: Double?, repeatedErrors: Double?
        /// Share of actions that were foretold, and that were among three that were.
        public var nextAction: Double?, nextOfThree: Double?
        /// Share of outlooks that were right.
        public var outlooks: Double?
        /// Mean tokens that a recall returned; memories in use at the end, of all streams.
        public var tokens = 0.0, memories = 0
        /// Mean milliseconds a recall with all that goes on around it.
        public var milliseconds = 0.0

        /// Of the streams that were played: puzzles solved in the second half, errors not repeated, actions foretold, and
        /// outlooks that were right.
        public var measures: [Double] {
            [secondHalf, repeatedErrors.map { 1 - $0 }, nextAction, outlooks].compactMap(\.self)
        }

        /// The mean of ``measures``.
        public var score: Double { measures.reduce(0, +) / Double(max(1, measures.count)) }
    }

    /// The seed, how many tasks a stream has, and which are played.
    let seed: UInt64, tasks: Int, parts: Set<Part>
    /// Memories of the puzzles' part, and how they are told apart by vectors.
    private let embedder: (any TextEmbedder)?

    /// - Parameters:
    ///   - seed: the same gives the same streams.
    ///   - tasks: of a stream, about; at least 8.
    ///   - parts: streams that are played.
    ///   - embedder: hashed words tell texts apart by the words that they share; nil recalls by words alone.
    public init(
        seed: UInt64 = 1, tasks: Int = 200, parts: Set<Part> = Set(Part.allCases),
        embedder: (any TextEmbedder)? = HashedWordsEmbedder()
    ) {
        (self.seed, self.tasks, self.parts, self.embedder) = (seed, max(8, tasks), parts, embedder)
    }

    /// Plays the streams to one subject, each with a store of its own.
    ///
    /// - Parameter progress: streams done, and how many there are.
    /// - Throws: `StoreError`, `ModelError`.
    public func run(_ subject: Subject, progress: @Sendable (Int, Int) -> Void = { _, _ in }) async throws -> Row {
        var row = Row(name: subject.name)
        var (tokens, recalls) = (0, 0)
        let start = ContinuousClock.now
        for (done, part) in Part.allCases.filter(parts.contains).enumerated() {
            var memory = try StreamMemory(subject.recipe, embedder: embedder)
            do {
                switch part {
                case .puzzles: try await playPuzzles(&memory, isAlone: subject.isAlone, &row)
                case .errors: try await playErrors(&memory, &row)
                case .actions: try await playActions(&memory, &row)
                case .news: try await playNews(&memory, &row)
                }
                (tokens, recalls) = (tokens + memory.tokens, recalls + memory.recalls)
                await memory.close()
            } catch {
                await memory.close()
                throw error
            }
            progress(done + 1, parts.count)
        }
        row.tokens = Double(tokens) / Double(max(1, recalls))
        row.milliseconds = (ContinuousClock.now - start) / .milliseconds(1) / Double(max(1, recalls))
        return row
    }
}

extension Sequence<Bool> {
    /// The share that is true; 0 of none.
    var share: Double {
        let (hits, all) = reduce((0, 0)) { ($0.0 + ($1 ? 1 : 0), $0.1 + 1) }
        return all == 0 ? 0 : Double(hits) / Double(all)
    }
}
