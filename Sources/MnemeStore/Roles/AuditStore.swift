public import Foundation

/// The audit log: every read, write and refusal, in a chain of hashes that is signed.
public protocol AuditStore: Sendable {
    /// Notes a refusal of whoever stands above the store, and returns it.
    func refuse(_ text: String, owner: Owner?, by caller: Caller) -> AccessError
    /// Notes memories that were read from ``CubeStore/snapshot(owner:asOf:by:)`` and handed out.
    func noteRead(_ ids: [CubeID], owner: Owner, by caller: Caller) throws
    /// Writes what waits for the audit log; it waits a second at most by itself.
    func flush() throws
    /// The audit log, page by page.
    func auditEntries(after position: Int64, limit: Int, by caller: Caller) throws -> [AuditEntry]
    /// The last entry's position; 0 if the log is empty.
    func auditPosition(by caller: Caller) throws -> Int64
    /// Signatures of the audit log.
    func auditCheckpoints(by caller: Caller) throws -> [AuditCheckpoint]
    /// Takes the entries before a time away from the audit log, after `archive` has had
    /// them. A signature stands in their place, so that what is left,
    /// and the journal, can be verified as before.
    ///
    /// - Returns: how many.
    /// - Throws: ``StoreError`` if the log is not whole or not signed, and what `archive`
    /// throws; nothing is taken away then.
    func shortenAudit(before time: Date, by caller: Caller, archive: ([AuditEntry]) throws -> Void)
        throws -> Int
    /// Walks the whole audit log and the journal, and says where they were tampered with.
    ///
    /// - Parameters:
    ///   - caller: must administer the store as a whole.
    ///   - keys: Ed25519 public keys that are trusted; nil trusts any.
    ///   - head: an end that was noted earlier; it must still be there.
    func verifyAudit(keys: [Data]?, head: (position: Int64, hash: Data)?, by caller: Caller) throws
        -> AuditReport
}
