import ArgumentParser
import Mneme

extension VaultCommand {
    /// `mneme vault inspect`: checks a package without importing it, and says whose memories it
    /// holds and which key signed it.
    ///
    /// Exit code 2 if it is damaged or sealed with another passphrase.
    ///
    /// It opens no store. A valid signature shows which key signed, not whose key that is: compare
    /// it with one that the sender gave in another way.
    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inspect",
            abstract: "Check a package, and show whose it is and who signed it.")
        @OptionGroup var passphrase: Passphrase
        @Argument(help: "The package.") var file: String
        @Flag(help: "Print JSON.") var json = false

        /// The first and the last line of a package, as `--json` prints them.
        struct Output: Encodable {
            var manifest: VaultPackage.Manifest, end: VaultPackage.End
        }

        func run() async throws {
            let word = try passphrase.read()
            if !json { return try Self.show(file, word) }
            let (manifest, end) = try VaultPackageReader.verify(path: file, passphrase: word)
            print(try OperationTable.encode(Output(manifest: manifest, end: end), pretty: true))
        }

        /// Two lines on a package: what it holds; its checksum, signature and position.
        static func show(_ file: String, _ passphrase: String?) throws {
            let (manifest, end) = try VaultPackageReader.verify(path: file, passphrase: passphrase)
            // A package of changes says so: alone it is not the vault.
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
}
