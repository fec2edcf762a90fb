public import Foundation
import GRDB

/// Grants and the audit log in SQLite. Who may do what is decided by ``AccessRules``; refusals are
/// written down here, in a transaction of their own, as the refused one is taken back.
extension SQLiteMemoryStore {
    // MARK: Who reaches what

    /// As ``AccessStore`` has it; without a look at the disk where no grant can matter, which is
    /// every request of somebody to their own memories.
    public func visibility(of owner: Owner, for permission: Permission, by caller: Caller) throws
        -> Visibility
    {
        // Of one's own no grant needs to be looked up.
        let principal = caller.principal
        if principal.reaches(owner), principal.agent == nil,
            principal.permissions.contains(permission)
        {
            return Visibility(ceiling: principal.clearance)
        }
        return try read { db in
            try visible(permission, of: owner, Self.ownerID(owner, db), caller, db)
        }
    }

    /// The part of an owner's memories that the caller reaches for a permission.
    ///
    /// - Throws: ``AccessError`` if nothing; it is noted in the audit log.
    func visible(
        _ permission: Permission, of owner: Owner, _ ownerID: Int64?, _ caller: Caller,
        _ db: Database
    ) throws
        -> Visibility
    {
        let principal = caller.principal
        try TextRules.requireStorable(principal.texts)
        return try noting(owner, caller) {
            try AccessRules.visibility(
                of: owner, for: permission, principal,
                grants: {
                    try ownerID.map {
                        try grants($0, owner, to: caller, db)
                    } ?? []
                },
                cleared: { ids in
                    try String.fetchAll(
                        db,
                        sql:
                            "SELECT id FROM cube WHERE sensitivity <= ? AND id IN (SELECT value FROM json_each(?))",
                        arguments: [
                            principal.clearance.rawValue, try StoreCoding.encode(Array(ids)),
                        ]
                    ).map(CubeID.init(stored:))
                })
        }
    }

    /// Notes what a rule refuses.
    func noting<T>(_ owner: Owner?, _ caller: Caller, _ rule: () throws -> T) throws -> T {
        do { return try rule() } catch let error as AccessError {
            throw refusal(error.message, owner, caller)
        }
    }

    /// Notes a refusal and returns it.
    func refusal(_ text: String, _ owner: Owner?, _ caller: Caller) -> AccessError {
        var entry = AuditEntry(caller, owner, default: "store", outcome: .refused)
        entry.detail = text
        try? note(entry)
        return AccessError(text)
    }

    /// The refusal waits for the next transaction, a second at most.
    public func refuse(_ text: String, owner: Owner?, by caller: Caller) -> AccessError {
        refusal(text, owner, caller)
    }

    /// - Throws: ``AccessError`` unless the caller may and reaches everybody.
    func requireAll(_ permission: Permission, _ caller: Caller) throws {
        try noting(nil, caller) { try AccessRules.requireAll(permission, of: caller.principal) }
    }

    /// SQL that holds for visible cubes.
    static func condition(_ visibility: Visibility) -> (sql: String, arguments: StatementArguments) {
        if visibility.isUnrestricted { return ("1", []) }
        let list = "[" + visibility.also.map { "\"\($0)\"" }.joined(separator: ",") + "]"
        return (
            """
            (cube.sensitivity <= ? OR (cube.sensitivity <= ? AND (cube.agent IS NULL OR cube.agent = ?))
                OR cube.id IN (SELECT value FROM json_each(?)))
            """,
            [
                visibility.ceiling?.rawValue ?? -1, visibility.agentCeiling?.rawValue ?? -1,
                visibility.agent ?? "", list,
            ]
        )
    }

    // MARK: Grants

    /// The grants of an owner that are for the caller and have not ended.
    private func grants(
        _ ownerID: Int64, _ owner: Owner, to caller: Caller, _ db: Database
    ) throws
        -> [Grant]
    {
        let grantees = try StoreCoding.encode(Grantee.all(of: caller.principal).map(\.description))
        return try Row.fetchAll(
            db.cachedStatement(
                sql:
                    "SELECT * FROM access_grant WHERE owner = ? AND grantee IN (SELECT value FROM json_each(?)) AND (expires IS NULL OR expires > ?)"
            ),
            arguments: [ownerID, grantees, caller.time.timeIntervalSince1970]
        ).map { try $0.grant(of: owner) }
    }

