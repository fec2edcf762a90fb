import Mneme
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore

/// Who may use which adapter. An adapter tells what the memories say that it was made from, so it is
/// for who may read the memory that stands for it; others are told that there is none.
extension MemoryServer {
    /// Refuses an adapter that the caller may not use, as one that is not there, and one whose memory
    /// was archived.
    ///
    /// - Throws: ``MnemeModels/AdapterError`` that names the adapters of the caller, or the memory.
    func checkAdapter(_ name: String, for caller: Caller) async throws {
        guard let engine = language?.engine else { return }
        let (isUsable, archived) = try await memory.run { [store = memory.store] () -> (Bool, CubeID?) in
            // The engine says why one is not there, or damaged, to who reaches all.
            guard let adapter = OwnedAdapter(name, engine) else { return (caller.principal.reachesAll, nil) }
            return (try adapter.mayBeUsed(by: caller, store), try adapter.archivedMemory(store))
        }
        if isUsable, let archived {
            throw AdapterError.archived(name, memory: archived)
        }
        guard !isUsable else { return }
        let own = try await adapterNames(for: caller)
        let there =
            own.isEmpty
            ? "there are none for '\(caller.principal.name)'" : "there are " + own.prefix(20).joined(separator: ", ")
        throw AdapterError(.notFound, "There is no adapter '\(name.prefix(80))'; \(there).")
    }

    /// The adapters that a caller is told of, in order: its own and those that belong to nobody.
    /// What others have shared with it by a grant can be named and is not listed.
    func adapterNames(for caller: Caller) async throws -> [String] {
        guard let engine = language?.engine else { return [] }
        let names = engine.adapterNames
        guard !caller.principal.reachesAll else { return names }
        return try await memory.run { [store = memory.store] in
            try names.filter {
                guard let adapter = OwnedAdapter($0, engine) else { return false }
                // A look at somebody else's would stand in the audit log as an attempt.
                guard adapter.owner.map(caller.principal.reaches) ?? true else { return false }
                return try adapter.mayBeUsed(by: caller, store) && adapter.archivedMemory(store) == nil
            }
        }
    }
}

/// What an adapter's record says of its owner.
struct OwnedAdapter {
    /// Whose it is; nil if it was put there without a memory, by who runs the server: then it is for all.
    let owner: Owner?
    /// The memory that stands for it.
    private let id: CubeID?
    private let record: AdapterRecord?

    /// Reads the record of an adapter; nil if there is no such adapter, or its record is damaged.
    init?(_ name: String, _ engine: Engine) {
        guard case .success(let record) = Result(catching: { try engine.adapterRecord(name) }) else {
            return nil
        }
        var place = record?.cube
        if place == nil, let record, record.owner != nil || !record.memories.isEmpty {
            place = AdapterRecord.Cube(user: record.owner ?? "default")
        }
        owner = place.map { Owner(tenant: $0.tenant, user: $0.user) }
        id = place?.id.flatMap { CubeID($0) }
        self.record = record
    }

    /// True if a caller may read the memory that stands for it; if that is in another store, or was
    /// never made, if the caller may read all that the owner has.
    func mayBeUsed(by caller: Caller, _ store: any MemoryStore) throws -> Bool {
        guard let owner, !caller.principal.reachesAll else { return true }
        if let id, try !store.cubes([id], owner: owner, by: .mneme).isEmpty {
            do { return try store.cube(id, owner: owner, asOf: nil, by: caller) != nil } catch is AccessError {
                return false
            }
        }
        return caller.principal.reaches(owner) && caller.principal.agent == nil
            && caller.principal.clearance == .restricted
    }

    /// The memory that stands for it, if that was archived.
    func archivedMemory(_ store: any MemoryStore) throws -> CubeID? {
        try record?.archivedMemory(in: store)
    }
}
