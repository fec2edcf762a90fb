import CMnemeMemory

#if canImport(Glibc)
    import Glibc
#endif

/// Memory whose pages are a file's that has no name: what is written there need not stay in memory, and
/// goes with this value, however the process ends.
///
/// Its address stays; it grows in steps, and with each the pages before it are given back: they are in
/// the file, and the system's to keep or to write to the disk.
final class SpillFile: @unchecked Sendable {
    // Sendable: changed only by who holds the one reference to the column that it belongs to.
    /// The first byte.
    let base: UnsafeMutableRawPointer
    /// Bytes that there are.
    private(set) var byteCount = 0
    private let file: Int32

    /// Address space, which costs nothing.
    private static let reserved = 1 << 36
    /// Bytes by which it grows.
    private static let step = 8 << 20

    /// - Parameter folder: on the disk that is to hold it.
    /// - Returns: nil where there is no such file, or no address space; memory has to do then.
    init?(in folder: String) {
        #if canImport(Glibc)
            let path = "\(folder)/spill.\(UInt32.random(in: .min ... .max)).\(getpid()).tmp"
            let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { return nil }
            unlink(path)
            guard
                let base = mmap(
                    nil, Self.reserved, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0),
                base != MAP_FAILED
            else {
                close(file)
                return nil
            }
            (self.base, self.file) = (base, file)
        #else
            return nil
        #endif
    }

    deinit {
        #if canImport(Glibc)
            munmap(base, Self.reserved)
            close(file)
        #endif
    }

    /// Makes room for so many bytes; those before stay.
    ///
    /// - Returns: false if the disk is full: nothing has changed then.
    func grow(to wanted: Int) -> Bool {
        #if canImport(Glibc)
            let bytes = (wanted + Self.step - 1) / Self.step * Self.step
            // Room that is not there when a page is written would end the process.
            guard bytes <= Self.reserved, posix_fallocate(file, 0, off_t(bytes)) == 0 else { return false }
            let part = mmap(
                base + byteCount, bytes - byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                off_t(byteCount))
            guard part != MAP_FAILED else { return false }
            release(0..<byteCount)
            byteCount = bytes
            return true
        #else
            return false
        #endif
    }

    /// Gives pages back to the system, which are read from the file when they are touched again.
    func release(_ range: Range<Int>) {
        #if canImport(Glibc)
            if !range.isEmpty { madvise(base + range.lowerBound, range.count, MADV_DONTNEED) }
        #endif
    }
}
