/// Says which waiting requests may start beside those that run.
///
/// A request's prompt says how much memory it takes to start; how long its answer will be, nobody
/// knows. Who lets too many start has to preempt some of them later, who lets too few start keeps
/// all others waiting. The scheduler asks for the first request of each key; where nothing runs it
/// does not ask, so that every request that fits the memory is served some time.
public protocol AdmissionPolicy: Sendable {
    /// Whether a request may start now. Memory for its prompt is there.
    func admits(_ next: EngineView.Waiting, beside batch: AdmissionBatch) -> Bool
    /// An answer ended after so many tokens, for policies that learn from it.
    mutating func didFinish(completionTokens: Int)
}

extension AdmissionPolicy {
    /// Does nothing, by default.
    public mutating func didFinish(completionTokens: Int) {}
}

/// The sequences beside which a request would start.
public struct AdmissionBatch: Sendable {
    /// A sequence as memory sees it.
    public struct Member: Sendable {
        /// Names the sequence.
        public var id: Int
        /// Tokens that it has with those that it computes next, and blocks that it holds.
        public var tokens: Int, blocks: Int
        /// Blocks that come free when it ends.
        public var unsharedBlocks: Int
        /// Tokens of its answer so far, and the most that may still come.
        public var answered: Int, remaining: Int
    }

    /// Those that run, then those that start in this step.
    public private(set) var members: [Member]
    /// Blocks that are free, or could be, behind this step.
    public private(set) var freeBlocks: Int
    /// Positions of a block.
    public let blockTokens: Int
    /// Blocks that this step's work takes of those that were free.
    private let taken: Int

    /// Sequences that there are.
    public var count: Int { members.count }

    /// Blocks that the members may have together: what is free, and what they alone hold.
    public var budget: Int {
        freeBlocks + taken + members.reduce(0) { $0 + $1.unsharedBlocks }
    }

    /// Those that run.
    ///
    /// - Parameter freeBlocks: what the step's work leaves.
    init(_ view: EngineView, freeBlocks: Int) {
        members = view.running.map {
            Member(
                id: $0.id, tokens: $0.position + $0.pending, blocks: $0.blocks, unsharedBlocks: $0.unsharedBlocks,
                answered: $0.answered, remaining: $0.remaining)
        }
        self.freeBlocks = freeBlocks
        blockTokens = view.blockTokens
        taken = view.freeBlocks - freeBlocks
    }

    /// A waiting request as a member.
    public func member(_ next: EngineView.Waiting) -> Member {
        Member(
            id: next.id, tokens: next.blocks * blockTokens, blocks: next.blocks, unsharedBlocks: next.blocks,
            answered: next.answered, remaining: next.remaining)
    }

    /// A request starts.
    mutating func admit(_ next: EngineView.Waiting) {
        members.append(member(next))
        freeBlocks -= next.blocks
    }

    /// Blocks that a member takes of the budget when it has so many tokens more.
    public func blocks(_ member: Member, after tokens: Int) -> Int {
        let all = (member.tokens + tokens + blockTokens - 1) / blockTokens
        return member.unsharedBlocks + max(0, all - member.blocks)
    }
}
