import ArgumentParser
import Mneme

extension VaultCommand {
    /// `mneme vault import`: takes a package's memories into a vault. The whole file is checked
    /// before the first memory is written.
    ///
    /// Exit code 2 for a package that is damaged, not signed by the trusted key, or of a passphrase
    /// that does not open it.
    ///
    /// It prints what was added, what was here, conflicts and problems. `keep` leaves a memory that
    /// was changed on both sides as it is here.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Import a package into a vault.",
            discussion: """
                The whole file is checked first. What is here already is not doubled, what was erased here stays erased, what reads like an instruction to \
                a model is quarantined. Repeating it changes nothing. For exports of other systems see `mneme import`.
                """)
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The package.") var file: String
        /// The vault that is written; a package may so be imported under another name.
        @Option(help: "The vault that it is imported into; the name that it has there if left out.")
        var user: String?
        @Option(
            help: "What to do where a memory was changed here and there: keep, take or both.",
            transform: VaultCommand.rule) var conflicts = ConflictRule
            .keep
        /// The public key that must have signed the package, in 64 hexadecimal digits.
        @Option(
            help: ArgumentHelp(
                "Take it only if this key has signed it, as `inspect` shows it.", valueName: "key"))
        var trust: String?
        @Flag(help: "Print JSON.") var json = false

        /// Checks the package, opens the store, imports, and closes it once vectors are made.
        func run() async throws {
            let word = try passphrase.read()
            let trusted = try trust.map(VaultCommand.key)
            // The whole file, before the store is opened.
            let (manifest, _) = try VaultPackageReader.verify(path: file, passphrase: word)
            let owner = try tenant.owner(user ?? manifest.vault.user)
            let report = try await VaultCommand.taking(store) { memory, progress in
                try await memory.importPackage(
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
}
