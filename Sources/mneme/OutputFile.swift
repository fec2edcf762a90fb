import Foundation
import Mneme
import MnemeStore

/// A file that is there whole or not at all: it is written beside the target first.
enum OutputFile {
    /// - Parameters:
    ///   - permissions: of the file.
    ///   - body: writes, piece by piece.
    /// - Throws: ``Mneme/InputError`` if it cannot be written, and what `body` throws.
    static func write(_ path: String, permissions: Int = 0o644, _ body: ((Data) throws -> Void) async throws -> Void) async throws {
        let partial = path + ".partial"
        guard FileManager.default.createFile(atPath: partial, contents: nil, attributes: [.posixPermissions: permissions]),
            let handle = FileHandle(forWritingAtPath: partial)
        else { throw InputError("\(path) cannot be written.") }
        do {
            try await body { try handle.write(contentsOf: $0) }
            try handle.synchronize()
            try handle.close()
            guard rename(partial, path) == 0 else { throw InputError("\(path) cannot be written: \(String(cString: strerror(errno))).") }
        } catch {
            unlink(partial)
            if error is InputError || error is StoreError || error is AccessError { throw error }
            throw InputError("Writing \(path) failed: \(error.localizedDescription)")
        }
    }
}
