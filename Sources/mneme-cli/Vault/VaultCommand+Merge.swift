import ArgumentParser
import Mneme

extension VaultCommand {
    /// `mneme vault merge`: imports one vault of this store into another, as `import` does with a
    /// package.
    ///
    /// It prints the same report. Repeating it changes nothing.
    struct Merge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "merge",
            abstract: "Import the memories of one vault into another.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @Argument(help: "The vault that is read; it stays as it is.") var source: String
        @Argument(help: "The vault that they are imported into.") var target: String
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
}
