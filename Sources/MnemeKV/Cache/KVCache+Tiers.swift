import Foundation
import NIOConcurrencyHelpers

/// Blocks on their way between memory and the tiers beyond.
extension KVCache {
    struct Load: Sendable {
        var hash: KVHash
        var parent: KVHash
        var tokens: [Int32]
        var position: Int
        var block = -1
    }

    /// Blocks on disk that go on from what is in memory, if they bring more than the `cachedTokens`
    /// of the block in memory that matches in part.
    func find(_ tokens: [Int32], after path: [KVNode], from root: KVNode, cachedTokens: Int)
        -> [Load]
    {
        guard let localTier else { return [] }
        var loads: [Load] = []
        var parent = path.last?.hash ?? root.hash
        var start = path.count * KVShape.blockTokens
        while tokens.count - start >= KVShape.blockTokens {
            let part = Array(tokens[start..<start + KVShape.blockTokens])
            let hash = parent.next(part)
            guard localTier.count(of: [hash]) == 1 else { break }
            loads.append(Load(hash: hash, parent: parent, tokens: part, position: start))
            parent = hash
            start += KVShape.blockTokens
        }
        // An end may have any length. Its last token is of no use if it is the last of all.
        let brings = tokens.count - start > cachedTokens + 1
        let least = loads.isEmpty ? (brings ? cachedTokens : tokens.count) : 0
        for count in stride(
            from: min(KVShape.blockTokens - 1, tokens.count - start), to: least, by: -1)
        {
            let part = Array(tokens[start..<start + count])
            let hash = parent.next(part)
            guard localTier.count(of: [hash]) == 1 else { continue }
            loads.append(Load(hash: hash, parent: parent, tokens: part, position: start))
            break
        }
        return loads
    }

    /// Reads blocks on several threads, a run of neighbours each.
    ///
    /// - Parameters:
    ///   - isLast: whether nothing more is looked for.
    ///   - loaded: called on another thread when all are there or were refused, and when layers came.
    func read(
        _ loads: [Load], from tier: any KVTier, into session: Session, limit: Int, isLast: Bool,
        isRemote: Bool = false,
        _ loaded: @escaping @Sendable () -> Void
    ) {
        let byLayers = state.withLockedValue { _ in session.arrival != nil }
        let start = now
        let size = (loads.count + Self.lanes - 1) / Self.lanes
        let lanes = stride(from: 0, to: loads.count, by: size).map { $0..<min($0 + size, loads.count) }
        let results = NIOLockedValueBox<(left: Int, good: [Int])>((lanes.count, lanes.map { _ in 0 }))
        for (lane, range) in lanes.enumerated() {
            (isRemote ? receivers : readers).addOperation { [self] in
                let places = loads[range].map { load in
                    KVBlockPlace(
                        KVBlockRequest(
                            model: model, parent: load.parent, codec: codec.at(load.position),
                            tokens: load.tokens, shape: shape), arena.pointer(load.block))
                }
                let parts = KVLayerParts(byLayers ? KVArrival.parts : 1, of: shape.layers) { [self] layers in
                    if note(layers, in: lane, of: lanes.count, session) { loaded() }
                }
                var read = tier.read(places, by: parts)
                if read < places.count, byLayers { state.withLockedValue { _ in session.arrival?.isBroken = true } }
                // One that is read whole is deleted if it is damaged.
                while read < places.count, (try? tier.read(places[read].request, into: places[read].memory)) != nil {
                    read += 1
                }
                let good = results.withLockedValue { results -> [Int]? in
                    results.good[lane] = read
                    results.left -= 1
                    return results.left == 0 ? results.good : nil
                }
                guard let good else { return }
                let seconds = now - start
                state.withLockedValue {
                    if isRemote {
                        $0.remoteMeter.fetched(blocks: loads.count, seconds: seconds)
                    } else {
                        $0.localMeter.fetched(blocks: loads.count, seconds: seconds)
                    }
                }
                let bad = zip(good, lanes).count { $0 < $1.count }
                let whole = zip(good, lanes).prefix { $0 == $1.count }.count
                let count = (whole < lanes.count ? lanes[whole].lowerBound + good[whole] : loads.count)
                if byLayers {
                    complete(session, good: count, bad: bad)
                } else {
                    take(
                        loads, good: count, bad: bad, into: session, limit: limit, isLast: isLast,
                        isRemote: isRemote)
                }
                loaded()
            }
        }
    }

    /// Threads that read the blocks of one text.
    private static let lanes = 4

