import Foundation
package import MnemeModels
import NIOConcurrencyHelpers

/// The KV cache of one model: blocks in use, blocks kept in memory by the prefixes that lead to
/// them, and blocks in the tiers beyond.
///
/// A request's prefix is found by its tokens; blocks that it computed are kept when it ends. Memory
/// never exceeds the arena: what is worth least to the evictor is evicted, and a sequence that
/// finds no more room is told so.
///
/// One lock, `state`, guards the tree, the statistics and the fields of sessions that other threads
/// read. Files are read and written on queues of their own, without it.
package final class KVCache: Sendable {
    package let shape: KVShape
    package let model: KVHash
    let modelName: String
    let localTier: (any KVTier)?
    let remoteTier: (any KVTier)?
    let codec: KVCodec
    let evictor: any Evictor
    /// Blocks that guests may take, see ``KVGuest``.
    let guestCapacity: Int
    /// Seconds, for the evictor: the system's clock, or a simulated one.
    let clock: @Sendable () -> Double
    let state: NIOLockedValueBox<State>
    let arena: KVArena
    /// Queues of their own, so that a server that hangs keeps no file waiting, and a text that comes
    /// slowly nobody who only asks whether there is one.
    let readers = OperationQueue(), receivers = OperationQueue(), lookups = OperationQueue()
    private let writer = DispatchQueue(label: "mneme.kv.writer", qos: .utility)
    private let sender = DispatchQueue(label: "mneme.kv.sender", qos: .utility)

    struct State: @unchecked Sendable {
        var tree: PrefixTree
        var statistics = KVStatistics()
        /// What the tiers take, beside computing.
        var remoteMeter = FetchMeter(), localMeter = FetchMeter()
        /// What else lies in the arena's memory.
        var guests = KVGuests()
        /// Open sessions with memories in their texts.
        var sessionsWithMemories: [ObjectIdentifier: Session] = [:]
    }

    /// - Parameters:
    ///   - bytes: the most memory that blocks of sequences take.
    ///   - guestBlocks: blocks beside those, which ``KVGuest``s may take; both use what the other leaves.
    ///   - localTier: where blocks are kept beyond the process, encoded by `codec`, on which `model`
    ///     depends. It answers at once.
    ///   - remoteTier: where other machines find them, too; asked on other threads.
    ///   - addressing: how sequences find their blocks; a table needs no mappings where nothing is computed.
    ///   - clock: seconds, which the evictor counts idle time by.
    ///   - fails: for tests: whether the system refuses what is asked of it next.
    /// - Throws: ``KVError`` if the system has no memory for them.
    package init(
        shape: KVShape, model: KVHash, modelName: String, bytes: Int, guestBlocks: Int = 0, localTier: (any KVTier)?,
        remoteTier: (any KVTier)? = nil,
        codec: KVCodec = .f16,
        evictor: any Evictor = CostAware(), addressing: KVArena.Addressing = .aliases,
        clock: @escaping @Sendable () -> Double = KVCache.uptime,
        fails: (@Sendable (KVArena.Refusal) -> Bool)? = nil
    ) throws {
        self.clock = clock
        self.shape = shape
        self.model = model
        self.modelName = modelName
        self.localTier = localTier
        self.remoteTier = remoteTier
        self.codec = codec
        self.evictor = evictor
        guestCapacity = guestBlocks
        arena = try KVArena(shape, bytes: bytes + guestBlocks * shape.blockBytes, addressing: addressing, fails: fails)
        state = NIOLockedValueBox(State(tree: PrefixTree(model: model)))
        for queue in [readers, receivers, lookups] {
            queue.maxConcurrentOperationCount = 4
            queue.qualityOfService = .userInitiated
        }
    }

    /// Blocks that a sequence can be sure of, whatever guests are in use.
    package var capacity: Int { max(1, arena.capacity - guestCapacity) }
    /// Blocks that could be had now.
    package var available: Int {
        state.withLockedValue { arena.capacity - arena.used + $0.tree.unpinned + $0.guests.idleBlocks }
    }

    /// Figures of what it holds and did.
    package var statistics: KVStatistics {
        state.withLockedValue { state in
            var statistics = state.statistics
            statistics.bytes = (arena.used - state.guests.blocks) * shape.blockBytes
            statistics.idleBytes = state.tree.unpinned * shape.blockBytes
            statistics.residentBytes = arena.residentBytes
            statistics.limit = arena.capacity * shape.blockBytes
            return statistics
        }
    }

    /// Waits until everything that was to be written is.
    package func flush() {
        writer.sync {}
        sender.sync {}
    }

    /// Names of the blocks that tokens of a scope lead to, whether they are there or not; whole
    /// ones.
    package func blocks(of tokens: [Int32], scope: String) -> [KVHash] {
        var hash = state.withLockedValue { $0.tree.root(scope).hash }
        return stride(from: 0, through: tokens.count - KVShape.blockTokens, by: KVShape.blockTokens)
            .map { start in
                hash = hash.next(tokens[start..<start + KVShape.blockTokens])
                return hash
            }
    }

    /// Seconds since the system started.
    package static let uptime: @Sendable () -> Double = {
        Double(DispatchTime.now().uptimeNanoseconds) * 1e-9
    }
    /// The time that the evictor sees.
    var now: Double { clock() }

    /// The number of tokens that are cached in memory, and how many of their blocks somebody uses.
    package func cachedTokens(_ tokens: [Int32], scope: String = "") -> (
        count: Int, blocksInUse: Int
    ) {
        state.withLockedValue { state in
            let (path, partial) = state.tree.match(tokens.dropLast(), from: state.tree.root(scope))
            return (
                path.count * KVShape.blockTokens + (partial?.count ?? 0), path.count { $0.pins > 0 }
            )
        }
    }

    /// Evicts the idle guest that keeping is worth least, if that is less than `limit`; false if there is none.
    func evictGuest(_ state: inout State, below limit: Double) -> Bool {
        guard let blocks = state.guests.evict(below: limit, by: evictor, blockBytes: shape.blockBytes, now: now)
        else { return false }
        for block in blocks { arena.free(block) }
        return true
    }

    /// Empty blocks, as many as can be had: free ones, right behind `previous` if possible, and
    /// those of what is least worth keeping, guests among it.
    ///
    /// - Complexity: beyond what is free, one pass over all that is kept, however many are taken, and one more for
    ///   each guest that goes.
    func allocate(_ state: inout State, _ count: Int, after previous: Int?) -> [Int] {
        var blocks: [Int] = []
        func takeFree() {
            while blocks.count < count, let block = arena.allocate(after: blocks.last ?? previous) {
                blocks.append(block)
            }
        }
        takeFree()
        guard blocks.count < count else { return blocks }
        if state.guests.count > 0 {
            let kept = state.tree.leastValue(by: evictor, bytes: shape.blockBytes, now: now) ?? .infinity
            while blocks.count < count, evictGuest(&state, below: kept) { takeFree() }
            guard blocks.count < count else { return blocks }
        }
        let taken = state.tree.evict(
            count - blocks.count, by: evictor, bytes: shape.blockBytes, now: now
        ).sorted()
        for block in taken { arena.clear(block) }
        state.statistics.evicted += taken.count
        blocks += taken
        // All that was kept is gone: what is left are guests.
        while blocks.count < count, evictGuest(&state, below: .infinity) { takeFree() }
        return blocks
    }

    // MARK: Sequences

    /// One sequence's keys and values. Used by one thread at a time.
    package final class Session: @unchecked Sendable {
        let cache: KVCache
        var range: KVRange?
        /// Whole blocks that the tree knows; behind them blocks that belong to the sequence alone.
        var chain: [KVNode] = []
        var own: [Int] = []
        /// Blocks that are of no use but may still be mapped.
        var spare: [Int] = []
        var root: KVNode?
        /// An end that was read from disk.
        var end: (hash: KVHash, position: Int)?
        let sources: Set<String>
        let keepsShort: Bool
        var isClosed = false
        /// Set when a memory in its text was erased: what it computes is not to be found.
        var isErased = false
        /// Set by ``makePrivate()``: nobody else finds what it computes.
        var isPrivate = false
        /// A memory in its text was erased meanwhile.
        package var wasErased: Bool { cache.state.withLockedValue { _ in isErased } }
        var loads = false
        /// Blocks that come layer by layer; nil if none do.
        var arrival: KVArrival?
        var fault: (any Error)?
        /// The failure that was found while blocks were read from disk.
        package var failure: (any Error)? { cache.state.withLockedValue { _ in fault } }
        /// Blocks are being read from a tier; nothing may be computed meanwhile.
        package var isLoading: Bool { cache.state.withLockedValue { _ in loads } }
        /// Tokens whose keys and values are there from before.
        package internal(set) var restored = 0

        init(_ cache: KVCache, _ range: KVRange, sources: Set<String>, keepsShort: Bool) {
            self.keepsShort = keepsShort
            self.cache = cache
            self.range = range
            self.sources = sources
        }

        /// The view for the model, valid while the session is open.
        package var view: KVView { range!.view }
        /// Blocks that it holds, and those that come to it.
        package var blocks: Int { cache.state.withLockedValue { _ in held } }
        var held: Int { chain.count + (arrival?.chained ?? 0) + own.count }
        /// Their places in memory, in the order of the text.
        package var blockNumbers: [Int] { chain.map(\.block) + own }
        /// Those of them that no other sequence holds.
        ///
        /// - Complexity: O(blocks).
        package var unsharedBlocks: Int {
            cache.state.withLockedValue { _ in own.count + chain.count { $0.pins == 1 } }
        }

        /// Makes room for so many positions.
        ///
        /// - Returns: false if there is none: something must end first.
        package func prepare(positions: Int) throws -> Bool {
            precondition(positions <= view.capacity, "The sequence is longer than it was to be.")
            let wanted = KVShape.blocks(positions)
            return try cache.state.withLockedValue { state in
                guard wanted > held else { return true }
                let fresh = cache.allocate(
                    &state, wanted - held, after: own.last ?? chain.last?.block)
                do {
                    if !fresh.isEmpty { try range!.map(fresh, at: held, writable: true) }
                } catch {
                    for block in fresh { cache.arena.free(block) }
                    throw error
                }
                own += fresh
                return held >= wanted
            }
        }

        /// Keeps what is computed from now on from others: it is not what a prefill would give.
        package func makePrivate() { cache.state.withLockedValue { _ in isPrivate = true } }

        /// Lets others find the blocks that are full.
        ///
        /// - Parameters:
        ///   - tokens: all of the sequence.
        ///   - computed: how many of them have their keys and values.
        package func publish(_ tokens: (Int) -> Int32, computed: Int) throws {
            guard computed / KVShape.blockTokens > chain.count else { return }
            try cache.state.withLockedValue { try publish(&$0, tokens, computed) }
        }

        func publish(_ state: inout State, _ tokens: (Int) -> Int32, _ computed: Int) throws {
            while !isErased, !isPrivate, chain.count < computed / KVShape.blockTokens {
                let start = chain.count * KVShape.blockTokens
                let block = own.removeFirst()
                let parent = chain.last ?? root!
                let (node, isNew) = state.tree.insert(
                    parent, (start..<start + KVShape.blockTokens).map(tokens), block: block,
                    sources: sources,
                    now: cache.now)
                state.tree.pin(node)
                chain.append(node)
                guard !isNew else { continue }
                // Another sequence was first: its block serves both, and is equal bit by bit. It
                // cannot be freed where the system leaves its own mapped: it stays the session's
                // until that ends.
                do { try range!.map([node.block], at: chain.count - 1, writable: false) } catch {
                    spare.append(block)
                    throw error
                }
                cache.arena.free(block)
            }
        }

        /// Ends the sequence and keeps what it computed.
        package func close(_ tokens: (Int) -> Int32, computed: Int) {
            let isLast = cache.state.withLockedValue { _ in
                defer { isClosed = true }
                // What is loading ends by itself.
                return !isClosed && !loads
            }
            if isLast { cache.release(self, tokens, computed) }
        }
    }

    /// Begins a sequence with the cached prefix of its tokens.
    ///
    /// - Parameters:
    ///   - tokens: all that are to be computed. One at least is left to compute, so that there are
    ///     logits.
    ///   - positions: the most that the sequence may grow to.
    ///   - scope: who may find what is computed: the same scope alone.
    ///   - sources: names of memories in the text.
    ///   - keepsShort: whether it is kept beyond memory even if it fills no block.
    ///   - computing: last tokens that are to be computed even if they are cached, 1 at least.
    ///   - byLayers: lets computing begin when the first layers of blocks from a tier have come, see
    ///     ``Session/arriving``; ``Session/takeLoaded()`` is to be called when all have.
    ///   - loaded: called on another thread when blocks from a tier have come, or layers of them;
    ///     ``Session/isLoading`` is true until all have.
    /// - Throws: ``KVError`` if the system has no addresses left.
    package func open(
        _ tokens: [Int32], positions: Int, scope: String = "", sources: Set<String> = [],
        keepsShort: Bool = false, computing least: Int = 1, byLayers: Bool = false,
        loaded: @escaping @Sendable () -> Void = {}
    ) throws -> Session {
        let session = Session(
            self, try arena.reserve(positions: positions), sources: sources,
            keepsShort: keepsShort)
        let limit = tokens.count - min(tokens.count, max(1, least))
        let extent = KVArrival.Extent(limit: limit, length: byLayers ? tokens.count : 0)
        do {
            let missing = try begin(session, tokens, limit, scope)
            let rest =
                (session.chain.count + missing.count { $0.tokens.count == KVShape.blockTokens })
                * KVShape.blockTokens
            let isRemote = remoteTier != nil && rest + KVShape.blockTokens <= limit
            if let localTier, !missing.isEmpty {
                session.loads = true
                // Nobody knows yet what follows from afar.
                if !isRemote { expect(missing, into: session, extent) }
                read(missing, from: localTier, into: session, limit: limit, isLast: !isRemote) { [self] in
                    if isRemote {
                        lookups.addOperation { [self] in
                            fetch(tokens, into: session, extent, loaded)
                        }
                    } else {
                        loaded()
                    }
                }
            } else if isRemote {
                session.loads = true
                lookups.addOperation { [self] in
                    fetch(tokens, into: session, extent, loaded)
                }
            }
            return session
        } catch {
            session.close({ _ in 0 }, computed: 0)
            throw error
        }
    }

    /// Gives a session the prefix that is cached in memory.
    ///
    /// - Returns: what is on disk behind it, with blocks to read it into.
    private func begin(_ session: Session, _ tokens: [Int32], _ limit: Int, _ scope: String) throws
        -> [Load]
    {
        try state.withLockedValue { state in
            state.statistics.tokens += tokens.count
            let now = now
            let root = state.tree.root(scope)
            session.root = root
            if !session.sources.isEmpty {
                state.sessionsWithMemories[ObjectIdentifier(session)] = session
            }
            let (path, partial) = state.tree.match(tokens[..<limit], from: root)
            try session.range!.map(path.map(\.block), at: 0, writable: false)
            for node in path {
                state.tree.pin(node)
                state.tree.touch(node, now: now)
            }
            session.chain = path
            session.restored = path.count * KVShape.blockTokens
            let onDisk = find(
                tokens, after: path, from: root, cachedTokens: partial?.count ?? 0)
            if onDisk.isEmpty, let partial {
                // The block is the other's: its rows up to the parting are copied.
                state.tree.pin(partial.node)
                defer { unpin(&state, partial.node) }
                if let block = allocate(&state, 1, after: path.last?.block).first {
                    do { try session.range!.map([block], at: path.count, writable: true) } catch {
                        arena.free(block)
                        throw error
                    }
                    session.own = [block]
                    shape.copy(
                        partial.count, from: arena.pointer(partial.node.block),
                        to: arena.pointer(block))
                    state.tree.touch(partial.node, now: now)
                    session.restored += partial.count
                }
            }
            state.statistics.tokensFromMemory += session.restored
            return zip(onDisk, allocate(&state, onDisk.count, after: path.last?.block)).map {
                load, block in
                var load = load
                load.block = block
                return load
            }
        }
    }

    func unpin(_ state: inout State, _ node: KVNode) {
        if state.tree.unpin(node) { arena.free(node.block) }
    }

    func release(_ session: Session, _ tokens: (Int) -> Int32, _ computed: Int) {
        state.withLockedValue { state in
            state.sessionsWithMemories[ObjectIdentifier(session)] = nil
            try? session.publish(&state, tokens, computed)
            // Nothing may map a block that is freed.
            session.range = nil
            drop(&session.arrival)
            var kept = session.chain
            var superseded: [KVHash] = []
            guard let parent = kept.last ?? session.root else { return }
            let start = session.chain.count * KVShape.blockTokens
            if computed > start, computed - start < KVShape.blockTokens,
                let block = session.own.first,
                !parent.isDetached, !session.isErased,
                !session.isPrivate
            {
                let rest = (start..<computed).map(tokens)
                if !state.tree.covers(parent, rest) {
                    // An end that this one goes on from is not needed any more.
                    for old in parent.children.values
                    where old.pins == 0 && old.children.isEmpty
                        && rest.starts(with: old.tokens)
                    {
                        arena.free(state.tree.remove(old))
                        if old.isKept { superseded.append(old.hash) }
                    }
                    let node = state.tree.insert(
                        parent, rest, block: block, sources: session.sources, now: now
                    )
                    .node
                    state.tree.pin(node)
                    kept.append(node)
                    session.own.removeFirst()
                }
            }
            // The end that was read is a part of what was computed behind it.
            if let end = session.end, computed > end.position { superseded.append(end.hash) }
            for block in session.own + session.spare { arena.free(block) }
            session.own = []
            session.spare = []
            session.chain = []
            if localTier != nil || remoteTier != nil,
                session.keepsShort
                    || kept.contains(where: { $0.tokens.count == KVShape.blockTokens })
            {
                for node in kept where !node.isKept && !node.isDetached {
                    node.isKept = true
                    if let localTier { write(node, &state, to: localTier, on: writer, isLocal: true) }
                    // Ends are of use to whoever goes on from them: on the same machine.
                    if let remoteTier, node.tokens.count == KVShape.blockTokens {
                        write(node, &state, to: remoteTier, on: sender, isLocal: false)
                    }
                }
            }
            for node in kept.reversed() { unpin(&state, node) }
            if let localTier, !superseded.isEmpty {
                // One that stays is read by nobody and trimmed some time.
                writer.async { [superseded] in for hash in superseded { try? localTier.remove(hash) } }
            }
        }
    }
}
