/// Chooses between a history as it is and recall from it: while a history is short a model that reads all of
/// it answers better than from memories, and beyond some length its cost is not worth it any more (ConvoMem,
/// Pakhomov et al. 2025). `mneme bench convomem` measures where that is for a model and a recipe.
public struct ContextRouter: Sendable, Codable, Equatable {
    /// Where a question's context comes from.
    public enum Route: String, Sendable, Codable {
        /// The whole history goes into the prompt.
        case fullContext
        /// Only what is recalled does.
        case recall
    }

    /// Tokens of the longest history that goes into the prompt whole.
    public var fullTokens: Int

    /// A router that switches behind so many tokens.
    public init(fullTokens: Int) { self.fullTokens = fullTokens }

    /// The route for a history of so many tokens.
    public func route(historyTokens: Int) -> Route { historyTokens <= fullTokens ? .fullContext : .recall }

    /// What both routes were worth at one length of history.
    public struct Point: Sendable, Codable, Equatable {
        /// Tokens of the history.
        public var tokens: Int
        /// What an answer was worth by each route; more is better.
        public var fullContext: Double, recall: Double

        /// A measurement.
        public init(tokens: Int, fullContext: Double, recall: Double) {
            (self.tokens, self.fullContext, self.recall) = (tokens, fullContext, recall)
        }
    }

    /// The router that loses least over these measurements: between two lengths it switches in the middle; of
    /// equals the one that switches last, unless recall is as good from the first on.
    ///
    /// - Complexity: O(*n*²) in the measurements.
    public init(fitting points: [Point]) {
        let points = points.sorted { $0.tokens < $1.tokens }
        // The switch stands before the first measurement, between two, or behind the last.
        var bounds = [0]
        for i in points.indices {
            bounds.append(
                i + 1 < points.count ? (points[i].tokens + points[i + 1].tokens) / 2 : points[i].tokens)
        }
        func worth(_ bound: Int) -> Double {
            points.reduce(0) { $0 + ($1.tokens <= bound ? $1.fullContext : $1.recall) }
        }
        let best = bounds.map(worth).max() ?? 0
        let equal = bounds.filter { worth($0) >= best - 1e-9 }
        fullTokens = (equal.first == 0 ? 0 : equal.last) ?? 0
    }
}
