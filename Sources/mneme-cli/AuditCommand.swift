import ArgumentParser
import Crypto
import Foundation
import MnemeBase
import MnemeSeal
import Mneme
import MnemeStore

extension Home {
    static var auditKey: String {
        ProcessInfo.processInfo.environment["MNEME_AUDIT_KEY"] ?? folder + "/audit.key"
    }

    /// The key that signs the audit log; made when it is first needed.
    static func signingKey() throws -> Curve25519.Signing.PrivateKey {
        try signingKey(at: auditKey)
    }

    /// Signs packages.
    static let packageKey = folder + "/vault.key"
    /// What opens and signs packages again; a key that is not there is not made.
    static var packageKeys: PackageKeys {
        PackageKeys(
            signing: FileManager.default.fileExists(atPath: packageKey)
                ? try? signingKey(at: packageKey) : nil,
            passphrase: VaultCommand.Passphrase.ofEnvironment)
    }

    /// An Ed25519 key that lies in a file; made when it is first needed.
    static func signingKey(at path: String) throws -> Curve25519.Signing.PrivateKey {
        if !FileManager.default.fileExists(atPath: path) {
            do {
                try Privacy.makeFolder(parent(of: path))
                // Of two processes that are the first, one's key stays.
                try AtomicFile.write(
                    Curve25519.Signing.PrivateKey().rawRepresentation, to: path, .ifAbsent)
            } catch let error as FileError {
                throw InputError(
                    "\(error.description) It would hold a key; MNEME_AUDIT_KEY names another place for that of the audit log."
                )
            }
        }
        guard let data = FileManager.default.contents(atPath: path),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data)
        else {
            throw InputError(
                "\(path) is not a key of 32 bytes. Restore it, or remove it: a new one is made, and older signatures are then of another key."
            )
        }
        return key
    }
}

