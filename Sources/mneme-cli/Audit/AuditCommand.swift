import ArgumentParser
import MnemeStore

/// `mneme audit`: the log of who read, changed or was refused what. For whoever answers for the
/// store; the log names memories by id and never quotes them.
///
/// Every command here needs the encryption key if the store is encrypted. `list` and `export` read
/// the log page by page, so that memory does not grow with it.
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

    /// The owner of this machine, as who reads the log; the audit log names the operation `audit`.
    static let caller = Caller(.local, operation: "audit")

    /// Calls `body` with the log's pages.
    ///
    /// A page has up to 1,000 entries, in order of their positions.
    ///
    /// - Parameters:
    ///   - after: the position of the last entry that is not wanted; 0 begins with the first.
    ///   - body: false ends the walk.
    /// - Throws: `AccessError`, `StoreError`, and what `body` throws.
    static func forEachPage(
        _ store: any MemoryStore, after: Int64, _ body: ([AuditEntry]) throws -> Bool
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
