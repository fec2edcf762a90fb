import ArgumentParser
import Crypto
import Foundation
import MnemeBase
import MnemeSeal
import Mneme
import MnemeHub
import MnemeStore

/// vault: memories as a whole, and on their way between stores.
struct VaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault",
        abstract: "Create, list, share, pack, take in, merge and compare vaults.",
        discussion: """
            A vault is all that is remembered for one user of a tenant; a team's or a project's is a user that nobody is (`--user NAME` elsewhere). \
            A package carries a vault to another store, with history and checksum; it can be signed and sealed.
            """,
        subcommands: [
            Create.self, List.self, OperationCommand<ShareOperation>.self, Export.self,
            Exports.self, Inspect.self,
            Import.self, Merge.self, Diff.self,
            Subscribe.self,
            Pull.self,
        ])

    private static func caller(_ operation: String) -> Caller {
        Caller(.local, operation: "vault \(operation)")
    }

    /// Runs what takes memories in, with its progress shown and the store closed behind it.
    private static func taking(
        _ store: StoreOptions,
        _ body: (MemoryOS, @escaping @Sendable (Int, Int, String) -> Void) async throws ->
            VaultReport
    ) async throws -> VaultReport {
        let memory = try store.open(), progress = ProgressLine()
        do {
            let report = try await body(memory) { progress.show($0, $1, $2) }
            progress.end()
            await memory.close()
            return report
        } catch {
            progress.end()
            await memory.close(deadline: .zero)
            throw error
        }
    }

    /// Where a passphrase comes from.
    struct Passphrase: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "A file with the passphrase; MNEME_PASSPHRASE has it otherwise.", valueName: "file")
        )
        var passphrase: String?

        static var ofEnvironment: String? {
            ProcessInfo.processInfo.environment["MNEME_PASSPHRASE"].flatMap {
                $0.isEmpty ? nil : $0
            }
        }

        func read() throws -> String? {
            guard let passphrase else { return Self.ofEnvironment }
            guard let text = try? String(contentsOfFile: passphrase, encoding: .utf8) else {
                throw InputError("\(passphrase) cannot be read.")
            }
            return text.trimmingCharacters(in: .newlines)
        }
    }

    struct Tenant: ParsableArguments {
        @Option(help: "The vaults' tenant.") var tenant = "default"
        func owner(_ name: String) throws -> Owner {
            try Principal.local.owner(tenant: tenant, user: name)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an empty vault, to be shared and filled.")
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var tenant: Tenant
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            guard try store.open().create(tenant.owner(name), by: VaultCommand.caller("create"))
            else {
                throw InputError("There is a vault '\(name)' already.")
            }
            print(
                "Made '\(name)'. `mneme remember … --user \(name)` fills it, `mneme vault share user:NAME --user \(name)` shares it."
            )
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all vaults.")
        @OptionGroup var store: StoreFileOptions
        @Flag(help: "Print JSON.") var json = false

        struct Row: Encodable {
            var vault: Owner, memories: Int, grants: Int, from: String?
        }

        func run() async throws {
            let store = try store.open(), caller = VaultCommand.caller("list"),
                subscriptions = try Subscription.all()
            let rows = try store.owners().map { owner in
                Row(
                    vault: owner, memories: try store.statistics(owner: owner, by: caller).memories,
                    grants: try store.grants(owner: owner, by: caller).count,
                    from: subscriptions.first { $0.owner == owner }?.source)
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            if rows.isEmpty { return print("There are no vaults yet.") }
            for row in rows {
                let notes = [
                    row.grants > 0 ? "\(row.grants) grants" : nil, row.from.map { "follows \($0)" },
                ]
                .compactMap(\.self).joined(separator: ", ")
                let name =
                    row.vault.tenant == "default"
                    ? row.vault.user : "\(row.vault.user) (\(row.vault.tenant))"
                print(
                    Terminal.line(
                        "\(name.padding(toLength: max(30, name.count), withPad: " ", startingAt: 0)) \(row.memories) memories  \(notes)"
                    ))
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Write a vault to a package, with history and links.",
            discussion:
                "Readable JSON lines unless it is sealed. --sign uses $MNEME_HOME/vault.key, which is made when it is first needed."
        )
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The vault.") var name: String
        @Option(
            name: [.customShort("o"), .customLong("output")],
            help: ArgumentHelp("The package.", valueName: "file"))
        var output: String
        @Option(
            help: "Only what changed since this position, as the report of an earlier one says it.")
        var since =
            Int64(0)
        @Flag(help: "Sign it.") var sign = false
        @Flag(help: "Seal it with a passphrase.") var seal = false

        func run() async throws {
            let owner = try tenant.owner(name),
                memory = try StoreOptions.open(store: store.store, noEmbedder: true)
            let key = sign ? try Home.signingKey(at: Home.packageKey) : nil
            guard since >= 0 else { throw InputError("--since is a position, 0 or more.") }
            let word = seal ? try passphrase.read() : nil
            if seal, word == nil {
                throw InputError(
                    "Sealing takes a passphrase: in MNEME_PASSPHRASE, or in a file with --passphrase."
                )
            }
            let caller = VaultCommand.caller("export")
            _ = try await memory.write(
                memory.package(of: owner, since: since, by: caller, signedWith: key), of: owner,
                to: output,
                passphrase: word, by: caller)
            try memory.store.flush()
            try Inspect.show(output, word)
        }
    }

    struct Exports: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Show which copies of a vault have left the store, and take out of them what was erased since.",
            discussion: """
                Files that `vault export` and `export -o` wrote, and who follows the vault. `mneme erase` reaches into these files; what it could not open is \
                done here, with the passphrase.
                """)
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The vault.") var name: String
        @Option(
            help: ArgumentHelp("Take this one from the list: it was deleted.", valueName: "file"))
        var forget: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let owner = try tenant.owner(name),
                memory = try StoreOptions.open(store: store.store, noEmbedder: true),
                caller = VaultCommand.caller("exports")
            memory.attach(
                keys: PackageKeys(
                    signing: Home.packageKeys.signing, passphrase: try passphrase.read()))
            if let forget {
                let places = [forget, URL(fileURLWithPath: forget).standardizedFileURL.path]
                guard
                    let known = try memory.store.exports(of: owner, by: caller).first(where: {
                        places.contains($0.place)
                    })
                else {
                    throw InputError("\(forget) is not known as a copy of '\(name)'.")
                }
                try memory.store.forget(known, by: caller)
            }
            let copies = try await memory.exports(of: owner, by: caller)
            try memory.store.flush()
            if json { return print(try OperationTable.encode(copies, pretty: true)) }
            if copies.isEmpty { return print("No copy of '\(name)' is known.") }
            for copy in copies {
                print(
                    Terminal.line(
                        "\(String(DateText.format(copy.export.time).prefix(10)))  \(copy.note)"))
            }
        }
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a package, and show whose it is and who signed it.")
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The package.") var file: String
        @Flag(help: "Print JSON.") var json = false

        struct Output: Encodable {
            var manifest: VaultPackage.Manifest, end: VaultPackage.End
        }

        func run() async throws {
            let word = try passphrase.read()
            if !json { return try Self.show(file, word) }
            let (manifest, end) = try VaultPackageReader.verify(path: file, passphrase: word)
            print(try OperationTable.encode(Output(manifest: manifest, end: end), pretty: true))
        }

        static func show(_ file: String, _ passphrase: String?) throws {
            let (manifest, end) = try VaultPackageReader.verify(path: file, passphrase: passphrase)
            let part =
                manifest.since > 0
                ? " (changes since position \(manifest.since), \(end.erased) erased)" : ""
            print(
                "\(file): \(end.memories) \(end.memories == 1 ? "memory" : "memories") of \(manifest.vault.user)\(part), packed \(DateText.format(manifest.created)) by \(manifest.principal)"
            )
            print(
                "  whole, SHA-256 \(end.sha256.prefix(16))…; \(end.key.map { "signed by \($0)" } ?? "not signed"); position \(manifest.position)"
            )
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Take a package into a vault.",
            discussion: """
                The whole file is checked first. What is here already is not doubled, what was erased here stays erased, what reads like an instruction to \
                a model is held. Repeating it changes nothing. For exports of other systems see `mneme import`.
                """)
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The package.") var file: String
        @Option(help: "The vault that takes it in; the name that it has there if left out.")
        var user: String?
        @Option(
            help: "What to do where a memory was changed here and there: keep, take or both.",
            transform: VaultCommand.rule) var conflicts = ConflictRule
            .keep
        @Option(
            help: ArgumentHelp(
                "Take it only if this key has signed it, as `inspect` shows it.", valueName: "key"))
        var trust: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let word = try passphrase.read(), trusted = try trust.map(VaultCommand.key)
            let (manifest, _) = try VaultPackageReader.verify(path: file, passphrase: word)
            let owner = try tenant.owner(user ?? manifest.vault.user)
            let report = try await VaultCommand.taking(store) { memory, progress in
                try await memory.takeIn(
                    package: file, into: owner, conflicts: conflicts, trusted: trusted,
                    passphrase: word,
                    by: VaultCommand.caller("import"), progress: progress)
            }
            print(
                json
                    ? try OperationTable.encode(report, pretty: true)
                    : VaultCommand.text(report, owner))
        }
    }

    struct Merge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the memories of one vault into another.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @Argument(help: "The vault that is read; it stays as it is.") var source: String
        @Argument(help: "The vault that takes them in.") var target: String
        @Option(
            help: "What to do where a memory was changed here and there: keep, take or both.",
            transform: VaultCommand.rule) var conflicts = ConflictRule
            .keep
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let (origin, owner) = (try tenant.owner(source), try tenant.owner(target))
            let report = try await VaultCommand.taking(store) { memory, progress in
                try await memory.merge(
                    origin, into: owner, conflicts: conflicts, by: VaultCommand.caller("merge"),
                    progress: progress)
            }
            print(
                json
                    ? try OperationTable.encode(report, pretty: true)
                    : VaultCommand.text(report, owner))
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how two vaults, or a vault and a package, differ.",
            discussion: "What names a file is a package. Ends with 1 if they differ.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "A vault or package.") var first: String
        @Argument(help: "Another.") var second: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let word = try passphrase.read(),
                memory = try StoreOptions.open(store: store.store, noEmbedder: true)
            let sources = try [first, second].map { name -> VaultSource in
                FileManager.default.fileExists(atPath: name)
                    ? .package(name, passphrase: word) : .vault(try tenant.owner(name))
            }
            let difference = try await memory.difference(
                sources[0], sources[1], by: VaultCommand.caller("diff"))
            try memory.store.flush()
            if json {
                print(try OperationTable.encode(difference, pretty: true))
            } else {
                for (id, text) in difference.onlyFirst.sorted(by: { $0.key < $1.key }) {
                    print(Terminal.styled(Terminal.line("- \(id)  \(text)"), .red))
                }
                for (id, text) in difference.onlySecond.sorted(by: { $0.key < $1.key }) {
                    print(Terminal.styled(Terminal.line("+ \(id)  \(text)"), .green))
                }
                for change in difference.changed {
                    print(
                        "~ \(change.id)\n  - \(Terminal.line(change.first))\n  + \(Terminal.line(change.second))"
                    )
                }
                print(
                    "\(difference.same) the same, \(difference.onlyFirst.count) only in \(first), \(difference.onlySecond.count) only in \(second), \(difference.changed.count) different"
                )
            }
            if !(difference.onlyFirst.isEmpty && difference.onlySecond.isEmpty
                && difference.changed.isEmpty)
            {
                throw ExitCode(1)
            }
        }
    }

    // MARK: Following another vault

    struct Subscribe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Follow a vault of another Mneme, or a package that is written again from time to time.",
            discussion: """
                Pulls at once; `mneme vault pull` gets what changed since. What was erased there is erased here, unless it was changed here. Subscriptions \
                and their keys are kept in $MNEME_HOME/subscriptions.json, which only you can read.
                """)
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @Argument(help: "A server such as https://host:8080, or a file.") var source: String
        @Option(help: "The vault there; that of the key if left out.") var vault: String?
        @Option(help: "The vault here.") var user: String
        @Option(help: "A key of the server, with the permission 'read'.") var key: String?
        @Option(
            help: ArgumentHelp("Take only what this key has signed; for files.", valueName: "key"))
        var trust: String?

        func run() async throws {
            let owner = try tenant.owner(user)
            _ = try trust.map(VaultCommand.key)
            var subscriptions = try Subscription.all().filter { $0.owner != owner }
            let isServer = source.hasPrefix("http://") || source.hasPrefix("https://")
            guard isServer || FileManager.default.fileExists(atPath: source) else {
                throw InputError("\(source) is neither a server's URL nor a file.")
            }
            if isServer, trust != nil {
                throw InputError(
                    "A server's packages are not signed; it is known by its URL and key.")
            }
            var subscription = Subscription(
                owner: owner, source: isServer ? source : URL(fileURLWithPath: source).path,
                vault: vault, key: key,
                trust: trust, position: 0)
            try await Pull.pull(&subscription, store)
            subscriptions.append(subscription)
            try Subscription.save(subscriptions)
        }
    }

    struct Pull: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Get what changed in the vaults that are followed.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @Option(help: "Only for this vault.") var user: String?

        func run() async throws {
            let wanted = try user.map(tenant.owner), all = try Subscription.all()
            let chosen = all.filter { wanted == nil || $0.owner == wanted }
            guard !chosen.isEmpty else {
                throw InputError(
                    "Nothing is followed\(user.map { " for '\($0)'" } ?? ""). `mneme vault subscribe` begins."
                )
            }
            for subscription in chosen {
                var subscription = subscription
                try await Self.pull(&subscription, store)
                // One after the other, so that what was reached stays.
                try Subscription.save(
                    try Subscription.all().map {
                        $0.owner == subscription.owner ? subscription : $0
                    })
            }
        }

        static func pull(_ subscription: inout Subscription, _ store: StoreOptions) async throws {
            var file = subscription.source
            let isServer = file.hasPrefix("http")
            if isServer {
                guard var parts = URLComponents(string: subscription.source) else {
                    throw InputError("\(subscription.source) is no URL.")
                }
                parts.path += (parts.path.hasSuffix("/") ? "" : "/") + "v1/package"
                parts.queryItems =
                    [URLQueryItem(name: "since", value: String(subscription.position))]
                    + (subscription.vault.map { [URLQueryItem(name: "user", value: $0)] } ?? [])
                guard let url = parts.url else {
                    throw InputError("\(subscription.source) is no URL.")
                }
                file = Home.folder + "/pull-\(UUID().uuidString).package"
                // Nobody else reads it meanwhile.
                _ = FileManager.default.createFile(
                    atPath: file, contents: nil, attributes: [.posixPermissions: 0o600])
                do {
                    try await Downloader(token: subscription.key).file(url, into: file) { _, _ in }
                } catch {
                    unlink(file)
                    throw error
                }
            }
            defer { if isServer { unlink(file) } }
            let (path, owner, trusted) = (
                file, subscription.owner, try subscription.trust.map(VaultCommand.key)
            )
            let report = try await VaultCommand.taking(store) { memory, progress in
                try await memory.takeIn(
                    package: path, into: owner, trusted: trusted,
                    passphrase: Passphrase.ofEnvironment,
                    by: VaultCommand.caller("pull"), progress: progress)
            }
            if isServer { subscription.position = report.position }
            print(VaultCommand.text(report, subscription.owner))
        }
    }

    private static func rule(_ name: String) throws -> ConflictRule {
        guard let rule = ConflictRule(rawValue: name) else {
            throw ValidationError("There is no '\(name)': keep, take or both.")
        }
        return rule
    }

    private static func key(_ text: String) throws -> Data {
        guard let key = Hexadecimal.bytes(text.lowercased()), key.count == 32 else {
            throw InputError("A key has 64 hexadecimal digits, as `mneme vault inspect` shows it.")
        }
        return key
    }

    private static func text(_ report: VaultReport, _ owner: Owner) -> String {
        let parts = [
            (report.added, "taken in"), (report.updated, "brought up to date"),
            (report.unchanged, "here already"),
            (report.newerHere, "newer here"),
            (report.duplicates, "said here already"), (report.erased, "erased as there"),
            (report.erasedHere, "erased here before and left out"),
            (report.held, "held, as they read like instructions"), (report.refused, "refused"),
            (report.conflictCount, "changed here and there"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        var lines = [
            "\(owner.user): \(parts.isEmpty ? "nothing new" : parts.joined(separator: ", ")) (\(report.memories) memories of \(report.from.user) read)"
        ]
        for conflict in report.conflicts {
            lines.append("~ \(conflict.id)\n  here:  \(conflict.here)\n  there: \(conflict.there)")
        }
        lines += report.problems
        return lines.joined(separator: "\n")
    }
}

/// A vault that is followed.
struct Subscription: Codable {
    /// The vault here.
    var owner: Owner
    /// A server or a file.
    var source: String
    /// The vault there, the key for it, and the key that signs files.
    var vault: String?, key: String?, trust: String?
    /// What was reached.
    var position: Int64

    private static var file: String { Home.folder + "/subscriptions.json" }

    static func all() throws -> [Subscription] {
        guard let data = FileManager.default.contents(atPath: file) else { return [] }
        guard let known = try? JSONDecoder().decode([Subscription].self, from: data) else {
            throw FileError.damaged(file, "is no list of followed vaults. Mend or remove it.")
        }
        return known
    }

    static func save(_ subscriptions: [Subscription]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(encoder.encode(subscriptions), to: file)
    }
}
