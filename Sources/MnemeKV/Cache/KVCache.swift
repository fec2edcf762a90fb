import Foundation
package import MnemeModels
import NIOConcurrencyHelpers

/// Figures of a cache.
public struct KVStatistics: Sendable, Equatable {
    /// Bytes of blocks in memory, of those that nobody reads now, and the most there may be.
    public var bytes = 0, idleBytes = 0, limit = 0
    /// Bytes that the system has given for them: less where blocks are not full.
    public var residentBytes = 0
    /// Tokens that requests asked for, and those found in memory and on disk.
    public var tokens = 0, tokensFromMemory = 0, tokensFromDisk = 0
    /// Blocks given up, written to disk, read from disk, and refused because their files were damaged or foreign.
    public var evicted = 0, written = 0, read = 0, refused = 0
    /// Blocks that could not be written.
    public var unwritten = 0
    /// Of the far tier: tokens found there, blocks received from it, sent to it, and those that could not be sent.
    public var tokensFromFar = 0, received = 0, sent = 0, unsent = 0

    /// Nothing yet.
    public init() {}
}

/// Keys and values of all sequences of one model: in use, kept in memory by their texts' beginnings, and on disk.
///
/// What a request needs is found by its tokens; what it computed is kept when it ends. Memory never exceeds the arena: what is worth least
/// to the evictor is given up, and a sequence that finds no more room is told so.
package final class KVCache: Sendable {
    package let shape: KVShape
    private let model: KVHash
    private let modelName: String
    private let near: (any KVTier)?
    private let far: (any KVTier)?
    private let codec: KVCodec
    private let evictor: any Evictor
    private let state: NIOLockedValueBox<State>
    private let arena: KVArena
    /// Queues of their own, so that a server that hangs keeps no file waiting.
    private let readers = OperationQueue(), receivers = OperationQueue()
    private let writer = DispatchQueue(label: "mneme.kv.writer", qos: .utility)
    private let sender = DispatchQueue(label: "mneme.kv.sender", qos: .utility)

    fileprivate struct State: @unchecked Sendable {
        var tree: PrefixTree
        var statistics = KVStatistics()
        /// Open sessions with memories in their texts.
        var tainted: [ObjectIdentifier: Session] = [:]
    }

    /// - Parameters:
    ///   - bytes: the most memory that blocks take.
    ///   - near: where blocks are kept beyond the process, encoded by `codec`, on which `model` depends. It answers at once.
    ///   - far: where other machines find them, too; asked on other threads.
    ///   - fails: for tests: whether the system refuses what is asked of it next.
    /// - Throws: ``KVError`` if the system has no memory for them.
    package init(
        shape: KVShape, model: KVHash, modelName: String, bytes: Int, near: (any KVTier)?, far: (any KVTier)? = nil, codec: KVCodec = .f16,
        evictor: any Evictor = CostAware(), fails: (@Sendable (KVArena.Refusal) -> Bool)? = nil
    ) throws {
        self.shape = shape
        self.model = model
        self.modelName = modelName
        self.near = near
        self.far = far
        self.codec = codec
        self.evictor = evictor
        arena = try KVArena(shape, bytes: bytes, fails: fails)
        state = NIOLockedValueBox(State(tree: PrefixTree(model: model)))
        for queue in [readers, receivers] {
            queue.maxConcurrentOperationCount = 4
            queue.qualityOfService = .userInitiated
        }
    }

    /// Blocks that there may be, and those that could be had now.
    package var capacity: Int { arena.capacity }
    package var available: Int { state.withLockedValue { arena.capacity - arena.used + $0.tree.unpinned } }

    /// What it holds and did.
    package var statistics: KVStatistics {
        state.withLockedValue { state in
            var statistics = state.statistics
            statistics.bytes = arena.used * shape.blockBytes
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

    private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    /// How many of the tokens are in memory, and how many blocks of them somebody holds.
    package func known(_ tokens: [Int32], scope: String = "") -> (tokens: Int, heldBlocks: Int) {
        state.withLockedValue { state in
            let (path, partial) = state.tree.match(tokens.dropLast(), from: state.tree.root(scope))
            return (path.count * KVShape.blockTokens + (partial?.count ?? 0), path.count { $0.pins > 0 })
        }
    }

    /// Forgets all that was made with these memories in the text; sequences that run end undisturbed, and nobody finds what they leave.
    ///
    /// - Parameter blocks: go, too, and all that follow them.
    /// - Throws: ``KVError`` if a file cannot be deleted.
    package func erase(sources: Set<String>, blocks: [KVHash] = []) throws {
        let names = Set(blocks)
        state.withLockedValue { state in
            var doomed: [KVNode] = []
            func isDoomed(_ node: KVNode) -> Bool { !node.sources.isDisjoint(with: sources) || names.contains(node.hash) }
            state.tree.visit {
                if !$0.isDetached, isDoomed($0), !($0.parent.map(isDoomed) ?? false) { doomed.append($0) }
            }
            for node in doomed { for block in state.tree.detach(node) { arena.free(block) } }
            for session in state.tainted.values where !session.sources.isDisjoint(with: sources) { session.isForgotten = true }
        }
        flush()
        for tier in [near, far].compactMap({ $0 }) {
            for block in blocks { tier.remove(block) }
            try tier.erase(sources: sources)
        }
    }

    private func allocate(_ state: inout State, after previous: Int?) -> Int? {
        if let block = arena.allocate(after: previous) { return block }
        let freed = state.tree.evict(1, by: evictor, bytes: shape.blockBytes, now: Self.now)
        for block in freed { arena.free(block) }
        state.statistics.evicted += freed.count
        return arena.allocate(after: previous)
    }

    // MARK: Sequences

    /// One sequence's keys and values. Used by one thread at a time.
    package final class Session: @unchecked Sendable {
        fileprivate let cache: KVCache
        fileprivate var range: KVRange?
        /// Whole blocks that the tree knows; behind them blocks that belong to the sequence alone.
        fileprivate var chain: [KVNode] = []
        fileprivate var own: [Int] = []
        /// Blocks that are of no use but may still be mapped.
        fileprivate var spare: [Int] = []
        fileprivate var root: KVNode?
        /// An end that was read from disk.
        fileprivate var end: (hash: KVHash, position: Int)?
        fileprivate let sources: Set<String>
        fileprivate var isClosed = false
        /// Whether what it computes is not to be found: a memory in its text was erased.
        fileprivate var isForgotten = false
        /// Whether nobody else is to find what it computes, see ``keepToItself()``.
        fileprivate var isPrivate = false
        /// Whether a memory in its text was erased meanwhile.
        package var wasErased: Bool { cache.state.withLockedValue { _ in isForgotten } }
        fileprivate var loads = false
        fileprivate var fault: (any Error)?
        /// Why it cannot be used, found while blocks were read from disk.
        package var failure: (any Error)? { cache.state.withLockedValue { _ in fault } }
        /// Whether blocks are being read from disk; nothing may be computed meanwhile.
        package var isLoading: Bool { cache.state.withLockedValue { _ in loads } }
        /// Tokens whose keys and values are there from before.
        package fileprivate(set) var restored = 0

        fileprivate init(_ cache: KVCache, _ range: KVRange, sources: Set<String>) {
            self.cache = cache
            self.range = range
            self.sources = sources
        }

        /// For the model; while the session is open.
        package var view: KVView { range!.view }
        /// Blocks that it holds.
        package var blocks: Int { chain.count + own.count }

        /// Makes room for so many positions.
        ///
        /// - Returns: false if there is none: something must end first.
        package func prepare(positions: Int) throws -> Bool {
            precondition(positions <= view.capacity, "The sequence is longer than it was to be.")
            let wanted = KVShape.blocks(positions)
            guard wanted > blocks else { return true }
            return try cache.state.withLockedValue { state in
                var fresh: [Int] = []
                while blocks + fresh.count < wanted, let block = cache.allocate(&state, after: fresh.last ?? own.last ?? chain.last?.block) {
                    fresh.append(block)
                }
                do {
                    if !fresh.isEmpty { try range!.map(fresh, at: blocks, writable: true) }
                } catch {
                    for block in fresh { cache.arena.free(block) }
                    throw error
                }
                own += fresh
                return blocks >= wanted
            }
        }

        /// What is computed from now on is not what a prefill would give: others never find it.
        package func keepToItself() { cache.state.withLockedValue { _ in isPrivate = true } }

        /// Lets others find the blocks that are full.
        ///
        /// - Parameters:
        ///   - tokens: all of the sequence.
        ///   - computed: how many of them have their keys and values.
        package func publish(_ tokens: (Int) -> Int32, computed: Int) throws {
            guard computed / KVShape.blockTokens > chain.count else { return }
            try cache.state.withLockedValue { try publish(&$0, tokens, computed) }
        }

        fileprivate func publish(_ state: inout State, _ tokens: (Int) -> Int32, _ computed: Int) throws {
            while !isForgotten, !isPrivate, chain.count < computed / KVShape.blockTokens {
                let start = chain.count * KVShape.blockTokens, block = own.removeFirst(), parent = chain.last ?? root!
                let (node, isNew) = state.tree.insert(
                    parent, (start..<start + KVShape.blockTokens).map(tokens), block: block, sources: sources, now: KVCache.now)
                state.tree.pin(node)
                chain.append(node)
                guard !isNew else { continue }
                // Another sequence was first: its block serves both, and is equal bit by bit.
                // It cannot be freed where the system leaves its own mapped: it stays the session's until that ends.
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

    /// Begins a sequence with what is known of its tokens.
    ///
    /// - Parameters:
    ///   - tokens: all that are to be computed. One at least is left to compute, so that there are logits.
    ///   - positions: the most that the sequence may grow to.
    ///   - scope: who may find what is computed: the same scope alone.
    ///   - sources: names of memories in the text.
    ///   - loaded: called on another thread when blocks from disk have come; ``Session/isLoading`` is true until then.
    /// - Throws: ``KVError`` if the system has no addresses left.
    package func open(_ tokens: [Int32], positions: Int, scope: String = "", sources: Set<String> = [], loaded: @escaping @Sendable () -> Void = {}) throws
        -> Session
    {
        let session = Session(self, try arena.reserve(positions: positions), sources: sources), limit = tokens.count - 1
        do {
            let missing = try begin(session, tokens, limit, scope)
            let rest = (session.chain.count + missing.count { $0.tokens.count == KVShape.blockTokens }) * KVShape.blockTokens
            let isFar = far != nil && rest + KVShape.blockTokens <= limit
            if let near, !missing.isEmpty {
                session.loads = true
                read(missing, from: near, into: session, limit: limit, isLast: !isFar) { [self] in
                    if isFar { receivers.addOperation { [self] in fetch(tokens, into: session, limit: limit, loaded) } } else { loaded() }
                }
            } else if isFar {
                session.loads = true
                receivers.addOperation { [self] in fetch(tokens, into: session, limit: limit, loaded) }
            }
            return session
        } catch {
            session.close({ _ in 0 }, computed: 0)
            throw error
        }
    }

    /// Gives a session what is known in memory.
    ///
    /// - Returns: what is on disk behind it, with blocks to read it into.
    private func begin(_ session: Session, _ tokens: [Int32], _ limit: Int, _ scope: String) throws -> [Load] {
        try state.withLockedValue { state in
            state.statistics.tokens += tokens.count
            let now = Self.now, root = state.tree.root(scope)
            session.root = root
            if !session.sources.isEmpty { state.tainted[ObjectIdentifier(session)] = session }
            let (path, partial) = state.tree.match(tokens[..<limit], from: root)
            try session.range!.map(path.map(\.block), at: 0, writable: false)
            for node in path {
                state.tree.pin(node)
                state.tree.touch(node, now: now)
            }
            session.chain = path
            session.restored = path.count * KVShape.blockTokens
            let onDisk = find(tokens, after: path, from: root, known: partial?.count ?? 0)
            if onDisk.isEmpty, let partial {
                // The block is the other's: its rows up to the parting are copied.
                state.tree.pin(partial.node)
                defer { unpin(&state, partial.node) }
                if let block = allocate(&state, after: path.last?.block) {
                    do { try session.range!.map([block], at: path.count, writable: true) } catch {
                        arena.free(block)
                        throw error
                    }
                    session.own = [block]
                    shape.copy(partial.count, from: arena.pointer(partial.node.block), to: arena.pointer(block))
                    state.tree.touch(partial.node, now: now)
                    session.restored += partial.count
                }
            }
            state.statistics.tokensFromMemory += session.restored
            var loads: [Load] = []
            for var load in onDisk {
                guard let block = allocate(&state, after: loads.last?.block ?? path.last?.block) else { break }
                load.block = block
                loads.append(load)
            }
            return loads
        }
    }

    private func unpin(_ state: inout State, _ node: KVNode) { if state.tree.unpin(node) { arena.free(node.block) } }

    private func release(_ session: Session, _ tokens: (Int) -> Int32, _ computed: Int) {
        state.withLockedValue { state in
            state.tainted[ObjectIdentifier(session)] = nil
            try? session.publish(&state, tokens, computed)
            // Nothing may map a block that is freed.
            session.range = nil
            var kept = session.chain
            var superseded: [KVHash] = []
            guard let parent = kept.last ?? session.root else { return }
            let start = session.chain.count * KVShape.blockTokens
            if computed > start, computed - start < KVShape.blockTokens, let block = session.own.first, !parent.isDetached, !session.isForgotten,
                !session.isPrivate
            {
                let rest = (start..<computed).map(tokens)
                if !state.tree.covers(parent, rest) {
                    // An end that this one goes on from is not needed any more.
                    for known in parent.children.values where known.pins == 0 && known.children.isEmpty && rest.starts(with: known.tokens) {
                        arena.free(state.tree.remove(known))
                        if known.isKept { superseded.append(known.hash) }
                    }
                    let node = state.tree.insert(parent, rest, block: block, sources: session.sources, now: Self.now).node
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
            if near != nil || far != nil, kept.contains(where: { $0.tokens.count == KVShape.blockTokens }) {
                for node in kept where !node.isKept && !node.isDetached {
                    node.isKept = true
                    if let near { write(node, &state, to: near, on: writer, isNear: true) }
                    // Ends are of use to whoever goes on from them: on the same machine.
                    if let far, node.tokens.count == KVShape.blockTokens { write(node, &state, to: far, on: sender, isNear: false) }
                }
            }
            for node in kept.reversed() { unpin(&state, node) }
            if let near, !superseded.isEmpty { writer.async { [superseded] in for hash in superseded { near.remove(hash) } } }
        }
    }

    // MARK: Disk

    private struct Load: Sendable {
        var hash: KVHash
        var parent: KVHash
        var tokens: [Int32]
        var position: Int
        var block = -1
    }

    /// Blocks on disk that go on from what is in memory, if they bring more than `known` tokens.
    private func find(_ tokens: [Int32], after path: [KVNode], from root: KVNode, known: Int) -> [Load] {
        guard let near else { return [] }
        var loads: [Load] = [], parent = path.last?.hash ?? root.hash, start = path.count * KVShape.blockTokens
        while tokens.count - start >= KVShape.blockTokens {
            let part = Array(tokens[start..<start + KVShape.blockTokens]), hash = parent.next(part)
            guard near.count(of: [hash]) == 1 else { break }
            loads.append(Load(hash: hash, parent: parent, tokens: part, position: start))
            parent = hash
            start += KVShape.blockTokens
        }
        // An end may have any length. Its last token is of no use if it is the last of all.
        let least = loads.isEmpty ? (tokens.count - start > known + 1 ? known : tokens.count) : 0
        for count in stride(from: min(KVShape.blockTokens - 1, tokens.count - start), to: least, by: -1) {
            let part = Array(tokens[start..<start + count]), hash = parent.next(part)
            guard near.count(of: [hash]) == 1 else { continue }
            loads.append(Load(hash: hash, parent: parent, tokens: part, position: start))
            break
        }
        return loads
    }

    /// Reads blocks side by side.
    ///
    /// - Parameters:
    ///   - isLast: whether nothing more is looked for.
    ///   - loaded: called on another thread when all are there or were refused.
    private func read(
        _ loads: [Load], from tier: any KVTier, into session: Session, limit: Int, isLast: Bool, isFar: Bool = false,
        _ loaded: @escaping @Sendable () -> Void
    ) {
        let results = NIOLockedValueBox<(left: Int, good: [Bool])>((loads.count, loads.map { _ in false }))
        for (i, load) in loads.enumerated() {
            (isFar ? receivers : readers).addOperation { [self] in
                let request = KVBlockRequest(
                    model: model, parent: load.parent, codec: codec.at(load.position), tokens: load.tokens, shape: shape)
                let isGood = (try? tier.read(request, into: arena.pointer(load.block))) != nil
                let good = results.withLockedValue { results -> [Bool]? in
                    results.good[i] = isGood
                    results.left -= 1
                    return results.left == 0 ? results.good : nil
                }
                guard let good else { return }
                take(loads, good: good.prefix { $0 }.count, bad: good.count { !$0 }, into: session, limit: limit, isLast: isLast, isFar: isFar)
                loaded()
            }
        }
    }

    /// Hands blocks that were read to the session: the first `good` of them.
    private func take(_ loads: [Load], good: Int, bad: Int, into session: Session, limit: Int, isLast: Bool, isFar: Bool = false) {
        let isClosed = state.withLockedValue { state in
            let now = Self.now
            if isFar { state.statistics.received += good } else { state.statistics.read += good }
            state.statistics.refused += bad
            if isFar, good > 0, !session.isClosed {
                // Whole blocks take the place of one that was begun.
                session.spare += session.own
                session.own = []
            }
            for (i, load) in loads.enumerated() {
                let isWhole = load.tokens.count == KVShape.blockTokens, start = session.chain.count * KVShape.blockTokens
                guard i < good, !session.isClosed else {
                    arena.free(load.block)
                    continue
                }
                if isWhole, start + KVShape.blockTokens <= limit {
                    let (node, isNew) = state.tree.insert(
                        session.chain.last ?? session.root!, load.tokens, block: load.block, sources: session.sources, now: now)
                    if !isNew { arena.free(load.block) }
                    if !isFar { node.isKept = true }
                    state.tree.pin(node)
                    state.tree.touch(node, now: now)
                    session.chain.append(node)
                    if isFar { state.statistics.tokensFromFar += KVShape.blockTokens } else { state.statistics.tokensFromDisk += KVShape.blockTokens }
                    session.restored = session.chain.count * KVShape.blockTokens
                } else {
                    // The last token is computed again, so that the block must be the session's own.
                    let count = min(load.tokens.count, limit - start)
                    session.own = [load.block]
                    session.restored = start + count
                    if !isWhole { session.end = (load.hash, start + load.tokens.count) }
                    state.statistics.tokensFromDisk += count
                }
            }
            do {
                if !session.isClosed {
                    try session.range!.map(session.chain.map(\.block), at: 0, writable: false)
                    try session.range!.map(session.own, at: session.chain.count, writable: true)
                }
            } catch {
                session.fault = error
            }
            if isLast { session.loads = false }
            return isLast && session.isClosed
        }
        if isClosed { release(session, { _ in 0 }, 0) }
    }

    /// Looks for what follows in the far tier.
    private func fetch(_ tokens: [Int32], into session: Session, limit: Int, _ loaded: @escaping @Sendable () -> Void) {
        let known = state.withLockedValue { _ in
            session.isClosed || session.fault != nil ? nil : (count: session.chain.count, parent: (session.chain.last ?? session.root!).hash)
        }
        var loads: [Load] = []
        if let known, let far {
            var parent = known.parent
            for start in stride(from: known.count * KVShape.blockTokens, through: limit - KVShape.blockTokens, by: KVShape.blockTokens) {
                let part = Array(tokens[start..<start + KVShape.blockTokens]), hash = parent.next(part)
                loads.append(Load(hash: hash, parent: parent, tokens: part, position: start))
                parent = hash
            }
            loads = Array(loads.prefix(far.count(of: loads.map(\.hash))))
            state.withLockedValue { state in
                for i in loads.indices {
                    guard let block = allocate(&state, after: i > 0 ? loads[i - 1].block : session.chain.last?.block) else {
                        loads = Array(loads.prefix(i))
                        break
                    }
                    loads[i].block = block
                }
            }
        }
        guard let far, !loads.isEmpty else {
            take([], good: 0, bad: 0, into: session, limit: limit, isLast: true)
            return loaded()
        }
        read(loads, from: far, into: session, limit: limit, isLast: true, isFar: true, loaded)
    }

    /// Writes a node, which is pinned until then.
    private func write(_ node: KVNode, _ state: inout State, to tier: any KVTier, on queue: DispatchQueue, isNear: Bool) {
        guard let parent = node.parent else { return }
        state.tree.pin(node)
        let file = KVBlockFile(
            model: model, parent: parent.hash, position: node.position, shape: shape, codec: codec.at(node.position), tokens: node.tokens, modelName: modelName,
            sources: node.sources.sorted())
        nonisolated(unsafe) let node = node
        queue.async { [self] in
            let isWritten =
                self.state.withLockedValue { _ in !node.isDetached } && (try? tier.write(file, from: arena.pointer(node.block), shape: shape)) != nil
            self.state.withLockedValue { state in
                if isNear {
                    node.isKept = isWritten
                    if isWritten { state.statistics.written += 1 } else if !node.isDetached { state.statistics.unwritten += 1 }
                } else if isWritten {
                    state.statistics.sent += 1
                } else if !node.isDetached {
                    state.statistics.unsent += 1
                }
                unpin(&state, node)
            }
        }
    }
}
