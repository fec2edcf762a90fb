import CMnemeMemory
import Foundation
import MnemeBase
package import MnemeModels

/// Physical memory for blocks: one file in memory, whose blocks are mapped into the ranges of many
/// sequences.
///
/// vAttention's idea (Prabhu et al. 2024) with shared prefixes (PagedAttention, Kwon et al. 2023):
/// a sequence sees one contiguous range of addresses, and what it shares with others is the same
/// memory. Pages are taken when they are first written and given back when a block is freed. Not
/// safe for use from several threads, except for ``pointer(_:)``.
package final class KVArena: @unchecked Sendable {
    /// The way in which a sequence finds its blocks.
    package enum Addressing: Sendable {
        /// Blocks are mapped side by side in virtual memory.
        case aliases
        /// Through a table, as PagedAttention does: for systems that cannot map memory twice, and
        /// to compare with.
        case table
    }

    package let shape: KVShape
    package let addressing: Addressing
    /// Blocks that there may be.
    package let capacity: Int
    /// Blocks in use.
    package private(set) var used = 0
    private let file: Int32
    private let reservation: Reservation
    private var base: UnsafeMutableRawPointer { reservation.base }
    private var isUsed: [Bool]
    /// Blocks in use all of whose memory is there.
    private var isFullyMapped: [Bool]
    private var hint = 0
    private let fails: (@Sendable (Refusal) -> Bool)?

    /// A request that a system under pressure refuses; tests make it do so.
    package enum Refusal: Sendable { case memory, mapping }

    /// - Parameter bytes: the most memory that blocks take.
    /// - Throws: ``KVError`` if the system refuses.
    package init(
        _ shape: KVShape, bytes: Int, addressing: Addressing = .aliases,
        fails: (@Sendable (Refusal) -> Bool)? = nil
    ) throws {
        self.fails = fails
        self.shape = shape
        self.addressing = addressing
        capacity = max(1, bytes / shape.blockBytes)
        isUsed = [Bool](repeating: false, count: capacity)
        isFullyMapped = isUsed
        let total = capacity * shape.blockBytes
        file = mnm_memory_file(total)
        guard file >= 0 else {
            throw KVError(
                .outOfMemory,
                "The system gives no memory file of \(total >> 20) MiB (\(errnoText())).")
        }
        guard let reservation = Reservation(total, isHuge: shape.fillsHugePages),
            mmap(
                reservation.base, total, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file, 0)
                != MAP_FAILED
        else {
            close(file)
            throw KVError(
                .outOfMemory,
                "The system gives no addresses for \(total >> 20) MiB of keys and values.")
        }
        self.reservation = reservation
        advise(base, total)
    }

    deinit { close(file) }

    /// Has the system use huge pages where blocks are whole ones, if it is set to
    /// (`transparent_hugepage/shmem_enabled`: advise).
    private func advise(_ address: UnsafeMutableRawPointer, _ bytes: Int) {
        #if os(Linux)
            if shape.fillsHugePages { madvise(address, bytes, MADV_HUGEPAGE) }
        #endif
    }

    /// Addresses with nothing behind them, from a huge page's beginning on where that is wanted.
    fileprivate final class Reservation {
        let base: UnsafeMutableRawPointer
        private let start: UnsafeMutableRawPointer, bytes: Int

        init?(_ wanted: Int, isHuge: Bool) {
            bytes = wanted + (isHuge ? KVShape.hugePage : 0)
            guard
                let mapped = mmap(
                    nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
                mapped != MAP_FAILED
            else { return nil }
            start = mapped
            base = isHuge ? mapped.alignedUp(toMultipleOf: KVShape.hugePage) : mapped
        }

        deinit { munmap(start, bytes) }
    }

    /// Bytes of memory that the system has given, counted by it: blocks that are not full take less
    /// than their size.
    package var residentBytes: Int {
        var info = stat()
        return fstat(file, &info) == 0 ? Int(info.st_blocks) * 512 : used * shape.blockBytes
    }

    /// The address of a block, outside of all ranges.
    package func pointer(_ block: Int) -> UnsafeMutableRawPointer {
        base + block * shape.blockBytes
    }

    /// A free block, right behind `previous` if that is free: neighbours are mapped in one piece.
    package func allocate(after previous: Int? = nil) -> Int? {
        guard used < capacity, fails?(.memory) != true else { return nil }
        var block = previous.map { $0 + 1 } ?? hint
        if block >= capacity || isUsed[block] {
            block = hint
            while isUsed[block] { block = block + 1 < capacity ? block + 1 : 0 }
            hint = block
        }
        // In tests, a canary: what was given back has no memory, unless somebody wrote to it since.
        if fails != nil {
            precondition(!hasMemory(block), "A block was written to after it was freed.")
        }
        isUsed[block] = true
        used += 1
        return block
    }

    /// Makes a block that is in use empty, for its next owner: what is taken from one and given to
    /// another at once keeps its memory, which the system would else take back and give anew, page
    /// by page. No range may still map it.
    package func clear(_ block: Int) {
        precondition(isUsed[block], "A block was cleared that is free.")
        memset(pointer(block), 0, shape.blockBytes)
        isFullyMapped[block] = true
    }

    /// Gives a block's memory back while it stays in use: it stands for memory elsewhere. No range may map it.
    package func giveBack(_ block: Int) {
        precondition(isUsed[block], "A block's memory was given back that is free.")
        isFullyMapped[block] = false
        _ = mnm_memory_file_release(file, block * shape.blockBytes, shape.blockBytes)
    }

    /// Gives a block's memory back. No range may still map it.
    package func free(_ block: Int) {
        precondition(isUsed[block], "A block was freed twice.")
        (isUsed[block], isFullyMapped[block]) = (false, false)
        used -= 1
        hint = min(hint, block)
        _ = mnm_memory_file_release(file, block * shape.blockBytes, shape.blockBytes)
    }

    /// Addresses for a sequence, with nothing behind them yet.
    package func reserve(positions: Int) throws -> KVRange {
        try KVRange(self, blocks: KVShape.blocks(positions))
    }

    /// True if the system holds memory for a block.
    package func hasMemory(_ block: Int) -> Bool {
        mnm_memory_file_holds(file, block * shape.blockBytes, shape.blockBytes) != 0
    }

    fileprivate func map(
        _ block: Int, count: Int, at address: UnsafeMutableRawPointer, writable: Bool
    ) -> Bool {
        // What is shared or handed over is there already: its pages are entered at once, not one
        // fault after the other.
        let isThere = !writable || isFullyMapped[block..<block + count].allSatisfy { $0 }
        let flags = MAP_SHARED | MAP_FIXED | (isThere ? populate : 0)
        let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
        if fails?(.mapping) == true { return false }
        let mapped = mmap(
            address, count * shape.blockBytes, protection, flags, file,
            off_t(block * shape.blockBytes))
        guard mapped != MAP_FAILED else { return false }
        advise(address, count * shape.blockBytes)
        return true
    }

    #if os(Linux)
        private let populate = MAP_POPULATE
    #else
        private let populate: Int32 = 0
    #endif
}

/// A sequence's addresses: blocks of the arena, one behind the other.
package final class KVRange: @unchecked Sendable {
    private let arena: KVArena
    private let base: UnsafeMutableRawPointer
    private let reservation: KVArena.Reservation?
    /// The blocks, in order.
    private let blocks: UnsafeMutablePointer<Int32>
    /// The view for the model. It does not keep the range alive.
    package let view: KVView

    fileprivate init(_ arena: KVArena, blocks: Int) throws {
        self.arena = arena
        let shape = arena.shape
        let side = shape.sideBytes / MemoryLayout<UInt16>.stride
        let names = UnsafeMutablePointer<Int32>.allocate(capacity: max(1, blocks))
        names.initialize(repeating: -1, count: max(1, blocks))
        self.blocks = names
        func view(_ base: UnsafeMutableRawPointer, table: UnsafePointer<Int32>?) -> KVView {
            let keys = base.assumingMemoryBound(to: UInt16.self)
            return KVView(
                keys: keys, values: keys + side, layerStride: 2 * side,
                blockStride: shape.blockBytes / MemoryLayout<UInt16>.stride, table: table,
                blocks: names, capacity: blocks * KVShape.blockTokens)
        }
        if arena.addressing == .table {
            (base, reservation) = (arena.pointer(0), nil)
            self.view = view(base, table: names)
            return
        }
        guard
            let reserved = KVArena.Reservation(
                max(1, blocks) * shape.blockBytes, isHuge: shape.fillsHugePages)
        else {
            throw KVError(
                .outOfMemory,
                "The system gives no addresses for \(blocks * KVShape.blockTokens) tokens. End other requests, or ask for fewer tokens."
            )
        }
        reservation = reserved
        base = reserved.base
        self.view = view(base, table: nil)
    }

    deinit { blocks.deallocate() }

    /// Puts blocks behind the addresses from block `index` on. What is shared cannot be written.
    ///
    /// - Throws: ``KVError`` if the system has no room for more mappings.
    package func map(_ blocks: some Collection<Int>, at index: Int, writable: Bool) throws {
        for (i, block) in blocks.enumerated() { self.blocks[index + i] = Int32(block) }
        var rest = arena.addressing == .aliases ? Array(blocks)[...] : []
        var index = index
        while let first = rest.first {
            var count = 1
            while count < rest.count, rest[rest.startIndex + count] == first + count { count += 1 }
            guard
                arena.map(
                    first, count: count, at: base + index * arena.shape.blockBytes,
                    writable: writable)
            else {
                throw KVError(
                    .outOfMemory,
                    "The system has no room for more mappings (vm.max_map_count). End other requests."
                )
            }
            rest = rest.dropFirst(count)
            index += count
        }
    }
}
