package import Foundation

/// An object as it was read, and what tells this version of it from others.
package struct StoredObject: Sendable, Equatable {
    /// Its bytes.
    package let data: Data
    /// The place's own mark of this version (`ETag`); empty where a lock makes it needless.
    package let version: String

    /// An object.
    package init(_ data: Data, version: String = "") { (self.data, self.version) = (data, version) }
}

/// A place where whole objects lie by name: a folder, or a bucket of another machine.
///
/// An object is there whole or not at all. All calls wait for disk or network: they are made from
/// threads that answer no requests.
package protocol ObjectPlace: Sendable {
    /// What messages and logs call it; without credentials.
    var name: String { get }
    /// False where a write may take long, as over a network.
    var isNear: Bool { get }
    /// The names of all objects.
    func names() throws -> [String]
    /// An object; nil if there is none of this name.
    func read(_ name: String) throws -> StoredObject?
    /// Writes an object, in place of one that has the name.
    func write(_ data: Data, as name: String) throws
    /// Writes an object if the name still has the version that was read.
    ///
    /// - Parameter former: what was read; nil if there was none.
    /// - Returns: what stands there now; nil, and nothing is written, if another has written it since.
    func replace(_ name: String, with data: Data, former: StoredObject?) throws -> StoredObject?
    /// Removes an object; nothing if it is not there.
    func remove(_ name: String) throws
    /// Runs `body` while no other process does so, where the place knows locks.
    func alone<T>(_ body: () throws -> T) throws -> T
}

/// A folder as a place of objects, each a file.
package struct FolderPlace: ObjectPlace {
    /// Its path.
    package let path: String
    /// The path.
    package var name: String { path }

    /// It is on a disk of this machine.
    package var isNear: Bool { true }

    /// A folder, which is made with the first object.
    package init(_ path: String) { self.path = URL(fileURLWithPath: path).standardizedFileURL.path }

    private var isThere: Bool { FileManager.default.fileExists(atPath: path) }

    /// The names of its files, those among them that a killed process left half-written.
    package func names() throws -> [String] {
        guard isThere else { return [] }
        do { return try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw FileError(path, "cannot be read", code: EACCES)
        }
    }

    package func read(_ name: String) throws -> StoredObject? {
        let file = path + "/" + name
        guard access(file, F_OK) == 0 else { return nil }
        do { return StoredObject(try Data(contentsOf: URL(fileURLWithPath: file))) } catch {
            throw FileError(file, "cannot be read", code: EIO)
        }
    }

    package func write(_ data: Data, as name: String) throws {
        let file = try AtomicFile(path + "/" + name)
        try file.write(data)
        try file.finish()
    }

    /// The lock keeps others out, so that nothing has changed.
    package func replace(_ name: String, with data: Data, former: StoredObject?) throws -> StoredObject? {
        try write(data, as: name)
        return StoredObject(data)
    }

    package func remove(_ name: String) throws {
        guard unlink(path + "/" + name) == 0 || errno == ENOENT else {
            throw FileError(path + "/" + name, "cannot be removed")
        }
    }

    /// - Throws: ``FileError`` if another process works there.
    package func alone<T>(_ body: () throws -> T) throws -> T {
        try Privacy.makeFolder(path)
        return try FileLock.holding(folder: path, waiting: 0, body)
    }
}
