import Foundation

/// The system's words for an error number, such as "No space left on device".
package func errnoText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

/// A failure to read, write, make or lock a file or folder. It names the path and what the system
/// said.
package struct FileError: MnemeError, Equatable {
    /// The path of the file or folder.
    package let path: String
    /// The system's error number; 0 where the content is at fault.
    package let code: Int32
    /// The class that status and exit code follow from.
    package let errorClass: ErrorClass
    /// The sentence for users: which file, and what the system said.
    package let message: String

    /// An error of the system.
    ///
    /// - Parameter action: how the sentence goes on, such as "cannot be written".
    package init(_ path: String, _ action: String = "cannot be written", code: Int32 = errno) {
        self.init(
            path, code, Self.isFull(code) ? .full : .unavailable,
            "\(path) \(action): \(errnoText(code)).")
    }

    /// A file that does not hold what it should.
    ///
    /// - Parameter action: how the sentence goes on, with its end, such as "is not a key file.
    ///   Restore it."
    package static func damaged(_ path: String, _ action: String) -> FileError {
        FileError(path, 0, .corrupt, "\(path) \(action)")
    }

    private init(_ path: String, _ code: Int32, _ errorClass: ErrorClass, _ message: String) {
        (self.path, self.code, self.errorClass, self.message) = (path, code, errorClass, message)
    }

    /// True if there is no room: the disk, a quota or the largest size of a file.
    package var isFull: Bool { Self.isFull(code) }

    private static func isFull(_ code: Int32) -> Bool { [ENOSPC, EDQUOT, EFBIG].contains(code) }

    /// The same error with a sentence on what follows from it.
    package func adding(_ consequence: String) -> FileError {
        FileError(path, code, errorClass, "\(message) \(consequence)")
    }
}
