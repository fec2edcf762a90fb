public import Foundation

/// The end of the audit log: each entry is put behind it with its place and the hash of all before.
///
/// A backend reads the last entry's place and hash at the beginning of a transaction, and writes
/// what ``append(_:)`` gives. Two transactions that go on from the same end would break the chain:
/// they must exclude each other.
public struct AuditChain: Sendable {
    /// The last entry's place; 0 if there is none.
    public private(set) var position: Int64
    /// The last entry's hash.
    public private(set) var hash: Data

    /// The end of a log; an empty one by default.
    public init(position: Int64 = 0, hash: Data = Data()) {
        self.position = position
        self.hash = hash
    }

    /// Puts an entry behind the end.
    ///
    /// - Returns: the entry as it is written.
    /// - Throws: ``StoreError`` if there is no room.
    public mutating func append(_ entry: AuditEntry) throws -> AuditEntry {
        var entry = entry.asStored
        guard position < .max else {
            throw StoreError(
                .corrupt,
                "The audit log has no room behind entry \(position). Run `mneme audit verify`.")
        }
        entry.position = position + 1
        entry.hash = entry.chained(to: hash)
        position = entry.position
        hash = entry.hash
        return entry
    }
}
