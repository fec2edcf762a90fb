import Foundation
import MnemeBase

/// A file without a name in the folder for temporary files, mapped into memory: what is written to
/// it can leave memory, and goes with the process.
final class SwapFile {
    let pointer: UnsafeMutableRawPointer
    let count: Int

    /// - Throws: ``FileError`` if it cannot be made; class `full` for a full disk.
    init(bytes: Int) throws {
        let path = NSTemporaryDirectory() + "mneme-swap-" + UUID().uuidString
        count = max(bytes, 1)
        let file = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard file >= 0 else { throw FileError(path, "cannot be made") }
        defer { close(file) }
        unlink(path)
        #if os(Linux)
            let failure = posix_fallocate(file, 0, off_t(count))
            guard failure == 0 else {
                throw FileError(path, "cannot have \(count) bytes", code: failure)
            }
        #else
            guard ftruncate(file, off_t(count)) == 0 else {
                throw FileError(path, "cannot have \(count) bytes")
            }
        #endif
        guard
            let mapped = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
            mapped != MAP_FAILED
        else { throw FileError(path, "cannot be mapped") }
        pointer = mapped
    }

    deinit { munmap(pointer, count) }

    /// Lets pages of a part leave memory; they come back when they are read.
    func release(_ offset: Int, _ bytes: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let begin = (offset + page - 1) / page * page
        let end = (offset + bytes) / page * page
        if begin < end { madvise(pointer + begin, end - begin, MADV_DONTNEED) }
    }
}
