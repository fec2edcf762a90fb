import ArgumentParser
import Mneme
import MnemeBase
import MnemeStore

extension VaultCommand {
    /// `mneme vault export`: a vault as a package, for another store. It is listed as a copy, so
    /// that `mneme erase` reaches into it.
    ///
    /// The package holds history and links, and is read back before its manifest is printed. With
    /// `--since` it holds changes only; the position of the report is the next one's. Exit code 2
    /// if `--seal` has no passphrase.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Write a vault to a package, with history and links.",
            discussion:
                "Readable JSON lines unless it is sealed. --sign uses $MNEME_HOME/vault.key, which is made when it is first needed."
        )
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The vault.") var name: String
        /// The path of the package, which becomes a known copy of the vault.
        @Option(
            name: [.customShort("o"), .customLong("output")],
            help: ArgumentHelp("The package.", valueName: "file"))
        var output: String
        /// The position in the owner's journal after which changes are exported; 0 exports all.
        @Option(
            help: "Only what changed since this position, as the report of an earlier one says it.")
        var since =
            Int64(0)
        /// Signs with Ed25519, so that `--trust` can tell the package from a forged one.
        @Flag(help: "Sign it.") var sign = false
        /// Encrypts the package, so that nobody reads it without the passphrase.
        @Flag(help: "Seal it with a passphrase.") var seal = false

        /// Checks all options and takes the passphrase before anything is written.
        func run() async throws {
            let owner = try tenant.owner(name)
            let memory = try store.memory()
            let key = sign ? try Home.signingKey(at: Home.packageKey) : nil
            guard since >= 0 else { throw InputError("--since is a position, 0 or more.") }
            // Asked for before anything is written.
            let word = seal ? try passphrase.read() : nil
            if seal, word == nil {
                throw InputError(
                    "Sealing takes a passphrase: in MNEME_PASSPHRASE, or in a file with --passphrase."
                )
            }
            // The file is read back afterwards: what is printed is what it holds.
            let caller = VaultCommand.caller("export")
            _ = try await memory.write(
                memory.package(of: owner, since: since, by: caller, signedWith: key), of: owner,
                to: output,
                passphrase: word, by: caller)
            try memory.store.flush()
            try Inspect.show(output, word)
        }
    }
}
