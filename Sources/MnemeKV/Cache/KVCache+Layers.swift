import NIOConcurrencyHelpers

/// Blocks that come to a session layer by layer. They are mapped where they will stand, so that the
/// first layers of what follows can be computed while further ones are read.
struct KVArrival {
    /// Parts that layers come in: enough that little is waited for, few enough that each is large.
    static let parts = 6
    /// Tokens to be computed behind them from which on it pays: what is computed ahead takes a step
    /// more, which reads all weights once more.
    static let leastTokens = 24

    /// How far a text's blocks may reach, and its tokens if they may come layer by layer, else 0.
    struct Extent {
        var limit: Int, length: Int
    }

    var loads: [KVCache.Load]
    /// The first of them, which will be the session's chain; one behind them is its own.
    var chained: Int
    /// Tokens that all of them bring, and where they may end.
    var position: Int, limit: Int
    var isRemote: Bool
    /// Layers that have come, of each thread's part of the blocks; empty before any have.
    var layers: [Int] = []
    /// Some block was not as it should be: what was computed with it is of no use.
    var isBroken = false
    /// Blocks that are sound, from the first on, and threads that found one that is not; nil until
    /// all have been read.
    var result: (good: Int, bad: Int)?
}

extension KVCache {
    /// Maps blocks that are about to be read, if it pays to compute what follows them layer by layer.
    func expect(
        _ loads: [Load], into session: Session, _ extent: KVArrival.Extent, isRemote: Bool = false
    ) {
        let limit = extent.limit
        let block = KVShape.blockTokens
        let chained = loads.prefix { $0.tokens.count == block && $0.position + block <= limit }.count
        guard let last = loads.last, loads.count - chained <= 1 else { return }
        let position = min(last.position + last.tokens.count, limit)
        guard extent.length - position >= KVArrival.leastTokens else { return }
        state.withLockedValue { state in
            let meter = isRemote ? state.remoteMeter : state.localMeter
            guard !session.isClosed, !session.isErased, session.fault == nil,
                meter.overlaps(blocks: loads.count, tokens: extent.length - position)
            else { return }
            // Writable, as the system else brings all pages at once, which nobody has filled. If it
            // refuses, they are mapped when all have come, or that says what is wrong.
            guard
                (try? session.range!.map(loads.map(\.block), at: session.chain.count, writable: true)) != nil
            else { return }
            // Whole blocks take the place of one that was begun.
            session.spare += session.own
            session.own = loads[chained...].map(\.block)
            session.arrival = KVArrival(
                loads: loads, chained: chained, position: position, limit: limit, isRemote: isRemote)
        }
    }

    /// Notes that layers of one thread's blocks have come.
    ///
    /// - Returns: whether more layers of all blocks are there than before.
    func note(_ layers: Int, in lane: Int, of lanes: Int, _ session: Session) -> Bool {
        state.withLockedValue { _ in
            guard session.arrival != nil else { return false }
            if session.arrival?.layers.isEmpty == true {
                session.arrival?.layers = Array(repeating: 0, count: lanes)
            }
            let before = session.arrival?.layers.min() ?? 0
            session.arrival?.layers[lane] = layers
            return (session.arrival?.layers.min() ?? 0) > before
        }
    }

    /// All blocks have been read: they wait for ``Session/takeLoaded()``.
    func complete(_ session: Session, good: Int, bad: Int) {
        let isClosed = state.withLockedValue { _ in
            session.arrival?.result = (good, bad)
            session.loads = false
            return session.isClosed
        }
        if isClosed { release(session, { _ in 0 }, 0) }
    }

    /// Gives up blocks that nobody took: of a session that maps nothing any more.
    func drop(_ arrival: inout KVArrival?) {
        // One that is the session's own is given up with those.
        for load in arrival.map({ $0.loads[..<$0.chained] }) ?? [] { arena.free(load.block) }
        arrival = nil
    }
}

extension KVCache.Session {
    /// What comes layer by layer: tokens that it will bring, and layers that are there, to compute
    /// the same layers of further tokens with. Nil if nothing does, or some of it was not sound.
    package var arriving: (position: Int, layers: Int)? {
        cache.state.withLockedValue { _ in
            guard let arrival, !arrival.isBroken, !isErased else { return nil }
            return (arrival.position, arrival.layers.min() ?? 0)
        }
    }

    /// Takes the blocks that came layer by layer, when all have been read.
    ///
    /// - Returns: whether all were sound, so that what was computed with them holds. If not, it is to
    ///   be computed again behind ``restored``.
    package func takeLoaded() -> Bool {
        let loaded = cache.state.withLockedValue { _ in arrival }
        guard let loaded, let result = loaded.result else { return false }
        cache.take(
            loaded.loads, good: result.good, bad: result.bad, into: self, limit: loaded.limit, isLast: true,
            isRemote: loaded.isRemote)
        return !loaded.isBroken && restored == loaded.position
    }

    /// Before blocks are handed over, with the lock held: takes aside what was computed ahead of them.
    ///
    /// - Returns: its blocks, and where it begins.
    func beginTaking() -> (blocks: [Int], position: Int)? {
        guard let arrival else { return nil }
        let ahead = Array(own.dropFirst(arrival.loads.count - arrival.chained))
        own = []
        self.arrival = nil
        return (ahead, arrival.position)
    }

    /// Behind it: puts back what was computed ahead, if all that it stands on is there.
    func endTaking(_ ahead: (blocks: [Int], position: Int)?) {
        guard let ahead else { return }
        if restored == ahead.position {
            own += ahead.blocks
        } else {
            spare += ahead.blocks
            if own.isEmpty { restored = chain.count * KVShape.blockTokens }
        }
    }
}
