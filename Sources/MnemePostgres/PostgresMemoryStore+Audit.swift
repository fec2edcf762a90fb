public import Foundation
public import MnemeStore

/// The audit log, and the log of copies that left.
extension PostgresMemoryStore {
    /// Notes an entry that is written within a second.
    func note(_ entry: AuditEntry) throws {
        if let delay = try audit.note(entry) { scheduleFlush(delay) }
    }

    /// Writes what waits for the audit log, in the background; on failure again in ten seconds, and
    /// the log refuses more when too much waits.
    private func scheduleFlush(_ seconds: Int) {
        auditQueue.asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in
            do { try self?.flush() } catch { self?.scheduleFlush(10) }
        }
    }

    /// Notes that memories were handed out.
    func noteRead(_ operation: String, _ cubes: [CubeID], owner: Owner?, by caller: Caller) throws {
        if !caller.isInternal { try note(AuditEntry(caller, owner, default: operation, cubes: cubes)) }
    }

    /// As `StoreMaintenance` has it.
    public func note(_ what: String, by caller: Caller) throws {
        try requireAll(.admin, caller)
        try audited { transaction in
            var entry = AuditEntry(caller, nil, default: "backup")
            entry.detail = what
            try transaction.append(entry)
        }
    }

    /// For what was read as a whole and handed out in part.
    public func noteRead(_ ids: [CubeID], owner: Owner, by caller: Caller) throws {
        try noteRead("read", ids, owner: owner, by: caller)
    }

    /// A transaction with nothing in it but what waits.
    public func flush() throws { try audited { _ in } }

    /// Writes waiting entries first, so that the page is complete up to this call.
    public func auditEntries(after position: Int64, limit: Int, by caller: Caller) throws
        -> [AuditEntry]
    {
        try requireAll(.admin, caller)
        try flush()
        return try read { try PGAuditRows($0).entries(after: position, limit: limit) }
    }

    /// Entries that wait are written before, so that the position counts them.
    public func auditPosition(by caller: Caller) throws -> Int64 {
        try requireAll(.admin, caller)
        try flush()
        return try read { try PGAuditRows($0).end().position }
    }

    /// Signatures as they are stored; whether they are valid is for ``verifyAudit(keys:head:by:)``.
    public func auditCheckpoints(by caller: Caller) throws -> [AuditCheckpoint] {
        try requireAll(.admin, caller)
        return try read { try PGAuditRows($0).checkpoints() }
    }

    /// As `AuditStore` has it: verified, handed out page by page, and only then taken away, in one
    /// transaction with the entry that says so.
    public func shortenAudit(
        before time: Date, by caller: Caller, archive: ([AuditEntry]) throws -> Void
    ) throws -> Int {
        try requireAll(.admin, caller)
        // Who shortens a log that somebody changed would cover that up.
        let report = try verifyAudit(keys: nil, head: nil, by: caller)
        try report.requireSound()
        let end = try read { try PGAuditRows($0).end(before: time) }
        guard end >= report.begin else { return 0 }
        var reached = report.begin &- 1
        while reached < end {
            let page = try read {
                try PGAuditRows($0).entries(after: reached, limit: Int(min(4_096, end &- reached)))
            }
            guard let last = page.last else { break }
            try archive(page)
            reached = last.position
        }
        try audited { transaction in
            try Self.showAll(transaction.db)
            try audit.cut(upTo: end, transaction.auditRows)
            var entry = AuditEntry(caller, nil, default: "audit")
            entry.detail = "entries \(report.begin) to \(end) taken away"
            try transaction.append(entry)
        }
        return Int(end &- report.begin &+ 1)
    }

    /// As `AuditStore` has it; what waits is written and signed before, so that the report covers it.
    ///
    /// - Complexity: one pass over log and journal.
    public func verifyAudit(keys: [Data]?, head: (position: Int64, hash: Data)?, by caller: Caller)
        throws -> AuditReport
    {
        try requireAll(.admin, caller)
        try audited { transaction in
            try audit.sign(transaction.chain, always: true, transaction.auditRows)
        }
        return try readAll { try AuditLog.verify(keys: keys, head: head, PGAuditRows($0)) }
    }

    // MARK: Copies that left

    /// A place has one row: what is written there again replaces what was there.
    public func record(_ export: VaultExport) throws {
        try TextRules.requireStorable([export.place, export.principal])
        try write { transaction in
            // Nothing can have left of who has nothing.
            guard let ownerID = try ownerID(export.owner, transaction.db) else { return }
            try transaction.db.run(
                """
                INSERT INTO export (owner, kind, place, time, principal, position) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (owner, kind, place) DO UPDATE SET time = excluded.time,
                    principal = excluded.principal, position = excluded.position
                """,
                [
                    ownerID, export.kind.rawValue, export.place, export.time.timeIntervalSince1970,
                    export.principal, export.position,
                ])
        }
    }

    /// Kinds that this version does not know are left out.
    public func exports(of owner: Owner, by caller: Caller) throws -> [VaultExport] {
        try read { db in
            let ownerID = try ownerID(owner, db)
            guard try visible(.read, of: owner, ownerID, caller, db).isUnrestricted, let ownerID else {
                return []
            }
            return try db.rows("SELECT * FROM export WHERE owner = ? ORDER BY time, place", [ownerID])
                .compactMap { try $0.export(of: owner) }
        }
    }

    /// Needs the permission to erase: erasing reaches the copy no more.
    public func forget(_ export: VaultExport, by caller: Caller) throws {
        try TextRules.requireStorable([export.place])
        try audited { transaction in
            let ownerID = try ownerID(export.owner, transaction.db, isCommitted: false)
            guard
                try visible(.erase, of: export.owner, ownerID, caller, transaction.db).isUnrestricted,
                let ownerID
            else {
                throw refuse(
                    "Only who reaches all of the memories looks after their copies.",
                    owner: export.owner, by: caller)
            }
            try transaction.db.run(
                "DELETE FROM export WHERE owner = ? AND kind = ? AND place = ?",
                [ownerID, export.kind.rawValue, export.place])
            var entry = AuditEntry(caller, export.owner, default: "vault exports")
            entry.detail = "forgot \(export.place)"
            try transaction.append(entry)
        }
    }

    /// From the journal: it keeps that an erasure happened, and nothing of the text.
    public func erased(of owner: Owner, since position: Int64) throws -> [CubeID] {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return [] }
            return try db.texts(
                """
                SELECT cube FROM journal WHERE owner = ? AND position > ? AND operation = 'erase'
                GROUP BY cube ORDER BY min(position)
                """, [ownerID, position]
            ).map(CubeID.init(stored:))
        }
    }
}
