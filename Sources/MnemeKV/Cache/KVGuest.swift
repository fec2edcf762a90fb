/// Something besides keys and values that lies in the same memory, such as an adapter: blocks of the arena are counted
/// for it, so that one budget holds both (S-LoRA's unified paging, Sheng et al. 2024) [177].
///
/// Whoever uses a guest holds a reference to it. One that nobody but the cache holds is idle, and evicted by what keeping
/// it is worth, as blocks of keys and values are.
package final class KVGuest: @unchecked Sendable {
    /// What it is found by.
    package let name: String
    /// The thing itself.
    package let contents: any Sendable
    /// Bytes that it takes.
    package let bytes: Int
    // Guarded by the cache's lock.
    let blocks: [Int]
    var uses = 0, lastUse: Double
    /// Replaced: nobody finds it again.
    var isDetached = false

    init(_ name: String, _ contents: any Sendable, _ memory: (bytes: Int, blocks: [Int]), now: Double) {
        (self.name, self.contents, lastUse) = (name, contents, now)
        (bytes, blocks) = memory
    }

    /// As an evictor weighs it: like the beginning of a text whose keys and values take as many blocks.
    func candidate(now: Double, blockBytes: Int) -> EvictionCandidate {
        EvictionCandidate(
            bytes: blocks.count * blockBytes, position: 0, tokens: blocks.count * KVShape.blockTokens,
            idle: now - lastUse, uses: uses, time: now, isExpected: uses > 0)
    }
}

/// The guests of a cache, in the order in which they came.
struct KVGuests {
    var all: [KVGuest] = []

    /// Blocks of all.
    var blocks: Int { all.reduce(0) { $0 + $1.blocks.count } }
    /// Bytes of all.
    var bytes: Int { all.reduce(0) { $0 + $1.bytes } }
    var count: Int { all.count }

    /// Blocks of those that nobody uses.
    var idleBlocks: Int {
        mutating get { all.indices.reduce(0) { $0 + (isIdle($1) ? all[$1].blocks.count : 0) } }
    }

    /// The guest of a name that can be found.
    func find(_ name: String) -> KVGuest? { all.first { $0.name == name && !$0.isDetached } }

    private mutating func isIdle(_ index: Int) -> Bool { isKnownUniquelyReferenced(&all[index]) }

    /// Evicts the idle guest that keeping is worth least, if that is less than `limit`.
    ///
    /// - Returns: its blocks, which are still in use; nil if there is no such guest.
    mutating func evict(below limit: Double, by evictor: any Evictor, blockBytes: Int, now: Double) -> [Int]? {
        let found = least { evictor.value($0.candidate(now: now, blockBytes: blockBytes)) }
        guard let found, found.value < limit else { return nil }
        let guest = all.remove(at: found.index)
        if !guest.isDetached { evictor.didEvict(guest.candidate(now: now, blockBytes: blockBytes)) }
        return guest.blocks
    }

    /// The idle guest that keeping is worth least, and how much; those that were replaced come first.
    private mutating func least(_ value: (KVGuest) -> Double) -> (index: Int, value: Double)? {
        var found: (index: Int, value: Double)?
        for i in all.indices where isIdle(i) {
            let worth = all[i].isDetached ? -Double.infinity : value(all[i])
            if worth < found?.value ?? .infinity { found = (i, worth) }
        }
        return found
    }
}
