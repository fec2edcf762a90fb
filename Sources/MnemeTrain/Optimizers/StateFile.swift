import Foundation
import MnemeBase

/// A file without a name that is read and written at multiples of a page, past the system's cache where
/// the file system can do so: what goes through it takes no memory but the caller's.
final class StateFile: @unchecked Sendable {
    // Sendable: a descriptor, which calls at places of their own may share.
    /// Addresses, places and sizes are multiples of it.
    static let page = 4096
    /// True if the system's cache is gone around.
    let isDirect: Bool
    private let file: Int32
    private let path: String

    /// - Throws: ``FileError`` if it cannot be made; class `full` for a full disk.
    init(bytes: Int) throws {
        path = NSTemporaryDirectory() + "mneme-state-" + UUID().uuidString
        let flags = O_RDWR | O_CREAT | O_EXCL
        // O_DIRECT, which Swift does not import; not every file system has it.
        #if os(Linux) && arch(x86_64)
            let direct: Int32 = 0x4000
        #elseif os(Linux)
            let direct: Int32 = 0x10000
        #else
            let direct: Int32 = 0
        #endif
        var opened = open(path, flags | direct, 0o600)
        isDirect = opened >= 0 && direct != 0
        if opened < 0 {
            unlink(path)
            opened = open(path, flags, 0o600)
        }
        file = opened
        guard file >= 0 else { throw FileError(path, "cannot be made") }
        unlink(path)
        #if os(Linux)
            let failure = posix_fallocate(file, 0, off_t(max(bytes, Self.page)))
            guard failure == 0 else {
                close(file)
                throw FileError(path, "cannot have \(bytes) bytes", code: failure)
            }
        #endif
    }

    deinit { close(file) }

    /// - Throws: ``FileError`` if fewer bytes than wanted come.
    func read(_ offset: Int, _ bytes: Int, into memory: UnsafeMutableRawPointer) throws {
        try all(bytes, "cannot be read") { pread(file, memory + $0, bytes - $0, off_t(offset + $0)) }
    }

    /// - Throws: ``FileError`` if not all bytes can be written.
    func write(_ offset: Int, _ bytes: Int, from memory: UnsafeRawPointer) throws {
        try all(bytes, "cannot be written") { pwrite(file, memory + $0, bytes - $0, off_t(offset + $0)) }
    }

    private func all(_ bytes: Int, _ failure: String, _ call: (Int) -> Int) throws {
        var done = 0
        while done < bytes {
            let count = call(done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError(path, failure) }
            done += count
        }
    }
}

/// Memory of whole pages, at a multiple of a page: its own, or a part of memory that is idle.
final class PageBuffer: @unchecked Sendable {
    // Sendable: its user hands it from thread to thread.
    let pointer: UnsafeMutableRawPointer
    let count: Int
    private let owner: AnyObject?

    /// Of its own, counted at its exact size.
    init(_ bytes: Int, _ arena: TrainingArena) {
        count = padded(bytes, StateFile.page)
        pointer = .allocate(byteCount: count, alignment: StateFile.page)
        pointer.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        owner = nil
        arena.add(count, .optimizer)
    }

    /// In memory that is counted already; nil if it is too small.
    init?(_ bytes: Int, in idle: UnsafeMutableRawPointer, of size: Int, _ owner: AnyObject) {
        let from = padded(Int(bitPattern: idle), StateFile.page)
        count = padded(bytes, StateFile.page)
        guard let start = UnsafeMutableRawPointer(bitPattern: from), start + count <= idle + size else { return nil }
        (pointer, self.owner) = (start, owner)
    }

    deinit { if owner == nil { pointer.deallocate() } }
}
