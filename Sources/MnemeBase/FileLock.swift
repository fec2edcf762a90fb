import Foundation

/// A lock that one process, and in it one owner, holds at a time. It ends with its owner, and with
/// the process.
///
/// It is taken on a folder, or on a file that is there for nothing else and is made if it is
/// missing.
package final class FileLock: Sendable {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    /// - Parameter seconds: how long to wait for another owner.
    /// - Returns: nil if another still holds it.
    /// - Throws: ``FileError`` if it cannot be opened or the file system knows no locks.
    package static func take(_ path: String, waiting seconds: Double = 0) throws -> FileLock? {
        try take(path, waiting: seconds, isMade: true)
    }

    private static func take(_ path: String, waiting seconds: Double, isMade: Bool) throws
        -> FileLock?
    {
        let end = Date().addingTimeInterval(seconds)
        while true {
            let descriptor = try opened(path, isMade: isMade)
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                let lock = FileLock(descriptor)
                // Whoever held it may have removed what it was taken on.
                if lock.isStill(path) { return lock }
                continue
            }
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK || code == EINTR else {
                throw FileError(path, "cannot be locked", code: code)
            }
            guard Date() < end else { return nil }
            usleep(10_000)
        }
    }

    /// Error numbers of `flock` where a file system knows no locks, or none of folders: NFS turns
    /// them into locks that need a file open for writing, as folders never are (EBADF).
    private static let unsupported: Set<Int32> = [ENOTSUP, ENOSYS, ENOLCK, EBADF]

    /// Runs `body` while no other owner holds a folder's lock. Where the file system knows no locks
    /// of folders, and only there, it runs without one.
    ///
    /// - Throws: ``FileError`` if another holds it for too long, or the folder cannot be opened, as
    ///   without a free descriptor; and what `body` throws.
    package static func holding<T>(
        folder: String, waiting seconds: Double = 60, _ body: () throws -> T
    ) throws -> T {
        let lock: FileLock?
        do { lock = try take(folder, waiting: seconds, isMade: false) } catch let error as FileError
            where unsupported.contains(error.code)
        { return try body() }
        guard let lock else {
            throw FileError(folder, "is in use by another process", code: EWOULDBLOCK)
        }
        return try withExtendedLifetime(lock) { try body() }
    }

    private static func opened(_ path: String, isMade: Bool) throws -> Int32 {
        var descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT, isMade {
            descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw FileError(path, "cannot be locked") }
        return descriptor
    }

    /// Tells whether the path still names what was locked.
    private func isStill(_ path: String) -> Bool {
        var held = stat()
        var named = stat()
        guard fstat(descriptor, &held) == 0, stat(path, &named) == 0 else { return false }
        return held.st_ino == named.st_ino && held.st_dev == named.st_dev
    }
}
