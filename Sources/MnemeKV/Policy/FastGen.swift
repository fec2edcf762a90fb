/// Looks at what each head's attention is like, and keeps for it the cheapest kind of rows that
/// recovers most of it: special tokens, these and punctuation, these and the last, these and the heavy hitters, or all
/// (FastGen, Ge et al. 2024: "Model Tells You What to Discard").
///
/// Special tokens are the first rows and those that the tokenizer names; punctuation is what ends a sentence or a
/// line. The paper's bytes follow from the share to recover; here a budget bounds them, so that heads
/// get what they need in proportion where it is not enough.
public struct FastGen: TokenScorer, HeadAllocator {
    /// The share of attention that is to be recovered.
    public var recovery: Float
    /// First rows, and shares of all rows that are local, and that are heavy hitters.
    public var special: Int, local: Double, frequent: Double
    /// False if each head gets what it needs, whatever the budget.
    public var isBounded = true
    /// Tokens that are special, and those that are punctuation.
    public var names: Set<Int32> = [], punctuation: Set<Int32> = []

    /// The paper's settings.
    public init(recovery: Float = 0.95, special: Int = 4, local: Double = 0.3, frequent: Double = 0.3) {
        (self.recovery, self.special) = (recovery, special)
        (self.local, self.frequent) = (local, frequent)
    }

    /// To tell special tokens and punctuation.
    public var needsTokens: Bool { !names.isEmpty || !punctuation.isEmpty }

    /// The kinds of rows, the cheapest first.
    private enum Kind: CaseIterable { case special, punctuation, local, frequent, all }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// The rows of a kind.
    private func members(_ kind: Kind, _ rows: KVRows) -> Set<Int> {
        let count = rows.count
        var result = Set(0..<min(special, count))
        func those(_ kind: Set<Int32>) -> [Int] { rows.tokens.indices.filter { kind.contains(rows.tokens[$0]) } }
        result.formUnion(those(names))
        if kind == .special { return result }
        result.formUnion(those(punctuation))
        if kind == .punctuation { return result }
        if kind == .all { return Set(0..<count) }
        result.formUnion(count - Int(local * Double(count))..<count)
        if kind == .local { return result }
        let order = rows.attention.indices.sorted {
            (rows.attention[$0], $1) > (rows.attention[$1], $0)
        }
        return result.union(order.prefix(Int(frequent * Double(count))))
    }

    /// The cheapest kind that recovers enough.
    private func profile(_ rows: KVRows) -> Set<Int> {
        let total = rows.attention.reduce(0, +)
        for kind in Kind.allCases {
            let members = members(kind, rows)
            let mass = members.reduce(Float(0)) { $0 + rows.attention[$1] }
            if mass >= recovery * total { return members }
        }
        return Set(rows.attention.indices)
    }

    /// Accumulated attention; rows of the head's kind go after all others.
    public func scores(_ rows: KVRows) -> [Float] {
        let members = profile(rows)
        let most = rows.attention.max() ?? 0
        return rows.attention.enumerated().map { row, weight in
            row < special ? .infinity : members.contains(row) ? weight + most + 1 : weight
        }
    }

    /// The rows that the head's kind has.
    public func measure(_ rows: KVRows) -> [Float] { [Float(profile(rows).count)] }

    /// To each what it needs; in proportion where that is more than there is, and what is left over
    /// in proportion, too.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        guard isBounded else { return heads.map { $0.map { Int($0.values[0]) } } }
        let flat = heads.flatMap(\.self)
        let parts = Self.shares(
            budget, weights: flat.map { $0.values[0] }, lengths: flat.map(\.length), least: special)
        var next = parts.makeIterator()
        return heads.map { $0.map { _ in next.next() ?? 0 } }
    }
}
