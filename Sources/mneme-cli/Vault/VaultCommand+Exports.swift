import ArgumentParser
import Foundation
import Mneme
import MnemeBase

extension VaultCommand {
    /// `mneme vault exports`: which files and servers have copies of a vault. What was erased since
    /// is taken out of the files that can be opened; for sealed ones give the passphrase.
    ///
    /// A line a copy: the day, and what became of it. Exit code 2 if `--forget` names no known
    /// copy. A copy that somebody took from the file cannot be known.
    struct Exports: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "exports",
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
        /// The path of a copy that was deleted by hand, as it was given or in full.
        @Option(
            help: ArgumentHelp("Take this one from the list: it was deleted.", valueName: "file"))
        var forget: String?
        @Flag(help: "Print JSON.") var json = false

        /// Opens each file that can be opened and takes out of it what was erased since.
        func run() async throws {
            let owner = try tenant.owner(name)
            let memory = try store.memory()
            let caller = VaultCommand.caller("exports")
            memory.attach(
                keys: PackageKeys(
                    signing: Home.packageKeys.signing, passphrase: try passphrase.read()))
            // A copy that was deleted by hand is no longer looked for.
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
}
