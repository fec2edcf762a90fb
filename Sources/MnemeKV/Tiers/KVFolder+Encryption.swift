import Foundation
import MnemeBase
public import MnemeSeal

/// Folders whose files are encrypted: the file `key` holds their key, encrypted with the user's.
extension KVFolder {
    private static func keyFile(_ path: String) -> String { path + "/key" }

    private static func page(_ path: String) -> Data? {
        FileManager.default.contents(atPath: keyFile(path))
    }

    /// The key of a folder's files; a folder without files gets one if the user has one.
    static func key(_ path: String, _ key: EncryptionKey?) throws -> DataKey? {
        guard let key else {
            guard page(path) == nil else { throw SealError.keyMissing(path) }
            return nil
        }
        if let page = page(path) {
            do { return try WrappedKey.open(page, name: keyFile(path), with: key) } catch let error
                as SealError
            {
                throw SealError(
                    error.code, "\(error.description) Or delete the folder \(path): it is a cache.")
            }
        }
        guard files(path).isEmpty else {
            throw SealError(
                .notEncrypted,
                "The keys and values in \(path) are not encrypted, though a key is given. `mneme encryption on` encrypts them; or delete the folder: it is a cache."
            )
        }
        try install(WrappedKey.page(DataKey(), for: key), path, .ifAbsent)
        // Another process may have been first.
        return try WrappedKey.open(page(path) ?? Data(), name: keyFile(path), with: key)
    }

    private static func install(_ page: Data, _ path: String, _ place: AtomicFile.Place) throws {
        do { try AtomicFile.write(page, to: keyFile(path), place) } catch let error as FileError {
            throw KVError(.inputOutput, error.description)
        }
    }

    /// Encrypts a folder's files with another key, or none. Nothing else may use the folder
    /// meanwhile.
    ///
    /// Blocks that cannot be read are removed: they are computed again. If it is interrupted, what
    /// is not of the folder's key is not used any more.
    ///
    /// - Returns: how many blocks.
    /// - Throws: ``KVError`` and `SealError`.
    @discardableResult
    public static func rewrite(_ path: String, from old: EncryptionKey?, to new: EncryptionKey?)
        throws -> Int
    {
        guard FileManager.default.fileExists(atPath: path) else { return 0 }
        let present = try old == nil && page(path) == nil ? nil : key(path, old)
        let next = new.map { _ in DataKey() }
        if let next, let new {
            try install(WrappedKey.page(next, for: new), path, .replacing)
        } else {
            unlink(keyFile(path))
        }
        var count = 0
        for file in files(path) {
            guard let contents = try? KVBlockFile.contents(file.path, key: present) else {
                unlink(file.path)
                continue
            }
            let former = next == nil ? nil : FileHandle(forUpdatingAtPath: file.path)
            try KVBlockFile.write(contents: contents, to: file.path, key: next)
            // The block is no younger for that; and what the former key, or nobody's, opened is not
            // left on the disk.
            try? FileManager.default.setAttributes(
                [.modificationDate: file.lastUse], ofItemAtPath: file.path)
            try? former?.write(contentsOf: Data(count: file.bytes))
            try? former?.close()
            count += 1
        }
        return count
    }

    /// Lets another key open the folder.
    ///
    /// - Throws: `SealError`, ``KVError``. At any moment one of the keys opens it.
    public static func exchangeKey(_ path: String, from old: EncryptionKey, to new: EncryptionKey)
        throws
    {
        guard let page = page(path) else { return }
        let data = try WrappedKey.open(page, name: keyFile(path), with: old)
        try install(WrappedKey.page(data, for: new), path, .replacing)
    }
}
