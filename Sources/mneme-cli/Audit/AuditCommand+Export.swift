import ArgumentParser
import Mneme

extension AuditCommand {
    /// `mneme audit export`: every entry and every signature as JSON lines, for another system to
    /// keep.
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
            // Signatures come last, as each covers entries before it.
            for checkpoint in try store.auditCheckpoints(by: AuditCommand.caller) {
                print(try OperationTable.encode(checkpoint))
            }
        }
    }
}
