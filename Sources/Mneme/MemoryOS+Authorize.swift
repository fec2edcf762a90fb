public import MnemeStore

extension MemoryOS {
    /// Checks that a caller has a permission. A refusal stands in the audit log.
    ///
    /// - Parameters:
    ///   - permission: what is about to be done.
    ///   - caller: who wants to do it.
    ///   - advice: what the caller can do instead.
    /// - Throws: `AccessError`.
    public func authorize(_ permission: Permission, by caller: Caller, advice: String? = nil) throws {
        guard !caller.principal.permissions.contains(permission) else { return }
        let refusal =
            "'\(caller.principal.name)' may not \(caller.operation ?? "do this"): "
            + "the permission '\(permission.rawValue)' is missing."
        throw store.refuse(
            [refusal, advice].compactMap(\.self).joined(separator: " "), owner: nil, by: caller)
    }
}
