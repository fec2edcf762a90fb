import CMnemeMemory
import MnemeBase

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Zeroed memory that grows in place: address space is reserved at once, pages come when they are
/// touched. Its beginning can be a file's: pages of it are read when they are touched, and copied
/// when they are changed.
final class Region<Element: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: owners say who writes where.
    /// The first element. It stays where it is unless the region grows beyond its address space.
    private(set) var base: UnsafeMutablePointer<Element>
    /// Elements that there is address space for.
    private(set) var capacity: Int
    /// Bytes at the beginning that are a file's, up to a page's end.
    private var mapped = 0

    /// Bytes of address space; a mapping of none is refused by the system.
    private var bytes: Int { max(1, capacity) * MemoryLayout<Element>.stride }

    /// - Throws: ``IndexError`` if the system refuses.
    init(capacity: Int) throws {
        self.capacity = capacity
        base = try Self.reserve(max(1, capacity) * MemoryLayout<Element>.stride)
    }

    deinit { munmap(base, bytes) }

    /// Takes address space that costs memory only where it is written.
    private static func reserve(_ bytes: Int) throws -> UnsafeMutablePointer<Element> {
        var flags = MAP_PRIVATE | MAP_ANON
        #if canImport(Glibc)
            flags |= MAP_NORESERVE
        #endif
        guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, flags, -1, 0),
            memory != MAP_FAILED
        else {
            throw IndexError(
                .full,
                "The system gives no room for \(bytes >> 20) MiB more of the index (\(errnoText()))."
            )
        }
        return memory.bindMemory(to: Element.self, capacity: bytes / MemoryLayout<Element>.stride)
    }

    /// Puts `count` elements of a file at the beginning. `offset` is a multiple of the page size.
    func map(_ file: Int32, offset: Int, count: Int) throws {
        precondition(count <= capacity)
        let length = count * MemoryLayout<Element>.stride
        guard length > 0 else { return }
        let memory = mmap(
            base, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, off_t(offset))
        guard memory != MAP_FAILED else {
            throw IndexError(.unavailable, "An index file cannot be mapped (\(errnoText())).")
        }
        let page = Int(getpagesize())
        mapped = (length + page - 1) / page * page
    }

    /// Gives the pages behind the first `used` elements back to the system; what was there is lost.
    func discard(behind used: Int) {
        let page = Int(getpagesize())
        let start = (used * MemoryLayout<Element>.stride + page - 1) / page * page
        if start < bytes {
            madvise(UnsafeMutableRawPointer(base) + start, bytes - start, MADV_DONTNEED)
        }
    }

    /// Makes room for `wanted` elements, and some more; the first `used` are kept. Nobody else may be
    /// reading.
    func grow(to wanted: Int, used: Int) throws {
        guard wanted > capacity else { return }
        try resize(to: max(wanted, capacity * 4), used: used)
    }

    /// Makes room for `wanted` elements and no more; the first `used` are kept. Nobody else may be
    /// reading.
    ///
    /// - Complexity: pages move with what they hold, where the system can do that (Linux); elsewhere
    ///   they are copied.
    func resize(to wanted: Int, used: Int) throws {
        guard wanted > capacity else { return }
        let new = try Self.reserve(wanted * MemoryLayout<Element>.stride)
        let (old, whole) = (UnsafeMutableRawPointer(base), bytes)
        let page = Int(getpagesize())
        let end = min(whole, (used * MemoryLayout<Element>.stride + page - 1) / page * page)
        // A file's pages and others are mappings by themselves.
        for part in [0..<min(mapped, end), min(mapped, end)..<end] where !part.isEmpty {
            let (from, to) = (old + part.lowerBound, UnsafeMutableRawPointer(new) + part.lowerBound)
            guard mnm_memory_move(from, to, part.count) != 0 else { continue }
            to.copyMemory(from: from, byteCount: part.count)
            munmap(from, part.count)
        }
        if end < whole { munmap(old + end, whole - end) }
        (base, capacity) = (new, wanted)
        mapped = min(mapped, end)
    }
}
