import ArgumentParser
import Foundation
import MnemeBase
import MnemeKV
import MnemeSeal
import MnemeStore

/// `mneme encryption`: turns encryption at rest on and off and exchanges keys. The key itself is
/// never stored here: it comes from `MNEME_KEY_FILE`, `MNEME_KEY` or `MNEME_KEY_COMMAND`.
///
/// For whoever runs the store on a disk that others may read. Without the key nothing can be read
/// again; a copy of it belongs elsewhere.
struct EncryptionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encryption", abstract: "Encrypt what lies on disk, and exchange the key.",
        discussion: """
            The store, its log and indexes, and computed keys and values are encrypted (AES-256-GCM) once this is on. The key is 64 hexadecimal digits. \
            Every command takes it from the file that MNEME_KEY_FILE names, from MNEME_KEY, or from what MNEME_KEY_COMMAND prints (`pass show mneme`). \
            Without the key nobody reads the memories again: keep a copy elsewhere. A new store is encrypted if there is a key. \
            Not encrypted: models, API keys (hashes), signing keys, subscriptions to vaults with their servers' keys, names of kept blocks (hashes of what they \
            hold), files that you export.
            """,
        subcommands: [Status.self, On.self, Rotate.self, Off.self], defaultSubcommand: Status.self)

    /// Paths of the store, its indexes, and the KV cache that goes with the usual store.
    ///
    /// - Returns: no KV cache for a store that `--store` names, as the cache belongs to
    ///   `$MNEME_HOME`.
    /// - Throws: `InputError` for a database.
    static func folders(_ store: StoreFileOptions) throws -> (
        store: String, kv: String?, index: String
    ) {
        let path = try store.filePath()
        return (
            path,
            path == Home.store && FileManager.default.fileExists(atPath: Home.kv) ? Home.kv : nil,
            path + ".index"
        )
    }

    /// Reads a key from a file, or makes it and the file.
    ///
    /// - Throws: `InputError` for a file that cannot be read, `SealError` for one that holds no
    ///   key, `FileError` if it cannot be made.
    static func key(in file: String) throws -> EncryptionKey {
        if FileManager.default.fileExists(atPath: file) { return try Home.encryptionKey(at: file) }
        // A file that is not there is made, with a key that is random.
        let key = EncryptionKey()
        // Of two processes that make the file at once, one's key stays.
        guard try AtomicFile.write(Data((key.text + "\n").utf8), to: file, .ifAbsent) else {
            return try Home.encryptionKey(at: file)
        }
        print(
            "A new key is in \(file). Without it nobody reads the memories again: keep a copy elsewhere."
        )
        return key
    }

    /// Writes the store, and the KV blocks that go with it, again: decrypted with one key,
    /// encrypted with another. The vector indexes are removed, as they are made again from the
    /// store.
    ///
    /// Nil stands for no encryption.
    ///
    /// - Throws: `StoreError` if another program uses the store, `SealError` for a wrong key,
    ///   `FileError` for a full disk.
    static func rewrite(
        _ store: StoreFileOptions, from old: EncryptionKey?, to new: EncryptionKey?
    ) throws {
        let (path, kv, index) = try folders(store)
        let line = ProgressLine()
        let pages = try SQLiteMemoryStore.rewrite(path, from: old, to: new) { done, total in
            line.show(done, total, "pages")
        }
        line.end()
        // They are made again from the store.
        try? FileManager.default.removeItem(atPath: index)
        if store.store == nil { try rewriteCache(from: old, to: new) }
        let blocks = try kv.map { try KVFolder.rewrite($0, from: old, to: new) } ?? 0
        print(
            "\(path): \(pages) pages \(new == nil ? "decrypted" : "encrypted")\(blocks > 0 ? ", and \(blocks) blocks of keys and values" : "")."
        )
    }

    /// Writes the cache of answers again, as the store; it goes with the usual store alone.
    private static func rewriteCache(from old: EncryptionKey?, to new: EncryptionKey?) throws {
        let path = Home.cache
        guard FileManager.default.fileExists(atPath: path),
            SQLiteMemoryStore.isEncrypted(path) == (old != nil)
        else { return }
        try SQLiteMemoryStore.rewrite(path, from: old, to: new)
    }
}
