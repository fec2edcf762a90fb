import ArgumentParser
import Mneme
import MnemeBase
import MnemeStore

extension AuditCommand {
    /// `mneme audit list`, and `mneme audit` alone: the last entries that fit, the oldest of them
    /// first.
    ///
    /// A line an entry: position, time in UTC, principal, operation, whose memories, which, and
    /// why. `--json` prints an array instead. Exit code 2 for a limit out of bounds or an id that
    /// is none. Memory use follows from the limit, the time from the length of the log.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Show the last entries.")
        @OptionGroup var store: StoreFileOptions
        /// Entries to show, 1 to 100,000.
        @Option(help: "So many.") var limit = 20
        /// The principal's name exactly as the log has it; a part of it fits nothing.
        @Option(
            help: ArgumentHelp(
                "Only of this principal, such as local or key:NAME.", valueName: "name"))
        var principal: String?
        /// The whole id; a short one is not looked up, as the memory may be erased.
        @Option(help: ArgumentHelp("Only where this memory was read or changed.", valueName: "id"))
        var memory: String?
        /// Leaves out what was done, for finding keys that try more than they may.
        @Flag(help: "Only refusals.") var refused = false
        @Flag(help: "Print JSON.") var json = false

        /// Checks limit and id before the store is opened.
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
            // The log is read once from its beginning; only as many entries as are shown are kept.
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
}
