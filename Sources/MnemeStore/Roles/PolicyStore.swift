/// Policies of tenants: what is done with what comes in.
public protocol PolicyStore: Sendable {
    /// The policy of a tenant, or that for all; another process's change is seen within a
    /// second.
    func policy(of tenant: String) throws -> MemoryPolicy
    /// Sets a tenant's policy, or that of all who have none; nil takes it back.
    ///
    /// - Throws: ``AccessError`` unless the caller has the permission `admin` for all of it.
    func setPolicy(_ policy: MemoryPolicy?, tenant: String?, by caller: Caller) throws
}
