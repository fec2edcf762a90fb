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

    /// Of sequences of which a part is here: which parts are on which rank. Nil where they are whole.
    private(set) var parts: SequenceParts?
    /// The position of each part's first token; empty where sequences are whole.
    private var starts: [Int] = []

    /// No sequences.
    public init() {}

    /// The position of a sequence's first token that is here.
    func start(_ sequence: Int) -> Int { starts.isEmpty ? 0 : starts[sequence] }

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

    /// Appends a sequence of which some tokens are learned, such as those that a model has written between what it
    /// was told.
    ///
    /// - Parameters:
    ///   - tokens: ids of the sequence's tokens.
    ///   - learned: of each token, whether it is; the first never is.
    public mutating func add(_ tokens: [Int32], learned: [Bool]) {
        precondition(learned.count == tokens.count, "Each token is learned, or not.")
        guard !tokens.isEmpty else { return }
        sequences.append(self.tokens.count..<self.tokens.count + tokens.count)
        self.tokens += tokens
        for next in tokens.indices.dropFirst() { targets.append(learned[next] ? tokens[next] : -1) }
        targets.append(-1)
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

    /// The sequences of one of several ranks, dealt out in turn, and of rows of the base's states those that
    /// are theirs. A rank for which none is left has the first sequence, of which nothing is learned: it goes
    /// through the layers with the others.
    func part(_ rank: Int, of count: Int, _ base: [Float]) -> (TrainingBatch, [Float]) {
        var part = TrainingBatch()
        let width = base.count / max(1, kept.count)
        var states: [Float] = []
        let mine = sequences.indices.filter { $0 % count == rank }
        for index in mine.isEmpty ? [0] : mine {
            let (from, to) = (sequences[index], part.tokens.count)
            part.sequences.append(to..<to + from.count)
            part.tokens += tokens[from]
            part.targets += mine.isEmpty ? from.map { _ in -1 } : Array(targets[from])
            guard !mine.isEmpty else { continue }
            for (row, token) in kept.enumerated() where from.contains(token) {
                part.kept.append(to + token - from.lowerBound)
                if width > 0 { states += base[row * width..<(row + 1) * width] }
            }
        }
        return (part, states)
    }

    /// The part of each sequence that is one of several ranks', and of rows of the base's states those that are
    /// theirs. Attention brings what the others have.
    func split(_ rank: Int, of count: Int, _ base: [Float]) -> (TrainingBatch, [Float]) {
        var part = TrainingBatch()
        let width = base.count / max(1, kept.count)
        var states: [Float] = []
        let all = SequenceParts(sequences, ranks: count)
        for (index, sequence) in sequences.enumerated() {
            let mine = all.positions[rank][index]
            let from = sequence.lowerBound + mine.lowerBound..<sequence.lowerBound + mine.upperBound
            let to = part.tokens.count
            part.sequences.append(to..<to + from.count)
            part.starts.append(mine.lowerBound)
            part.tokens += tokens[from]
            part.targets += targets[from]
            for (row, token) in kept.enumerated() where from.contains(token) {
                part.kept.append(to + token - from.lowerBound)
                if width > 0 { states += base[row * width..<(row + 1) * width] }
            }
        }
        part.parts = all
        return (part, states)
    }

    /// Tokens that are to be predicted.
    public var targetCount: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }
}
