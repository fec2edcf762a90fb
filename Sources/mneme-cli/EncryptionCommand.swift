import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeKV
import MnemeSeal
import MnemeStore

extension Home {
    /// The key that encrypts what lies in ``folder``: from a file, the environment, or a command
    /// that prints it. Nil if none is named.
    static func encryptionKey() throws -> EncryptionKey? {
        let environment = ProcessInfo.processInfo.environment
        let named = ["MNEME_KEY_FILE", "MNEME_KEY", "MNEME_KEY_COMMAND"].filter {
            environment[$0].map { !$0.isEmpty } ?? false
        }
        guard let name = named.first, let value = environment[name] else { return nil }
        guard named.count == 1 else {
            throw InputError("\(named.joined(separator: " and ")) are set. Set one of them.")
        }
        switch name {
        case "MNEME_KEY_FILE": return try encryptionKey(at: value)
        case "MNEME_KEY": return try EncryptionKey(text: value)
        default: return try EncryptionKey(text: output(of: value))
        }
    }

    static func encryptionKey(at path: String) throws -> EncryptionKey {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError("The key's file \(path) cannot be read.")
        }
        return try EncryptionKey(text: String(decoding: data, as: UTF8.self))
    }

    /// What a command of the shell prints.
    private static func output(of command: String) throws -> String {
        guard let pipe = popen(command, "r") else {
            throw InputError("MNEME_KEY_COMMAND cannot be run.")
        }
        var bytes: [UInt8] = []
        while bytes.count < 4096 {
            let byte = fgetc(pipe)
            if byte == EOF { break }
            bytes.append(UInt8(byte))
        }
        guard pclose(pipe) == 0 else {
            throw InputError("MNEME_KEY_COMMAND failed: \(command.prefix(200))")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// encryption: whether what lies on disk can be read without a key.
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

    /// Where the store lies, its indexes, and the keys and values that go with the usual one.
    private static func folders(_ store: StoreFileOptions) -> (
        store: String, kv: String?, index: String
    ) {
        let path = store.store ?? Home.store
        return (
            path,
            store.store == nil && FileManager.default.fileExists(atPath: Home.kv) ? Home.kv : nil,
            path + ".index"
        )
    }

    /// Reads a key from a file, or makes it and the file.
    private static func key(in file: String) throws -> EncryptionKey {
        if FileManager.default.fileExists(atPath: file) { return try Home.encryptionKey(at: file) }
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

    private static func rewrite(
        _ store: StoreFileOptions, from old: EncryptionKey?, to new: EncryptionKey?
    ) throws {
        let (path, kv, index) = folders(store), line = ProgressLine()
        let pages = try SQLiteMemoryStore.rewrite(path, from: old, to: new) { done, total in
            line.show(done, total, "pages")
        }
        line.end()
        // They are made again from the store.
        try? FileManager.default.removeItem(atPath: index)
        let blocks = try kv.map { try KVFolder.rewrite($0, from: old, to: new) } ?? 0
        print(
            "\(path): \(pages) pages \(new == nil ? "decrypted" : "encrypted")\(blocks > 0 ? ", and \(blocks) blocks of keys and values" : "")."
        )
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what is encrypted, and whether the key that is set opens it.")
        @OptionGroup var store: StoreFileOptions

        func run() async throws {
            let (path, kv, _) = EncryptionCommand.folders(store), key = try Home.encryptionKey()
            guard FileManager.default.fileExists(atPath: path) else {
                return print(
                    "There is no store at \(path) yet; it will \(key == nil ? "not " : "")be encrypted."
                )
            }
            guard SQLiteMemoryStore.isEncrypted(path) else {
                return print(
                    "\(path) is not encrypted. `mneme encryption on --key FILE` encrypts it\(key == nil ? "" : " with the key that is set")."
                )
            }
            print("\(path) is encrypted.")
            guard let key else {
                return print("No key is set: set MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND.")
            }
            _ = try SQLiteMemoryStore(
                path: path, analyzer: MemoryOS.analyzerVersion, auditKey: Home.signingKey(),
                key: key)
            if let kv { _ = try KVFolder(path: kv, key: key) }
            print("The key that is set opens it.")
        }
    }

    struct On: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Encrypt the store and what was made of it.",
            discussion:
                "End other programs that use the store first. It is written a second time, so there must be room for that."
        )
        @OptionGroup var store: StoreFileOptions
        @Option(
            help: ArgumentHelp(
                "The key's file; made if it is not there. The key that is set if left out.",
                valueName: "file"))
        var key: String?

        func run() async throws {
            let path = EncryptionCommand.folders(store).store
            guard FileManager.default.fileExists(atPath: path) else {
                throw InputError(
                    "There is no store at \(path). With a key set, a new one is encrypted.")
            }
            guard !SQLiteMemoryStore.isEncrypted(path) else {
                throw InputError(
                    "\(path) is encrypted already. `mneme encryption rotate` exchanges the key.")
            }
            guard let used = try key.map(EncryptionCommand.key) ?? Home.encryptionKey() else {
                throw InputError(
                    "Which key? --key FILE makes one, or set MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND."
                )
            }
            try EncryptionCommand.rewrite(store, from: nil, to: used)
            if let key, ProcessInfo.processInfo.environment["MNEME_KEY_FILE"] != key {
                print(
                    "From now on: export MNEME_KEY_FILE=\(key.hasPrefix("/") ? key : FileManager.default.currentDirectoryPath + "/" + key)"
                )
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Exchange the key. The old one opens nothing then.",
            discussion: """
                The key that is set opens the store. It encrypts only the keys that the files are encrypted with, so this takes an instant, and running \
                programs go on. Who had the old key and an old copy of the files has these file keys: --rewrite makes new ones, and writes everything again.
                """)
        @OptionGroup var store: StoreFileOptions
        @Option(
            name: .customLong("to"),
            help: ArgumentHelp("The new key's file; made if it is not there.", valueName: "file"))
        var file: String
        @Flag(help: "Also write all files again, under new file keys. End other programs first.")
        var rewrite = false

        func run() async throws {
            guard let old = try Home.encryptionKey() else {
                throw InputError(
                    "Set the present key: MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND.")
            }
            let (path, kv, _) = EncryptionCommand.folders(store)
            guard SQLiteMemoryStore.isEncrypted(path) else {
                throw InputError("\(path) is not encrypted. `mneme encryption on` encrypts it.")
            }
            let new = try EncryptionCommand.key(in: file)
            guard new != old else { throw InputError("\(file) holds the present key.") }
            if rewrite {
                try EncryptionCommand.rewrite(store, from: old, to: new)
            } else {
                // The store first: if the cache fails, it can be deleted.
                try SQLiteMemoryStore.exchangeKey(path, from: old, to: new)
                if let kv { try KVFolder.exchangeKey(kv, from: old, to: new) }
                print("\(path): the key is exchanged.")
            }
            print(
                "From now on: export MNEME_KEY_FILE=\(file.hasPrefix("/") ? file : FileManager.default.currentDirectoryPath + "/" + file)"
            )
        }
    }

    struct Off: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Decrypt the store: whoever reads the disk reads the memories.",
            discussion:
                "End other programs that use the store first. If it is interrupted, FILE.rewritten may be left, readable by anybody: repeat it, or delete that."
        )
        @OptionGroup var store: StoreFileOptions

        func run() async throws {
            guard let key = try Home.encryptionKey() else {
                throw InputError(
                    "Set the present key: MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND.")
            }
            guard SQLiteMemoryStore.isEncrypted(EncryptionCommand.folders(store).store) else {
                throw InputError("The store is not encrypted.")
            }
            try EncryptionCommand.rewrite(store, from: key, to: nil)
            print("Unset the key: it is refused for a store that is not encrypted.")
        }
    }
}
