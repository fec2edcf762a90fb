import Foundation
import MnemeStore

/// Requirements of every ``PolicyStore``.
extension MemoryStoreConformance {
    /// Checks of who sets a policy, and for whom it counts.
    static let policy: [MemoryStoreConformance] = [
        // A tenant that set nothing must follow a later change for all, so that stores must not
        // copy the common policy into tenants.
        // Holds `policy(of:)` and `setPolicy` to their order: the tenant's own, that of all, the
        // default. Finds a store that reaches another tenant, or that cannot take a policy back.
        check("a tenant's own policy goes before that of all, until it is taken back") { store in
            try expect(store.policy(of: "a") == MemoryPolicy())
            let marking = protecting(.mark)
            let off = protecting(.off)
            try store.setPolicy(marking, tenant: nil, by: at(1))
            try expect(store.policy(of: "a") == marking && store.policy(of: "b") == marking)
            try store.setPolicy(off, tenant: "a", by: at(2))
            try expect(store.policy(of: "a") == off && store.policy(of: "b") == marking)
            try store.setPolicy(nil, tenant: "a", by: at(3))
            try expect(store.policy(of: "a") == marking)
            try store.setPolicy(nil, tenant: nil, by: at(4))
            try expect(store.policy(of: "a") == MemoryPolicy())
        },
        // The empty name could be what a backend keeps the policy for all under.
        // Holds `setPolicy` to names that it can keep whole. Finds a store where an empty or cut
        // name changes what counts for everybody.
        check("a policy belongs to a tenant that has a name, or to all") { store in
            try expectError(.conflict) {
                try store.setPolicy(protecting(.off), tenant: "", by: at(1))
            }
            try expectError(.invalidText) {
                try store.setPolicy(protecting(.off), tenant: "a\0b", by: at(1))
            }
            try expect(store.policy(of: "a") == MemoryPolicy())
        },
        // Holds `setPolicy` to the permission `admin` over the whole tenant, and to the audit log.
        // Finds a store that checks the permission but not whether the principal is bound to a
        // user, to an agent or to another tenant.
        check("only who administers the whole tenant sets its policy, and it is written down") {
            store in
            let own = Caller(Principal(name: "own", permissions: [.admin], tenant: "a"))
            let others = [
                Principal(name: "plain", permissions: [.read, .write], tenant: "a"),
                Principal(name: "user", permissions: [.admin], tenant: "a", user: "alice"),
                Principal(name: "agent", permissions: [.admin], tenant: "a", agent: "coder"),
                Principal(name: "other", permissions: [.admin], tenant: "b"),
            ]
            for principal in others {
                try expectRefusal {
                    try store.setPolicy(protecting(.off), tenant: "a", by: Caller(principal))
                }
            }
            // Of one tenant, nobody speaks for all.
            try expectRefusal { try store.setPolicy(protecting(.off), tenant: nil, by: own) }
            try expect(store.policy(of: "a") == MemoryPolicy())
            try store.setPolicy(protecting(.off), tenant: "a", by: own)
            try expect(store.policy(of: "a") == protecting(.off))
            let entries = try store.auditEntries(after: 0, limit: 99, by: at(2))
            try expect(
                entries.count { $0.outcome == .refused } == others.count + 1
                    && entries.last?.principal == "own" && entries.last?.outcome == .done)
        },
    ]

    /// A policy that differs from the default in how it treats texts that read like instructions.
    private static func protecting(_ protection: MemoryPolicy.Protection) -> MemoryPolicy {
        var policy = MemoryPolicy()
        policy.protection = protection
        return policy
    }
}