    /// As ``AccessStore`` has it: the check of what the giver may do, the grant and its audit entry
    /// are one transaction.
    public func share(_ grant: Grant, by caller: Caller) throws -> Grant {
        try audited { db, chain in
            var grant = grant
            var ownerID = try Self.ownerID(grant.owner, db)
            let principal = caller.principal
            let own = try visible(.share, of: grant.owner, ownerID, caller, db)
            try noting(grant.owner, caller) { try AccessRules.check(grant, own: own, principal) }
            try TextRules.requireStorable([grant.grantee.description] + caller.texts)
            if let id = grant.cube {
                let cube = try ownerID.flatMap { try Self.current(id, $0, db) }
                _ = try AccessRules.require(cube, id, in: own)
            }
            if ownerID == nil { ownerID = try Self.createOwner(grant.owner, db) }
            grant.created = caller.time
            grant.grantor = principal.name
            // The same again replaces what was.
            try db.execute(
                sql: "DELETE FROM access_grant WHERE owner = ? AND grantee = ? AND cube IS ?",
                arguments: [ownerID, grant.grantee.description, grant.cube?.description])
            try db.execute(
                sql:
                    "INSERT INTO access_grant (owner, cube, grantee, permissions, up_to, created, grantor, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    ownerID, grant.cube?.description, grant.grantee.description,
                    grant.permissions.map(\.rawValue).sorted().joined(separator: ","),
                    grant.upTo.rawValue, grant.created.timeIntervalSince1970, grant.grantor,
                    grant.expires?.timeIntervalSince1970,
                ])
            grant.id = db.lastInsertedRowID
            var entry = AuditEntry(
                caller, grant.owner, default: "share", cubes: grant.cube.map { [$0] } ?? [])
            entry.detail =
                "\(grant.permissions.map(\.rawValue).sorted().joined(separator: ",")) to \(grant.grantee)"
            try chain.append(entry, db)
            return grant
        }
    }

    /// Takes a grant away; it counts no more from the next request on.
    public func unshare(_ id: Int64, owner: Owner, by caller: Caller) throws {
        try audited { db, chain in
            let ownerID = try Self.ownerID(owner, db)
            _ = try visible(.share, of: owner, ownerID, caller, db)
            try noting(owner, caller) {
                try AccessRules.requireSharing(of: owner, caller.principal)
            }
            try db.execute(
                sql: "DELETE FROM access_grant WHERE id = ? AND owner = ?",
                arguments: [id, ownerID])
            guard db.changesCount > 0 else {
                throw StoreError(.notFound, "There is no grant \(id) of these memories.")
            }
            var entry = AuditEntry(caller, owner, default: "unshare")
            entry.detail = "grant \(id)"
            try chain.append(entry, db)
        }
    }

    /// All grants for the owner; for others those that are for them.
    public func grants(owner: Owner, by caller: Caller) throws -> [Grant] {
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return [] }
            if caller.principal.reaches(owner) {
                _ = try visible(.read, of: owner, ownerID, caller, db)
                return try Row.fetchAll(
                    db, sql: "SELECT * FROM access_grant WHERE owner = ? ORDER BY id",
                    arguments: [ownerID]
                ).map { try $0.grant(of: owner) }
            }
            guard caller.principal.tenant == owner.tenant else {
                throw refusal("No grant leads to another tenant.", owner, caller)
            }
            return try grants(ownerID, owner, to: caller, db)
        }
    }

    /// Grants of all owners of the caller's tenant that are for it; none for who belongs to no
    /// tenant.
    public func grants(to caller: Caller) throws -> [Grant] {
        guard let tenant = caller.principal.tenant else { return [] }
        try TextRules.requireStorable(caller.principal.texts)
        return try read { db in
            let grantees = try StoreCoding.encode(
                Grantee.all(of: caller.principal).map(\.description))
            return try Row.fetchAll(
                db,
                sql: """
                    SELECT access_grant.*, owner.user FROM access_grant JOIN owner ON owner.id = access_grant.owner
                    WHERE owner.tenant = ? AND grantee IN (SELECT value FROM json_each(?)) AND (expires IS NULL OR expires > ?) ORDER BY access_grant.id
                    """, arguments: [tenant, grantees, caller.time.timeIntervalSince1970]
            ).map { try $0.grant(of: Owner(tenant: tenant, user: try $0.read("user"))) }
        }
    }

    // MARK: Audit

    /// Notes an entry that is written within a second.
    func note(_ entry: AuditEntry) throws {
        if let delay = try audit.note(entry) { scheduleFlush(delay) }
    }

    /// Writes what waits for the audit log, in the background; on failure again in ten seconds, and
    /// ``AuditLog/note(_:)`` refuses when too much waits.
    private func scheduleFlush(_ seconds: Int) {
        auditQueue.asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in
            do { try self?.flush() } catch { self?.scheduleFlush(10) }
        }
    }

    /// Notes that memories were handed out.
    func noteRead(_ operation: String, _ cubes: [CubeID], owner: Owner?, by caller: Caller) throws {
        if !caller.isInternal { try note(AuditEntry(caller, owner, default: operation, cubes: cubes)) }
    }

    /// For what was read as a whole and handed out in part.
    public func noteRead(_ ids: [CubeID], owner: Owner, by caller: Caller) throws {
        try noteRead("read", ids, owner: owner, by: caller)
    }

    /// A transaction that takes what waits for the audit log with it.
    func audited<T>(_ body: (Database, inout AuditLog.Chain) throws -> T) throws -> T {
        try write { db in
            let rows = SQLiteAuditRows(db)
            var chain = try AuditLog.Chain(rows)
            let written = try audit.writeWaiting(&chain, rows)
            let result = try body(db, &chain)
            try audit.sign(chain, always: false, rows)
            db.afterNextTransaction { [audit] _ in audit.dropWritten(written) }
            return result
        }
    }

    /// A transaction with nothing in it but what waits.
    public func flush() throws { try audited { _, _ in } }

    /// Writes waiting entries first, so that the page is complete up to this call.
    public func auditEntries(after position: Int64, limit: Int, by caller: Caller) throws
        -> [AuditEntry]
    {
        try requireAll(.admin, caller)
        try flush()
        return try read { try SQLiteAuditRows($0).entries(after: position, limit: limit) }
    }

    /// Entries that wait are written before, so that the position counts them.
    public func auditPosition(by caller: Caller) throws -> Int64 {
        try requireAll(.admin, caller)
        try flush()
        return try read { try SQLiteAuditRows($0).end().position }
    }

    /// Signatures as they are stored; whether they are valid is for ``verifyAudit(keys:head:by:)``.
    public func auditCheckpoints(by caller: Caller) throws -> [AuditCheckpoint] {
        try requireAll(.admin, caller)
        return try read { try SQLiteAuditRows($0).checkpoints() }
    }

    /// As ``AuditStore`` has it: verified, handed out page by page, and only then taken away, in
    /// one transaction with the entry that says so.
    public func shortenAudit(
        before time: Date, by caller: Caller, archive: ([AuditEntry]) throws -> Void
    ) throws -> Int {
        try requireAll(.admin, caller)
        // Who shortens a log that somebody changed would cover that up.
        let report = try verifyAudit(keys: nil, head: nil, by: caller)
        try report.requireSound()
        let end = try read { try SQLiteAuditRows($0).end(before: time) }
        guard end >= report.begin else { return 0 }
        var reached = report.begin &- 1
        while reached < end {
            let page = try read {
                try SQLiteAuditRows($0).entries(
                    after: reached, limit: Int(min(4_096, end &- reached)))
            }
            guard let last = page.last else { break }
            try archive(page)
            reached = last.position
        }
        try audited { db, chain in
            try audit.cut(upTo: end, SQLiteAuditRows(db))
            var entry = AuditEntry(caller, nil, default: "audit")
            entry.detail = "entries \(report.begin) to \(end) taken away"
            try chain.append(entry, db)
        }
        return Int(end &- report.begin &+ 1)
    }

    /// As ``AuditStore`` has it; what waits is written and signed before, so that the report covers
    /// it.
    ///
    /// - Complexity: one pass over log and journal.
    public func verifyAudit(keys: [Data]?, head: (position: Int64, hash: Data)?, by caller: Caller)
        throws
        -> AuditReport
    {
        try requireAll(.admin, caller)
        try audited { db, chain in
            try audit.sign(chain, always: true, SQLiteAuditRows(db))
        }
        return try read { try AuditLog.verify(keys: keys, head: head, SQLiteAuditRows($0)) }
    }
}
