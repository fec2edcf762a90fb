package import Foundation

/// The rows of the audit log in one transaction: what a backend reads and writes of it.
/// ``AuditLog`` decides what is written, signed and found wrong.
package protocol AuditRows {
    /// The place and the hash of the last entry; another process may have written since the last
    /// transaction.
    func end() throws -> AuditChain
    /// Writes an entry as ``AuditChain`` gives it.
    func insert(_ entry: AuditEntry) throws
    /// A page of the log, the oldest first.
    func entries(after position: Int64, limit: Int) throws -> [AuditEntry]
    /// The hash of an entry; nil if there is none at this place.
    func hash(at position: Int64) throws -> Data?
    /// The last of the entries before a time, none of which is younger; 0 if there is none. Clocks
    /// go back: all before the first entry that is young enough, not each that is old.
    func end(before time: Date) throws -> Int64

    /// All signatures of the log, the oldest first.
    func checkpoints() throws -> [AuditCheckpoint]
    /// The last place that a key has signed; 0 if none.
    func signedPosition(by key: Data) throws -> Int64
    /// Writes a signature, in place of one of the same key and place.
    func save(_ checkpoint: AuditCheckpoint) throws

    /// Where a log begins that was shortened; nil for a whole one.
    func base() throws -> AuditBase?
    /// Takes the entries and signatures up to the base away, and puts it in the place of the last.
    func cut(to base: AuditBase) throws
    /// The last journal entry that audit entries up to a place have written.
    func lastJournalEntry(upTo position: Int64) throws -> Int64?
    /// Journal entries up to a position that carry a digest.
    func digestCount(upTo journal: Int64) throws -> Int

    /// The first journal entry that carries a digest; nil if none does.
    func firstDigest() throws -> Int64?
    /// Journal entries before a position, and those from it on.
    func journalCounts(splitAt position: Int64) throws -> (before: Int, from: Int)
    /// Positions and digests of journal entries, in order.
    func forEachDigest(
        from first: Int64, through last: Int64, _ body: (Int64, Data?) throws -> Void) throws
    /// Whole journal entries from a position on, in order.
    func forEachJournalEntry(from position: Int64, _ body: (any StoredRow) throws -> Void) throws
}

/// Stands for the entries of a log before it, which were taken away.
package struct AuditBase: Sendable {
    /// The last entry that is gone, and its hash.
    package var position: Int64, hash: Data
    /// The last journal entry that such a one had written, how many had been written, and the
    /// digest of them all.
    package var journal: Int64, written: Int, digest: Data
    /// The time of the signature, in seconds since 1970; the key, and the signature of all fields.
    package var time: Double, key = Data(), signature = Data()
}
