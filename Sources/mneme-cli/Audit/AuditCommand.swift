import ArgumentParser
import MnemeStore

/// `mneme audit`: who read, changed or was refused what. For whoever answers for the store; the log
/// names memories by id and never quotes them.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show, export and verify the log of every read, write and refusal.",
        discussion: """
            The log names memories, never what they say. Each entry carries the hash of the one before; the log is signed with \
            $MNEME_HOME/audit.key (or $MNEME_AUDIT_KEY: keep it where who can change the store cannot read it).
            """,
        subcommands: [Verify.self, Export.self, Shorten.self, List.self],
        defaultSubcommand: List.self)

    static let caller = Caller(.local, operation: "audit")

    /// Calls `body` with the log's pages.
    static func forEachPage(
        _ store: SQLiteMemoryStore, after: Int64, _ body: ([AuditEntry]) throws -> Bool
    )
        throws
    {
        var after = after
        while true {
            let page = try store.auditEntries(after: after, limit: 1_000, by: caller)
            guard let last = page.last, try body(page) else { return }
            after = last.position
        }
    }
}
