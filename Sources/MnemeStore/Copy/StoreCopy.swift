import Foundation

/// A backend whose rows can be copied to another.
package protocol CopyableStore: MemoryStore {
    /// Reads tables in one snapshot.
    func readTables(_ body: (any StoreTableReader) throws -> Void) throws
    /// Removes what the store has kept for a snapshot that was read for long: an erasure meanwhile
    /// could not remove it.
    func endLongRead()
    /// Writes tables in one transaction: all that `body` writes is there afterwards, or nothing.
    func writeTables(_ body: (any StoreTableWriter) throws -> Void) throws
}

extension CopyableStore {
    /// Nothing, where no file keeps it.
    package func endLongRead() {}
}

/// The tables of a store in a snapshot.
package protocol StoreTableReader {
    /// The number of rows.
    func count(_ table: StoreTable) throws -> Int
    /// Rows in the table's order, each with the values of its columns.
    func forEachRow(_ table: StoreTable, _ filter: RowFilter, _ body: ([StoredValue]) throws -> Void) throws
    /// The last row in the table's order; nil if it is empty.
    func last(_ table: StoreTable) throws -> [StoredValue]?
}

extension StoreTableReader {
    /// All rows in the table's order.
    package func forEachRow(_ table: StoreTable, _ body: ([StoredValue]) throws -> Void) throws {
        try forEachRow(table, .all, body)
    }
}

/// The tables of a store in a transaction.
package protocol StoreTableWriter {
    /// Tells whether nobody has written anything into the store.
    func isEmpty() throws -> Bool
    /// Adds a row with the values of the table's columns.
    func insert(_ row: [StoredValue], into table: StoreTable) throws
}

/// Copies a whole store to another, of the same or another backend: memories with their history,
/// vectors, grants, jobs, policies and the audit log, each row as it is.
public struct StoreCopy: Sendable {
    /// What was copied.
    public struct Report: Sendable, Codable {
        /// Memories, journal entries and entries of the audit log.
        public var memories = 0, journalEntries = 0, auditEntries = 0
        /// All rows.
        public var rows = 0
    }

    /// What the audit logs call the two stores.
    private let names: (from: String, to: String)
    /// Who copies.
    private let caller: Caller

    /// A copy that is not made yet.
    ///
    /// - Parameters:
    ///   - names: what the audit logs call the two stores.
    ///   - caller: must administer both.
    public init(_ names: (from: String, to: String), by caller: Caller = .local) {
        self.names = names
        self.caller = caller
    }

    /// Copies all, and reads the copy back: its checks and its audit log must be sound.
    ///
    /// The source may be used meanwhile; what is written to it after the copy has begun is not in it.
    /// The copy is one transaction: where it fails, or is interrupted, the target is as empty as it
    /// was. Both audit logs say afterwards that the store was copied.
    ///
    /// - Parameters:
    ///   - source: the store.
    ///   - target: an empty store.
    ///   - progress: called with rows done and in all.
    /// - Throws: ``StoreError`` if the target is not empty, or the copy is not sound.
    /// - Complexity: one pass over all rows, and one to check the copy.
    public func run(
        from source: any MemoryStore, to target: any MemoryStore,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws -> Report {
        guard let source = source as? any CopyableStore, let target = target as? any CopyableStore else {
            throw StoreError(.unavailable, "This kind of store cannot be copied.")
        }
        try source.flush()
        try source.note("copied to \(names.to)", by: caller)
        var report = Report()
        try source.readTables { reader in
            let total = try StoreTable.all.reduce(0) { try $0 + reader.count($1) }
            try target.writeTables { writer in
                guard try writer.isEmpty() else {
                    throw StoreError(
                        .conflict, "\(names.to) holds something already. Name a store that is empty.")
                }
                for table in StoreTable.all {
                    let before = report.rows
                    try reader.forEachRow(table) { row in
                        try writer.insert(row, into: table)
                        report.rows += 1
                        if report.rows.isMultiple(of: 1_000) { progress(report.rows, total) }
                    }
                    report.note(report.rows - before, of: table)
                }
            }
            progress(total, total)
        }
        source.endLongRead()
        try Self.verify(target, by: caller)
        try target.note("copied from \(names.from)", by: caller)
        return report
    }

    /// Looks through a store that was written row by row.
    ///
    /// - Throws: ``StoreError`` if a check finds something.
    package static func verify(_ store: any MemoryStore, by caller: Caller) throws {
        let findings =
            try store.check(repair: false, by: caller).filter { !$0.sound }
            .filter { !["privacy", "row security"].contains($0.check) }.map(\.detail)
            + store.verifyAudit(keys: nil, head: nil, by: caller).findings
        if let finding = findings.first {
            throw StoreError(
                .corrupt,
                "The copy is not sound: \(finding). Look at the source with `mneme doctor` and `mneme audit verify`.")
        }
    }
}

extension StoreCopy.Report {
    /// Counts the rows of a table that are of interest.
    fileprivate mutating func note(_ count: Int, of table: StoreTable) {
        switch table.name {
        case "cube": memories = count
        case "journal": journalEntries = count
        case "audit": auditEntries = count
        default: break
        }
    }
}
