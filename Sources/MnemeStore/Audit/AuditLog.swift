package import Crypto
package import Foundation
import NIOConcurrencyHelpers

/// The audit log of a store: entries wait in memory for the next transaction, at most a second, and
/// are chained in it. The same for every backend, which reads and writes ``AuditRows``.
///
/// Writes and what they change are one transaction. Reads are told after they were answered: a
/// crash can lose the last second of them.
package final class AuditLog: Sendable {
    /// Entries that wait at most. If they cannot be written, reading ends: what is not written down
    /// is not handed out.
    private static let limit = 100_000
    /// Entries that are written at once, sooner than a second.
    private static let batch = 2_000
    /// New entries from which the log is signed.
    private static let signedEvery: Int64 = 256
    /// Entries that are read at once.
    static let page = 4_096

    /// Entries that no transaction has taken yet, the oldest first.
    private let waiting = NIOLockedValueBox<[AuditEntry]>([])
    /// Signs the log; nil leaves it unsigned.
    private let key: Curve25519.Signing.PrivateKey?
    /// Up to where the log was signed when somebody looked last: most transactions need not look.
    private let signed = NIOLockedValueBox<Int64?>(nil)

    /// A log that nothing waits for.
    package init(key: Curve25519.Signing.PrivateKey?) { self.key = key }

    /// Adds an entry that is written soon.
    ///
    /// - Returns: in how many seconds to write, if somebody must be told.
    package func note(_ entry: AuditEntry) throws -> Int? {
        try waiting.withLockedValue { waiting in
            guard waiting.count < Self.limit else {
                throw StoreError(
                    .diskFull,
                    "The audit log cannot be written, so nothing is read. Free space on the disk, or end what holds the store."
                )
            }
            waiting.append(entry)
            return waiting.count == 1 ? 1 : waiting.count.isMultiple(of: Self.batch) ? 0 : nil
        }
    }

    /// The end of the chain in one transaction.
    package struct Chain {
        /// The last entry on disk, or of this transaction.
        private var end: AuditChain
        package var position: Int64 { end.position }
        package var hash: Data { end.hash }

        /// Reads the end; another process may have written since the last transaction.
        package init(_ rows: some AuditRows) throws { end = try rows.end() }
        /// A chain whose end was read already.
        package init(end: AuditChain) { self.end = end }

        /// Appends an entry.
        package mutating func append(_ entry: AuditEntry, _ rows: some AuditRows) throws {
            var next = end
            try rows.insert(next.append(entry))
            end = next
        }
    }

    /// Writes what waits. Call ``dropWritten(_:)`` when the transaction has ended.
    package func writeWaiting(_ chain: inout Chain, _ rows: some AuditRows) throws -> Int {
        let entries = waiting.withLockedValue { $0 }
        for entry in entries { try chain.append(entry, rows) }
        return entries.count
    }

    /// Forgets entries that are on disk.
    package func dropWritten(_ count: Int) {
        waiting.withLockedValue { $0.removeFirst(min(count, $0.count)) }
    }

    /// Signs the log if much is new; `always`, if anything is.
    package func sign(_ chain: Chain, always: Bool, _ rows: some AuditRows) throws {
        let position = chain.position
        let hash = chain.hash
        guard let key, position > 0 else { return }
        // Behind the end it is another log's, such as a backup's that was put in place of this one.
        let isRecent = self.signed.withLockedValue { $0.map { 0..<Self.signedEvery ~= position &- $0 } ?? false }
        if isRecent, !always { return }
        let signed = try rows.signedPosition(by: key.publicKey.rawRepresentation)
        self.signed.withLockedValue { $0 = signed }
        guard position &- signed >= (always ? 1 : Self.signedEvery) else { return }
        let time = Date()
        let signature = try key.signature(
            for: AuditCheckpoint.message(position: position, hash: hash, time: time))
        try rows.save(
            AuditCheckpoint(
                position: position, hash: hash, time: time, key: key.publicKey.rawRepresentation,
                signature: signature))
    }

    /// Takes all entries up to a position away, and signs what stands in their place.
    package func cut(upTo position: Int64, _ rows: some AuditRows) throws {
        guard let key else {
            throw StoreError(
                .unavailable,
                "The audit log can be shortened only by who signs it; there is no key.")
        }
        guard let hash = try rows.hash(at: position) else {
            throw StoreError(.conflict, "There is no audit entry \(position) any more.")
        }
        let journal = try rows.lastJournalEntry(upTo: position) ?? rows.base()?.journal ?? 0
        let (digest, _) = try Self.digest(0, journal, rows)
        let written = try rows.digestCount(upTo: journal)
        var base = AuditBase(
            position: position, hash: hash, journal: journal, written: written, digest: digest,
            time: Date().timeIntervalSince1970)
        base.key = key.publicKey.rawRepresentation
        base.signature = try key.signature(for: base.message)
        try rows.cut(to: base)
    }
}

extension AuditBase {
    /// The bytes that are signed: every field, so that none can be exchanged.
    var message: Data {
        Data("mneme audit base \(position) \(journal) \(written) \(time.bitPattern) ".utf8)
            + hash + digest
    }
    /// True if the signature is of these fields, by the key that is named.
    var isValid: Bool {
        (try? Curve25519.Signing.PublicKey(rawRepresentation: key))?.isValidSignature(
            signature, for: message)
            ?? false
    }
}