    /// Hands blocks that were read to the session: the first `good` of them.
    func take(
        _ loads: [Load], good: Int, bad: Int, into session: Session, limit: Int, isLast: Bool,
        isRemote: Bool = false
    ) {
        let isClosed = state.withLockedValue { state in
            let now = now
            let isMapped = session.arrival != nil
            let ahead = session.beginTaking()
            func give(_ block: Int) {
                // Nothing may map a block that is freed.
                if isMapped { session.spare.append(block) } else { arena.free(block) }
            }
            if isRemote { state.statistics.received += good } else { state.statistics.read += good }
            state.statistics.refused += bad
            if isRemote, good > 0, !session.isClosed, !session.isErased {
                // Whole blocks take the place of one that was begun.
                session.spare += session.own
                session.own = []
            }
            for (i, load) in loads.enumerated() {
                let isWhole = load.tokens.count == KVShape.blockTokens
                let start = session.chain.count * KVShape.blockTokens
                guard i < good, !session.isClosed, !session.isErased else {
                    give(load.block)
                    continue
                }
                if isWhole, start + KVShape.blockTokens <= limit {
                    let (node, isNew) = state.tree.insert(
                        session.chain.last ?? session.root!, load.tokens, block: load.block,
                        sources: session.sources,
                        now: now)
                    if !isNew { give(load.block) }
                    if !isRemote { node.isKept = true }
                    state.tree.pin(node)
                    state.tree.touch(node, now: now)
                    session.chain.append(node)
                    if isRemote {
                        state.statistics.tokensFromRemote += KVShape.blockTokens
                    } else {
                        state.statistics.tokensFromDisk += KVShape.blockTokens
                    }
                    session.restored = session.chain.count * KVShape.blockTokens
                } else {
                    // The last token is computed again, so that the block must be the session's
                    // own.
                    let count = min(load.tokens.count, limit - start)
                    session.own = [load.block]
                    session.restored = start + count
                    if !isWhole { session.end = (load.hash, start + load.tokens.count) }
                    state.statistics.tokensFromDisk += count
                }
            }
            session.endTaking(ahead)
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

    /// Looks for what follows in the remote tier.
    func fetch(
        _ tokens: [Int32], into session: Session, _ extent: KVArrival.Extent,
        _ loaded: @escaping @Sendable () -> Void
    ) {
        let limit = extent.limit
        let restored = state.withLockedValue { _ in
            session.isClosed || session.fault != nil
                ? nil
                : (count: session.chain.count, parent: (session.chain.last ?? session.root!).hash)
        }
        var loads: [Load] = []
        if let restored, let remoteTier, state.withLockedValue({ $0.remoteMeter.pays() }) {
            var parent = restored.parent
            for start in stride(
                from: restored.count * KVShape.blockTokens, through: limit - KVShape.blockTokens,
                by: KVShape.blockTokens)
            {
                let part = Array(tokens[start..<start + KVShape.blockTokens])
                let hash = parent.next(part)
                loads.append(Load(hash: hash, parent: parent, tokens: part, position: start))
                parent = hash
            }
            loads = Array(loads.prefix(remoteTier.count(of: loads.map(\.hash))))
            state.withLockedValue { state in
                let blocks = allocate(&state, loads.count, after: session.chain.last?.block)
                loads = Array(loads.prefix(blocks.count))
                for i in loads.indices { loads[i].block = blocks[i] }
            }
        }
        guard let remoteTier, !loads.isEmpty else {
            take([], good: 0, bad: 0, into: session, limit: limit, isLast: true)
            return loaded()
        }
        expect(loads, into: session, extent, isRemote: true)
        read(loads, from: remoteTier, into: session, limit: limit, isLast: true, isRemote: true, loaded)
    }

    /// Writes a node, which is pinned until then.
    func write(
        _ node: KVNode, _ state: inout State, to tier: any KVTier, on queue: DispatchQueue,
        isLocal: Bool
    ) {
        guard let parent = node.parent else { return }
        state.tree.pin(node)
        let file = KVBlockFile(
            model: model, parent: parent.hash, position: node.position, shape: shape,
            codec: codec.at(node.position),
            tokens: node.tokens, modelName: modelName,
            sources: node.sources.sorted())
        nonisolated(unsafe) let node = node
        queue.async { [self] in
            let isWritten =
                self.state.withLockedValue { _ in !node.isDetached }
                && (try? tier.write(file, from: arena.pointer(node.block), shape: shape)) != nil
            self.state.withLockedValue { state in
                if isLocal {
                    node.isKept = isWritten
                    if isWritten {
                        state.statistics.written += 1
                    } else if !node.isDetached {
                        state.statistics.unwritten += 1
                    }
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
