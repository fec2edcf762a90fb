package import Foundation

/// A file that is there whole or not at all, for its owner alone: it is written beside the target first.
package final class OutputFile {
    private let path: String, partial: String, handle: FileHandle
    private var isWhole = false

    /// Begins the file.
    ///
    /// - Throws: ``InputError`` if it cannot be written.
    package init(_ path: String) throws {
        (self.path, partial) = (path, path + ".partial")
        guard FileManager.default.createFile(atPath: partial, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: partial)
        else { throw InputError("\(path) cannot be written.") }
        self.handle = handle
    }

    /// Goes on with it.
    package func write(_ data: Data) throws {
        do { try handle.write(contentsOf: data) } catch { throw InputError("Writing \(path) failed: \(error.localizedDescription)") }
    }

    /// Puts it in its place, on the disk.
    package func finish() throws {
        do {
            try handle.synchronize()
            try handle.close()
        } catch { throw InputError("Writing \(path) failed: \(error.localizedDescription)") }
        guard rename(partial, path) == 0 else { throw InputError("\(path) cannot be written: \(String(cString: strerror(errno))).") }
        isWhole = true
    }

    deinit {
        guard !isWhole else { return }
        try? handle.close()
        unlink(partial)
    }
}
