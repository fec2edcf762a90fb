import Foundation

/// What the system says of an error number, such as "No space left on device".
package func errnoText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

/// Why a file or folder could not be written, made or locked. It names the path and what the system said.
package struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Which file or folder.
    package let path: String
    /// The system's error number.
    package let code: Int32
    private let action: String

    /// - Parameter action: how the sentence goes on, such as "cannot be written".
    package init(_ path: String, _ action: String = "cannot be written", code: Int32 = errno) {
        (self.path, self.action, self.code) = (path, action, code)
    }

    /// Whether there is no room: the disk, a quota or the largest size of a file.
    package var isFull: Bool { [ENOSPC, EDQUOT, EFBIG].contains(code) }

    package var description: String { "\(path) \(action): \(errnoText(code))." }
}
