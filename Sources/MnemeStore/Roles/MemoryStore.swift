/// Durable memory: a journal, the state that it leads to, and what is derived from the state.
///
/// A store plays all of these roles; whoever needs one of them asks for that alone.
///
/// Implementers: ``CubeStore/commit(_:)`` is one transaction; when it returns, the changes survive
/// a crash. What a commit may do is decided by the values in `Rules`: run them in your transaction.
/// Calls block; callers stay off the cooperative pool. Every read and write is confined to one
/// owner, and carries a ``Caller``: what that may not reach is not found, or refused with an
/// ``AccessError``, whatever stands above the store; and what it was handed or changed stands in
/// the audit log. Pass the conformance suite in `MnemeTesting`.
public protocol MemoryStore: CubeStore, IndexFeed, AccessStore, PolicyStore, AuditStore, ExportLog,
    JobStore,
    StoreMaintenance
{}
