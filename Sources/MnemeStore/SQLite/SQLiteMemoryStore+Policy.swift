import Foundation
import GRDB
import NIOConcurrencyHelpers

/// Policies in SQLite, kept in memory for a second: each write asks for one.
extension SQLiteMemoryStore {
    /// Seconds after which a policy is read again: another process may have changed it.
    private static let policyAge = 1.0

    /// As ``PolicyStore`` has it. Every write asks, so that the answer is kept for `policyAge`
    /// seconds.
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
            try String.fetchOne(
                db.cachedStatement(
                    sql:
                        "SELECT body FROM policy WHERE tenant IN (?, '') ORDER BY tenant DESC LIMIT 1"
                ),
                arguments: [tenant])
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
        try audited { db, chain in
            if let policy {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO policy (tenant, body) VALUES (?, ?)",
                    arguments: [tenant ?? "", try StoreCoding.encode(policy)])
            } else {
                try db.execute(
                    sql: "DELETE FROM policy WHERE tenant = ?", arguments: [tenant ?? ""])
            }
            var entry = AuditEntry(caller, nil, default: "policy")
            entry.detail =
                "\(tenant ?? "all tenants"): "
                + (try policy.map(StoreCoding.encode) ?? "as for all")
            try chain.append(entry, db)
        }
        policies.withLockedValue { $0 = [:] }
    }
}
