import ArgumentParser
import Foundation
import Mneme

extension VaultCommand {
    /// `mneme vault diff`: what two vaults or packages do not share, as `diff` shows it: `-` only
    /// in the first, `+` only in the second, `~` in both and different. Exit code 1 if they differ.
    ///
    /// Memories are matched by their ids; `--json` has the same lists. Nothing is written but the
    /// audit log. Exit code 2 for a package that is damaged or stays sealed.
    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "diff",
            abstract: "Show how two vaults, or a vault and a package, differ.",
            discussion: "What names a file is a package. Ends with 1 if they differ.")
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var tenant: Tenant
        @OptionGroup var passphrase: Passphrase
        /// The side whose own memories are marked with `-`.
        @Argument(help: "A vault or package.") var first: String
        /// The side whose own memories are marked with `+`.
        @Argument(help: "Another.") var second: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let word = try passphrase.read()
            let memory = try store.memory()
            // A name that is a file's is a package; all else is a vault of this store.
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
            // As `diff` does, for scripts.
            if !(difference.onlyFirst.isEmpty && difference.onlySecond.isEmpty
                && difference.changed.isEmpty)
            {
                throw ExitCode(1)
            }
        }
    }
}
