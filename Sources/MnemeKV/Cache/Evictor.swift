import Foundation

/// A block that could be evicted, in any tier: the figures that an evictor weighs.
public struct EvictionCandidate: Sendable, Equatable {
    /// Bytes that would come free.
    public var bytes: Int
    /// Tokens before it, and in it.
    public var position: Int, tokens: Int
    /// Seconds since it was last used.
    public var idle: Double
    /// Uses after it was made.
    public var uses: Int
    /// The time, by the clock that ``idle`` is counted with.
    public var time: Double
    /// One bit: whether it is thought to be used again soon.
    public var isExpected: Bool

    /// A candidate with these figures.
    public init(
        bytes: Int, position: Int, tokens: Int, idle: Double, uses: Int, time: Double = 0,
        isExpected: Bool = false
    ) {
        self.time = time
        self.isExpected = isExpected
        self.bytes = bytes
        self.position = position
        self.tokens = tokens
        self.idle = idle
        self.uses = uses
    }
}

/// Chooses which blocks are evicted when a tier is full: those with the lowest value.
///
/// Only ends of chains are candidates, as a block is of use only behind those before it.
public protocol Evictor: Sendable {
    /// The value of keeping it; only the order counts.
    func value(_ candidate: EvictionCandidate) -> Double
    /// Tells which block was evicted, for evictors that remember.
    func didEvict(_ candidate: EvictionCandidate)
}

extension Evictor {
    /// Does nothing, by default.
    public func didEvict(_ candidate: EvictionCandidate) {}
}

/// Evicts blocks that were not used for the longest time (LRU).
public struct LeastRecentlyUsed: Evictor {
    /// It has no settings.
    public init() {}
    /// The negated idle time.
    public func value(_ candidate: EvictionCandidate) -> Double { -candidate.idle }
}

/// Evicts what would cost least to have again: cost of computing × chance of another use ÷ bytes.
///
/// A position costs its share of the matrices and attention over what stands before it. The chance
/// falls with rest, slower for what was used often (as GreedyDual-Size-Frequency weighs cost, size
/// and frequency; Cherkasova 1998).
public struct CostAware: Evictor {
    /// Tokens before a position at which attention costs as much as the products.
    private let attentionBreakEven: Double
    /// Seconds of rest after which a further use is half as likely.
    private let halfLife: Double

    /// - Parameters:
    ///   - attentionBreakEven: tokens of context at which attention costs as much as the matrices; a model's
    ///     hidden size is a fair guess.
    ///   - halfLife: seconds.
    public init(attentionBreakEven: Double = 2048, halfLife: Double = 3600) {
        self.attentionBreakEven = attentionBreakEven
        self.halfLife = halfLife
    }

    /// The value: cost × chance ÷ bytes.
    public func value(_ candidate: EvictionCandidate) -> Double {
        cost(position: candidate.position, tokens: candidate.tokens)
            * Double(1 + candidate.uses) / (1 + max(0, candidate.idle) / halfLife)
            / Double(max(1, candidate.bytes))
    }

    /// The cost of computing tokens behind `position` others, in units of a text's first token.
    public func cost(position: Int, tokens: Int) -> Double {
        Double(tokens) * (1 + (Double(position) + Double(tokens) / 2) / attentionBreakEven)
    }
}