/// audit: who read and changed what.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show, export and verify the log of every read, write and refusal.",
        discussion: """
            The log names memories, never what they say. Each entry carries the hash of the one before; the log is signed with \
            $MNEME_HOME/audit.key (or $MNEME_AUDIT_KEY: keep it where who can change the store cannot read it).
            """,
        subcommands: [Verify.self, Export.self, Shorten.self, List.self],
        defaultSubcommand: List.self)

    private static let caller = Caller(.local, operation: "audit")

    /// Calls `body` with the log's pages.
    private static func forEachPage(
        _ store: SQLiteMemoryStore, after: Int64, _ body: ([AuditEntry]) throws -> Bool
    )
        throws
    {
        var after = after
        while true {
            let page = try store.auditEntries(after: after, limit: 1_000, by: caller)
            guard let last = page.last, try body(page) else { return }
            after = last.position
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the last entries.")
        @OptionGroup var store: StoreFileOptions
        @Option(help: "So many.") var limit = 20
        @Option(
            help: ArgumentHelp(
                "Only of this principal, such as local or key:NAME.", valueName: "name"))
        var principal: String?
        @Option(help: ArgumentHelp("Only where this memory was read or changed.", valueName: "id"))
        var memory: String?
        @Flag(help: "Only refusals.") var refused = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard (1...100_000).contains(limit) else {
                throw InputError("The limit lies between 1 and 100000.")
            }
            let wanted = try memory.map { text in
                guard let id = CubeID(text) else {
                    throw InputError("'\(text)' is not a memory's id.")
                }
                return id
            }
            var found: [AuditEntry] = []
            try AuditCommand.forEachPage(try store.open(), after: 0) { page in
                found += page.filter { entry in
                    (principal == nil || entry.principal == principal)
                        && (!refused || entry.outcome == .refused)
                        && (wanted.map(entry.cubes.contains) ?? true)
                }
                if found.count > limit { found.removeFirst(found.count - limit) }
                return true
            }
            if json { return print(try OperationTable.encode(found, pretty: true)) }
            if found.isEmpty { print("There are no such entries.") }
            for entry in found {
                let whose =
                    entry.owner.map { $0.tenant == "default" ? $0.user : "\($0.tenant)/\($0.user)" }
                    ?? "-"
                let what =
                    entry.count == 1 && !entry.cubes.isEmpty
                    ? entry.cubes[0].description
                    : entry.count == 0 ? "-" : "\(entry.count) memories"
                let note = [
                    entry.outcome == .done ? nil : entry.outcome.rawValue.uppercased(),
                    entry.detail, entry.reason,
                ].compactMap(\.self).joined(
                    separator: "; ")
                print(
                    Terminal.line(
                        "\(entry.position)  \(DateText.format(entry.time))  \(entry.principal)  \(entry.operation)  user \(whose)  \(what)\(note.isEmpty ? "" : "  " + note)"
                    )
                )
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the log as JSON lines: every entry, then every signature.")
        @OptionGroup var store: StoreFileOptions
        @Option(help: "Continue after this entry.") var after: Int64 = 0

        func run() async throws {
            let store = try store.open()
            try AuditCommand.forEachPage(store, after: after) { page in
                for entry in page { print(try OperationTable.encode(entry)) }
                return true
            }
            for checkpoint in try store.auditCheckpoints(by: AuditCommand.caller) {
                print(try OperationTable.encode(checkpoint))
            }
        }
    }

    struct Shorten: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move old entries to a file.",
            discussion:
                "A signature stands in their place, so that the rest, and every memory's history, can be verified as before. Keep the file."
        )
        @OptionGroup var store: StoreFileOptions
        @Option(help: ArgumentHelp("What is older goes, such as 2026-01-01.", valueName: "date"))
        var before: String
        @Option(
            name: .customLong("to"),
            help: ArgumentHelp(
                "The file, as JSON lines; it must not be there yet.", valueName: "file")) var file: String

        func run() async throws {
            guard let time = DateText.parse(before) else {
                throw InputError("'\(before)' is no date such as 2026-01-01.")
            }
            guard try AtomicFile.write(Data(), to: file, .ifAbsent) else {
                throw InputError("\(file) is there already.")
            }
            guard let handle = FileHandle(forWritingAtPath: file) else {
                throw FileError(file)
            }
            let count: Int, store: SQLiteMemoryStore
            do {
                store = try self.store.open()
                count = try store.shortenAudit(before: time, by: AuditCommand.caller) { page in
                    // On disk before anything is taken away.
                    do {
                        for entry in page {
                            try handle.write(
                                contentsOf: Data((OperationTable.encode(entry) + "\n").utf8))
                        }
                        try handle.synchronize()
                    } catch {
                        throw FileError(file).adding("Nothing was taken away.")
                    }
                }
            } catch {
                unlink(file)
                throw error
            }
            if count == 0 { unlink(file) }
            // From here on the file holds what the store does not, whatever happens.
            if count > 0 { try store.compact() }
            print(count == 0 ? "Nothing is older." : "\(count) entries are in \(file).")
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Check that nothing in the log and the journal was changed, taken out or put in.",
            discussion:
                "Note the printed end somewhere else; a later `--head` finds out whether the log was cut off or written anew."
        )
        @OptionGroup var store: StoreFileOptions
        @Option(
            help: ArgumentHelp("An end that an earlier run printed: PLACE:HASH.", valueName: "end"))
        var head: String?
        @Option(
            help: ArgumentHelp(
                "A public key to trust, in hex; this machine's if left out.", valueName: "key"))
        var key: [String] = []
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            func bytes(_ hex: String) throws -> Data {
                guard let data = Hexadecimal.bytes(hex.lowercased()), data.count == 32 else {
                    throw InputError("'\(hex.prefix(80))' is not 64 hex digits.")
                }
                return data
            }
            let noted = try head.map { text in
                let parts = text.split(separator: ":")
                guard parts.count == 2, let position = Int64(parts[0]) else {
                    throw InputError("An end looks like 120:4f2a….")
                }
                return (position: position, hash: try bytes(String(parts[1])))
            }
            let trusted =
                key.isEmpty
                ? [try Home.signingKey().publicKey.rawRepresentation] : try key.map(bytes)
            let report = try store.open().verifyAudit(
                keys: trusted, head: noted, by: AuditCommand.caller)
            if json {
                print(try OperationTable.encode(report, pretty: true))
            } else {
                for finding in report.findings { print("WRONG  \(finding)") }
                if report.findings.isEmpty {
                    print(
                        "The log is whole: \(report.entries) entries, \(report.checkpoints) signatures, each memory's history as it was written."
                    )
                }
                if report.begin > 1 {
                    print(
                        "It begins at entry \(report.begin); what was before was moved to a file.")
                }
                if report.unaudited > 0 {
                    print("\(report.unaudited) changes are older than the log.")
                }
                print("key  \(trusted.map { Hexadecimal.string($0) }.joined(separator: ", "))")
                print("end  \(report.position):\(Hexadecimal.string(report.head))")
            }
            if !report.findings.isEmpty { throw ExitCode(1) }
        }
    }
}
