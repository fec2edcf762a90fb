import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// Grants, policies and refusals. Who may do what is decided by `AccessRules`; refusals are written
/// down here, in a transaction of their own, as the refused one is taken back.
extension PostgresMemoryStore {
    // MARK: Who reaches what

    /// As `AccessStore` has it; without a question to the database where no grant can matter, which is
    /// every request of somebody to their own memories.
    public func visibility(of owner: Owner, for permission: Permission, by caller: Caller) throws
        -> Visibility
    {
        if let own = Self.ownVisibility(of: owner, for: permission, caller.principal) { return own }
        return try read { db in
            try visible(permission, of: owner, ownerID(owner, db), caller, db)
        }
    }

    /// What a principal sees of the memories that are its own, where no grant can matter; nil otherwise.
    static func ownVisibility(of owner: Owner, for permission: Permission, _ principal: Principal) -> Visibility? {
        guard principal.reaches(owner), principal.agent == nil, principal.permissions.contains(permission)
        else { return nil }
        return Visibility(ceiling: principal.clearance)
    }

    /// The part of an owner's memories that the caller reaches for a permission.
    ///
    /// - Throws: `AccessError` if nothing; it is noted in the audit log.
    func visible(
        _ permission: Permission, of owner: Owner, _ ownerID: Int64?, _ caller: Caller,
        _ db: PGConnection
    ) throws -> Visibility {
        let principal = caller.principal
        try TextRules.requireStorable(principal.texts)
        return try noting(owner, caller) {
            try AccessRules.visibility(
                of: owner, for: permission, principal,
                grants: {
                    try ownerID.map { try grants($0, owner, to: caller, db) } ?? []
                },
                cleared: { ids in
                    try db.texts(
                        "SELECT id FROM cube WHERE sensitivity <= ? AND id = ANY (?::text[])",
                        [principal.clearance.rawValue, ids.map(\.description)]
                    ).map(CubeID.init(stored:))
                })
        }
    }

    /// Notes what a rule refuses.
    func noting<T>(_ owner: Owner?, _ caller: Caller, _ rule: () throws -> T) throws -> T {
        do { return try rule() } catch let error as AccessError {
            throw refuse(error.message, owner: owner, by: caller)
        }
    }

    /// The refusal waits for the next transaction, a second at most.
    public func refuse(_ text: String, owner: Owner?, by caller: Caller) -> AccessError {
        var entry = AuditEntry(caller, owner, default: "store", outcome: .refused)
        entry.detail = text
        try? note(entry)
        return AccessError(text)
    }

    /// - Throws: `AccessError` unless the caller may and reaches everybody.
    func requireAll(_ permission: Permission, _ caller: Caller) throws {
        try noting(nil, caller) { try AccessRules.requireAll(permission, of: caller.principal) }
    }

    /// SQL that holds for visible cubes.
    static func condition(_ visibility: Visibility) -> (sql: String, arguments: PGArguments) {
        if visibility.isUnrestricted { return ("true", []) }
        return (
            """
            (cube.sensitivity <= ? OR (cube.sensitivity <= ? AND (cube.agent IS NULL OR cube.agent = ?))
                OR cube.id = ANY (?::text[]))
            """,
            [
                visibility.ceiling?.rawValue ?? -1, visibility.agentCeiling?.rawValue ?? -1,
                visibility.agent ?? "", visibility.also.map(\.description),
            ]
        )
    }

    // MARK: Grants

    /// The grants of an owner that are for the caller and have not ended.
    private func grants(
        _ ownerID: Int64, _ owner: Owner, to caller: Caller, _ db: PGConnection
    ) throws -> [Grant] {
        try db.rows(
            """
            SELECT * FROM access_grant WHERE owner = ? AND grantee = ANY (?::text[])
                AND (expires IS NULL OR expires > ?) ORDER BY id
            """,
            [
                ownerID, Grantee.all(of: caller.principal).map(\.description),
                caller.time.timeIntervalSince1970,
            ]
        ).map { try $0.grant(of: owner) }
    }

    /// As `AccessStore` has it: the check of what the giver may do, the grant and its audit entry are
    /// one transaction.
    public func share(_ grant: Grant, by caller: Caller) throws -> Grant {
        try audited { transaction in
            let db = transaction.db
            var grant = grant
            var ownerID = try ownerID(grant.owner, db, isCommitted: false)
            let principal = caller.principal
            let own = try visible(.share, of: grant.owner, ownerID, caller, db)
            try noting(grant.owner, caller) { try AccessRules.check(grant, own: own, principal) }
            try TextRules.requireStorable([grant.grantee.description] + caller.texts)
            if let id = grant.cube {
                let cube = try ownerID.flatMap { try Self.current(id, $0, db) }
                _ = try AccessRules.require(cube, id, in: own)
            }
            if ownerID == nil {
                ownerID = try Self.createOwner(grant.owner, db)
                try Self.show(ownerID, db)
            }
            grant.created = caller.time
            grant.grantor = principal.name
            try write(&grant, ownerID, db)
            var entry = AuditEntry(
                caller, grant.owner, default: "share", cubes: grant.cube.map { [$0] } ?? [])
            entry.detail =
                "\(grant.permissions.map(\.rawValue).sorted().joined(separator: ",")) to \(grant.grantee)"
            try transaction.append(entry)
            return grant
        }
    }

