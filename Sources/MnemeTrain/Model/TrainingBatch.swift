/// Sequences that are computed together, one behind the other and without padding; attention keeps
/// them apart.
public struct TrainingBatch: Sendable, Equatable {
    /// Ids of all tokens.
    public private(set) var tokens: [Int32] = []
    /// For each token the one to predict behind it; -1 for none.
    public private(set) var targets: [Int32] = []
    /// Where each sequence lies; its first token is at position 0.
    public private(set) var sequences: [Range<Int>] = []
    /// Tokens behind which the model is to predict what its base predicts, ascending. None of them
    /// has a target.
    public private(set) var kept: [Int] = []

    /// No sequences.
    public init() {}

    /// Appends a sequence that is learned.
    ///
    /// - Parameters:
    ///   - tokens: prompt and completion.
    ///   - promptTokens: so many at the beginning are not learned; the first token never is.
    public mutating func add(_ tokens: [Int32], promptTokens: Int) {
        guard !tokens.isEmpty else { return }
        sequences.append(self.tokens.count..<self.tokens.count + tokens.count)
        self.tokens += tokens
        for i in tokens.indices {
            let next = i + 1
            targets.append(next < tokens.count && next >= promptTokens ? tokens[next] : -1)
        }
    }

    /// Appends a sequence behind which nothing is to change.
    ///
    /// - Parameters:
    ///   - tokens: such as the base model writes.
    ///   - promptTokens: so many at the beginning do not count, but for the last of them.
    public mutating func keep(_ tokens: [Int32], promptTokens: Int) {
        guard !tokens.isEmpty else { return }
        let start = self.tokens.count
        sequences.append(start..<start + tokens.count)
        self.tokens += tokens
        targets += tokens.map { _ in -1 }
        kept += (min(max(1, promptTokens), tokens.count) - 1..<tokens.count).map { start + $0 }
    }

    /// Tokens that are to be predicted.
    public var targetCount: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }
}
