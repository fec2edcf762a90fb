package import Foundation

/// A file that is there whole or not at all: it is written under another name in the same folder
/// and then renamed.
///
/// If anything fails, or it is let go of without ``finish(_:)``, nothing is left, and a file that
/// was there stays. The other name ends in the process's number and `.tmp`, so that what a killed
/// process left can be told.
package final class AtomicFile {
    /// A file's durability: how safe it is from a loss of power.
    package enum Durability: Sendable {
        /// The file may be gone or empty afterwards; for what can be made again.
        case cache
        /// Bytes and name are on the disk before ``AtomicFile/finish(_:)`` returns.
        case disk
    }

    /// The fate of a file that has the name already.
    package enum Place: Sendable { case replacing, ifAbsent }

    private let path: String, partial: String, durability: Durability
    private var descriptor: Int32, end = 0, written = 0

    /// Begins the file.
    ///
    /// - Parameter mode: its permissions; its owner's alone if left out.
    /// - Throws: ``FileError``.
    package init(_ path: String, durability: Durability = .disk, mode: mode_t = 0o600) throws {
        (self.path, self.durability) = (path, durability)
        partial = "\(path).\(UInt32.random(in: .min ... .max)).\(getpid()).tmp"
        descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileError(path) }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(partial)
    }

    /// Appends bytes.
    ///
    /// - Throws: ``FileError``.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, start + done, min(bytes.count - done, 1 << 30), off_t(end + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError(path, code: count == 0 ? ENOSPC : errno) }
            done += count
        }
        end += done
        written = end
    }

    /// Appends bytes.
    ///
    /// - Throws: ``FileError``.
    package func write(_ data: some ContiguousBytes) throws {
        try data.withUnsafeBytes { try write($0) }
    }

    /// Leaves zeros up to an offset that is not before the end.
    package func skip(to offset: Int) { end = max(end, offset) }

    /// Gives the file its name.
    ///
    /// - Returns: whether it has it: false if another has, and was to stay.
    /// - Throws: ``FileError``.
    @discardableResult
    package func finish(_ place: Place = .replacing) throws -> Bool {
        if end > written, ftruncate(descriptor, off_t(end)) != 0 { throw FileError(path) }
        if durability == .disk, fsync(descriptor) != 0 { throw FileError(path) }
        // What cannot be kept may be said only now.
        let isClosed = close(descriptor) == 0
        let code = errno
        descriptor = -1
        var isNamed = false
        defer { if !isNamed { unlink(partial) } }
        guard isClosed else { throw FileError(path, code: code) }
        switch place {
        case .replacing:
            guard rename(partial, path) == 0 else { throw FileError(path) }
            isNamed = true
        case .ifAbsent:
            // The second name goes when this returns.
            guard try Self.link(partial, path) else { return false }
        }
        if durability == .disk { Self.synchronizeFolder(of: path) }
        return true
    }

    /// Gives a file a second name, unless something has it.
    private static func link(_ file: String, _ path: String) throws -> Bool {
        if Foundation.link(file, path) == 0 { return true }
        switch errno {
        case EEXIST: return false
        // A file system without second names.
        case EPERM, ENOTSUP, ENOSYS, EMLINK:
            if access(path, F_OK) == 0 { return false }
            guard rename(file, path) == 0 else { throw FileError(path) }
            return true
        default: throw FileError(path)
        }
    }

    /// Puts a file that is whole already in its place: on the disk, with its folder.
    ///
    /// - Returns: whether it has the name now. The former name may be left.
    /// - Throws: ``FileError``.
    @discardableResult
    package static func place(_ file: String, at path: String, _ place: Place) throws -> Bool {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(file, "cannot be read") }
        let isSynchronized = fsync(descriptor) == 0
        let code = errno
        // Before it has its name: closing any descriptor of a file ends all locks that this process
        // has on it (POSIX), such as those of a database that another thread has opened by then.
        close(descriptor)
        guard isSynchronized else { throw FileError(path, code: code) }
        if place == .replacing {
            guard rename(file, path) == 0 else { throw FileError(path) }
        } else if try !link(file, path) {
            return false
        }
        synchronizeFolder(of: path)
        return true
    }

    /// Writes a whole file.
    ///
    /// - Returns: whether it is there now: false if another is, and was to stay.
    /// - Throws: ``FileError``; a file that was there is as it was.
    @discardableResult
    package static func write(
        _ data: some ContiguousBytes, to path: String, _ place: Place = .replacing,
        durability: Durability = .disk,
        mode: mode_t = 0o600
    ) throws -> Bool {
        let file = try AtomicFile(path, durability: durability, mode: mode)
        try file.write(data)
        return try file.finish(place)
    }

    /// Some file systems know no such thing; the file's own bytes are there anyway.
    private static func synchronizeFolder(of path: String) {
        let descriptor = open(parent(of: path), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}

/// The folder in which a path lies; "." if it names none.
package func parent(of path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return folder.isEmpty ? "." : folder
}
