import MnemeKV

/// Copies of blocks between the two memories of a replay, and the time that they take.
struct Swapper {
    private let way: any ContextSwitch
    private let cost: StepCost
    private var host: HostMemory
    /// When the last copy on its way ends: they are made one after the other.
    private var end = 0.0
    /// Seconds that all wait before the next step.
    private(set) var stall = 0.0
    /// Copies, blocks in them, and tokens that need not be computed again.
    private(set) var calls = 0, blocks = 0, tokens = 0

    /// Nothing is copied yet.
    init(_ settings: ReplaySettings) {
        way = settings.contextSwitch
        cost = settings.cost
        host = HostMemory(capacity: settings.hostTokens / KVShape.blockTokens)
    }

    /// A sequence gives its memory up, or has ended: a conversation's next turn goes on behind it.
    mutating func release(_ sequence: ReplaySequence, at now: Double) {
        guard way.copies, let session = sequence.session else { return }
        let names = sequence.request.prefixNames(of: KVShape.blockTokens, tokens: sequence.position)
        let isNew = host.add(names)
        let numbers = zip(session.blockNumbers, isNew).filter { $0.1 || !way.keepsCopies }.map(\.0)
        copy(numbers, at: now)
    }

    /// A sequence starts: takes what the other memory has beyond the cached prefix.
    ///
    /// - Returns: when its copies are there; nil if there are none to wait for.
    mutating func restore(_ sequence: inout ReplaySequence, at now: Double) throws -> Double? {
        guard way.copies, let session = sequence.session else { return nil }
        // One token at least is computed.
        let names = sequence.request.prefixNames(of: KVShape.blockTokens, tokens: sequence.tokens - 1)
        let count = host.prefix(names)
        let cached = sequence.position / KVShape.blockTokens
        guard count > cached, try session.prepare(positions: count * KVShape.blockTokens) else { return nil }
        tokens += count * KVShape.blockTokens - sequence.position
        sequence.position = count * KVShape.blockTokens
        copy(Array(session.blockNumbers[cached..<count]), at: now)
        if !way.keepsCopies { host.remove(names) }
        return way.isAsynchronous ? end : nil
    }

    /// The seconds that the next step waits; they count once.
    mutating func takeStall() -> Double {
        defer { stall = 0 }
        return stall
    }

    /// Copies blocks.
    private mutating func copy(_ numbers: [Int], at now: Double) {
        guard !numbers.isEmpty else { return }
        let pieces = 1 + zip(numbers, numbers.dropFirst()).count { $1 != $0 + 1 }
        let made = way.calls(blocks: numbers.count, pieces: pieces)
        calls += made
        blocks += numbers.count
        let seconds = Double(made) * cost.copy + Double(numbers.count) * cost.copyBlock
        if way.isAsynchronous { end = max(end, now) + seconds } else { stall += seconds }
    }
}