    /// Writes a grant, and gives it its number; the same again replaces what was.
    private func write(_ grant: inout Grant, _ ownerID: Int64?, _ db: PGConnection) throws {
        try db.run(
            "DELETE FROM access_grant WHERE owner = ? AND grantee = ? AND cube IS NOT DISTINCT FROM ?",
            [ownerID, grant.grantee.description, grant.cube?.description])
        let id = try db.number(
            """
            INSERT INTO access_grant (owner, cube, grantee, permissions, up_to, created, grantor, expires)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
            """,
            [
                ownerID, grant.cube?.description, grant.grantee.description,
                grant.permissions.map(\.rawValue).sorted().joined(separator: ","),
                grant.upTo.rawValue, grant.created.timeIntervalSince1970, grant.grantor,
                grant.expires?.timeIntervalSince1970,
            ])
        guard let id else { throw PGFailure.connectionLost("an answer is missing") }
        grant.id = id
    }

    /// Takes a grant away; it counts no more from the next request on.
    public func unshare(_ id: Int64, owner: Owner, by caller: Caller) throws {
        try audited { transaction in
            let ownerID = try ownerID(owner, transaction.db, isCommitted: false)
            _ = try visible(.share, of: owner, ownerID, caller, transaction.db)
            try noting(owner, caller) {
                try AccessRules.requireSharing(of: owner, caller.principal)
            }
            let taken = try transaction.db.changes(
                "DELETE FROM access_grant WHERE id = ? AND owner = ?", [id, ownerID])
            guard taken > 0 else {
                throw StoreError(.notFound, "There is no grant \(id) of these memories.")
            }
            var entry = AuditEntry(caller, owner, default: "unshare")
            entry.detail = "grant \(id)"
            try transaction.append(entry)
        }
    }

    /// All grants for the owner; for others those that are for them.
    public func grants(owner: Owner, by caller: Caller) throws -> [Grant] {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return [] }
            if caller.principal.reaches(owner) {
                _ = try visible(.read, of: owner, ownerID, caller, db)
                return try db.rows(
                    "SELECT * FROM access_grant WHERE owner = ? ORDER BY id", [ownerID]
                ).map { try $0.grant(of: owner) }
            }
            guard caller.principal.tenant == owner.tenant else {
                throw refuse("No grant leads to another tenant.", owner: owner, by: caller)
            }
            return try grants(ownerID, owner, to: caller, db)
        }
    }

    /// Grants of all owners of the caller's tenant that are for it; none for who belongs to no
    /// tenant.
    public func grants(to caller: Caller) throws -> [Grant] {
        guard let tenant = caller.principal.tenant else { return [] }
        try TextRules.requireStorable(caller.principal.texts)
        return try readAll { db in
            try db.rows(
                """
                SELECT access_grant.*, owner."user" FROM access_grant JOIN owner ON owner.id = access_grant.owner
                WHERE owner.tenant = ? AND grantee = ANY (?::text[]) AND (expires IS NULL OR expires > ?)
                ORDER BY access_grant.id
                """,
                [
                    tenant, Grantee.all(of: caller.principal).map(\.description),
                    caller.time.timeIntervalSince1970,
                ]
            ).map { try $0.grant(of: Owner(tenant: tenant, user: try $0.value("user"))) }
        }
    }

    // MARK: Policies

    /// Seconds after which a policy is read again: another process may have changed it.
    private static let policyAge = 1.0

    /// As `PolicyStore` has it. Every write asks, so that the answer is kept for `policyAge` seconds.
    public func policy(of tenant: String) throws -> MemoryPolicy {
        let now = Date()
        if let known = policies.withLockedValue({ $0[tenant] }),
            abs(now.timeIntervalSince(known.read)) < Self.policyAge
        {
            return known.policy
        }
        try TextRules.requireStorable([tenant])
        // A tenant's own, or that for all.
        let body = try read { db in
            try db.first(
                "SELECT body FROM policy WHERE tenant IN (?, '') ORDER BY tenant DESC LIMIT 1", [tenant])?
                .text("body")
        }
        let policy =
            try body.map { try StoreCoding.decode(MemoryPolicy.self, $0) } ?? MemoryPolicy()
        policies.withLockedValue { policies in
            if policies.count > 1_000 { policies = [:] }
            policies[tenant] = (policy, now)
        }
        return policy
    }

    /// Policy and audit entry are one transaction. This process sees it at once, others within
    /// `policyAge` seconds.
    public func setPolicy(_ policy: MemoryPolicy?, tenant: String?, by caller: Caller) throws {
        try noting(nil, caller) {
            try AccessRules.requirePolicyRights(of: tenant, caller.principal)
        }
        if let tenant, tenant.isEmpty { throw StoreError(.conflict, "A tenant has a name.") }
        try TextRules.requireStorable([tenant] + caller.texts)
        try audited { transaction in
            if let policy {
                try transaction.db.run(
                    """
                    INSERT INTO policy (tenant, body) VALUES (?, ?)
                    ON CONFLICT (tenant) DO UPDATE SET body = excluded.body
                    """, [tenant ?? "", try StoreCoding.encode(policy)])
            } else {
                try transaction.db.run("DELETE FROM policy WHERE tenant = ?", [tenant ?? ""])
            }
            var entry = AuditEntry(caller, nil, default: "policy")
            entry.detail =
                "\(tenant ?? "all tenants"): "
                + (try policy.map(StoreCoding.encode) ?? "as for all")
            try transaction.append(entry)
        }
        policies.withLockedValue { $0 = [:] }
    }
}
