import MnemeModels
import MnemeNumerics

/// Pages of rows of single heads, cut from blocks of an arena: for sequences whose heads keep
/// different rows.
///
/// A page is what ``MnemeModels/KVHeadRows`` describes: 32 rows of halves, or of codes. Those of a
/// block are all of one kind. Used by one thread at a time.
package final class KVPages {
    /// The ways in which a page holds its rows.
    package enum Kind: Hashable, Sendable { case halves, codes }

    /// The arena's memory, from which on pages are counted in units of
    /// ``MnemeModels/KVHeadRows/pageUnit``.
    let base: UnsafeMutablePointer<UInt16>
    private let blockBytes: Int
    private let pageBytes: [Kind: Int]
    private let take: (Int) -> [Int]
    private let give: ([Int]) -> Void
    /// The free pages of each block, by their place in it.
    private var free: [Kind: [Int: [Int]]] = [.halves: [:], .codes: [:]]
    private var kinds: [Int: Kind] = [:]
    /// True while blocks stay even if they are empty: what was reserved will be needed.
    package var holdsBlocks = false { didSet { if !holdsBlocks { trim() } } }
    /// Free pages of a kind.
    private var freeCount: [Kind: Int] = [.halves: 0, .codes: 0]

    /// - Parameters:
    ///   - bits: of codes; 0 if there will be none.
    ///   - take: gives so many blocks, or fewer.
    ///   - give: takes blocks back.
    init(
        _ arena: KVArena, bits: Int, take: @escaping (Int) -> [Int],
        give: @escaping ([Int]) -> Void
    ) {
        base = arena.pointer(0).assumingMemoryBound(to: UInt16.self)
        blockBytes = arena.shape.blockBytes
        pageBytes = Self.pageBytes(arena.shape, bits: bits)
        self.take = take
        self.give = give
    }

    private static func pageBytes(_ shape: KVShape, bits: Int) -> [Kind: Int] {
        let halves = 4 * KVShape.blockTokens * shape.dimension
        return [
            .halves: halves,
            .codes: bits > 0
                ? DecoderKernels.pageBytes(bits: bits, dimension: shape.dimension) : halves,
        ]
    }

    /// Blocks of a shape that so many pages take.
    static func blocks(_ count: Int, _ kind: Kind, _ shape: KVShape, bits: Int) -> Int {
        let perBlock = shape.blockBytes / pageBytes(shape, bits: bits)[kind]!
        return (count + perBlock - 1) / perBlock
    }

    /// Pages from an arena of their own.
    convenience init(_ arena: KVArena, bits: Int) {
        self.init(
            arena, bits: bits,
            take: { count in
                var blocks: [Int] = []
                while blocks.count < count, let block = arena.allocate(after: blocks.last) {
                    blocks.append(block)
                }
                return blocks
            }, give: { for block in $0 { arena.free(block) } })
    }

    deinit { give(Array(kinds.keys)) }

    /// Blocks that it holds.
    package var blocks: Int { kinds.count }
    /// Bytes of a page.
    func bytes(_ kind: Kind) -> Int { pageBytes[kind]! }
    /// Bytes of pages in use.
    var usedBytes: Int {
        [Kind.halves, .codes].reduce(0) { sum, kind in
            sum + (kinds.values.count { $0 == kind } * perBlock(kind) - freeCount[kind]!) * bytes(kind)
        }
    }
    private func perBlock(_ kind: Kind) -> Int { blockBytes / bytes(kind) }

    /// Blocks that must be had before so many pages can be.
    package func blocksNeeded(_ count: Int, _ kind: Kind) -> Int {
        let missing = count - freeCount[kind]!
        return missing > 0 ? (missing + perBlock(kind) - 1) / perBlock(kind) : 0
    }

    /// Gets blocks for so many pages.
    ///
    /// - Returns: false if there are not enough.
    package func reserve(_ count: Int, _ kind: Kind) -> Bool {
        let needed = blocksNeeded(count, kind)
        guard needed > 0 else { return true }
        let taken = take(needed)
        for block in taken {
            kinds[block] = kind
            free[kind]![block] = Array((0..<perBlock(kind)).reversed())
            freeCount[kind]! += perBlock(kind)
        }
        return taken.count == needed
    }

    /// A page, by its place in units; nil if there is no memory.
    func allocate(_ kind: Kind) -> Int32? {
        guard reserve(1, kind), let block = free[kind]!.keys.first,
            let slot = free[kind]![block]!.last,
            // Beyond 128 GiB there are no numbers for places.
            let page = Int32(
                exactly: (block * blockBytes + slot * bytes(kind)) / (2 * KVHeadRows.pageUnit))
        else { return nil }
        free[kind]![block]!.removeLast()
        if free[kind]![block]!.isEmpty { free[kind]![block] = nil }
        freeCount[kind]! -= 1
        return page
    }

    /// Takes a page back; a block that is empty is given back, too, if there is another.
    func free(_ page: Int32, _ kind: Kind) {
        let offset = Int(page) * 2 * KVHeadRows.pageUnit
        let block = offset / blockBytes
        free[kind]![block, default: []].append(offset % blockBytes / bytes(kind))
        freeCount[kind]! += 1
        if !holdsBlocks { release(block, kind) }
    }

    private func release(_ block: Int, _ kind: Kind) {
        guard free[kind]![block]?.count == perBlock(kind), freeCount[kind]! >= 2 * perBlock(kind)
        else { return }
        free[kind]![block] = nil
        freeCount[kind]! -= perBlock(kind)
        kinds[block] = nil
        give([block])
    }

    private func trim() {
        for (block, kind) in kinds { release(block, kind) }
    }

    /// The memory of a page.
    func pointer(_ page: Int32) -> UnsafeMutablePointer<UInt16> {
        base + Int(page) * KVHeadRows.pageUnit
    }
}
