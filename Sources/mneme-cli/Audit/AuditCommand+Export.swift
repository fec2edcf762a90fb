import ArgumentParser
import Mneme

extension AuditCommand {
    /// `mneme audit export`: every entry and every signature as JSON lines, for another system to
    /// keep.
    ///
    /// For a log collector: `--after` takes the last position that it has, so that nothing is sent
    /// twice. All signatures are printed each time. It prints JSON only, a line an entry.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Write the log as JSON lines: every entry, then every signature.")
        /// The store whose log is read.
        @OptionGroup var store: StoreFileOptions
        /// The position of the last entry that is known elsewhere; 0 prints all.
        @Option(help: "Continue after this entry.") var after: Int64 = 0

        /// Prints page by page; memory does not grow with the log.
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
