/// Access rights: who reaches which memories.
public protocol AccessStore: Sendable {
    /// The part of an owner's memories that the caller may use for a permission.
    ///
    /// - Throws: ``AccessError`` if none; that is noted in the audit log.
    func visibility(of owner: Owner, for permission: Permission, by caller: Caller) throws
        -> Visibility
    /// Lets somebody reach memories, until it ends or is taken back; the same grantee's
    /// earlier grant of the same is replaced.
    ///
    /// - Throws: ``AccessError`` if the caller may not share, or shares more than it may do.
    func share(_ grant: Grant, by caller: Caller) throws -> Grant
    /// Takes a grant back.
    func unshare(_ id: Int64, owner: Owner, by caller: Caller) throws
    /// Grants of an owner's memories: all for who owns them, their own for others.
    func grants(owner: Owner, by caller: Caller) throws -> [Grant]
    /// Grants of others to the caller.
    func grants(to caller: Caller) throws -> [Grant]
}
