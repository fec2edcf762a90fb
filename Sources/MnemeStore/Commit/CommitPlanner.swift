import Crypto
import Foundation

/// Decides what one request does to a store: which rules it has to pass, in which order, and which
/// rows are written of it.
///
/// The same for every backend, which reads and writes rows and decides nothing, see ``CommitRows``:
/// it opens a transaction, makes a planner for each request, and takes its rows back if
/// ``commit()`` throws. Rules are the pure functions in `Rules/`.
///
/// ```swift
/// func commit(_ request: WriteRequest) throws -> [MemCube] {
///     try database.transaction { connection in
///         try CommitPlanner(request, rows: MyRows(of: request.owner, connection)).commit()
///     }
/// }
/// ```
///
/// A planner serves one request, on one thread. It keeps no rows but the claims that it has read,
/// see ``CommitRows/claimants(of:)``.
public final class CommitPlanner<Rows: CommitRows> {
    let request: WriteRequest
    let rows: Rows
    /// The part that the caller reaches, for each permission that the request needs.
    private var visibilities: [Permission: Visibility] = [:]
    /// Journal entries so far, and what they are called by together.
    private var journal: ClosedRange<Int64>?
    private var digests = SHA256()
    /// The claims that were read.
    var claims = ClaimCache()

    var caller: Caller { request.caller }
    var owner: Owner { request.owner }

    /// A request that nothing was done of yet.
    public init(_ request: WriteRequest, rows: Rows) {
        self.request = request
        self.rows = rows
    }

    /// Checks the request as a whole (texts, permissions, quota, whether it was sent before),
    /// applies its mutations, and writes down that it was done.
    ///
    /// Call it once.
    ///
    /// - Returns: the cubes after its mutations, in their order.
    /// - Throws: ``StoreError`` or ``AccessError`` if a rule refuses it, and what the rows throw.
    /// - Complexity: a few rows for each mutation, and for each thing that its cubes claim something
    ///   of.
    public func commit() throws -> [MemCube] {
        try TextRules.requireStorable(request)
        let needed = request.mutations.reduce(into: Set()) { $0.formUnion($1.permissions) }
        for permission in needed { visibilities[permission] = try rows.visibility(for: permission) }
        // An owner gets a place with the first request that may write there: a refused one leaves
        // none.
        try rows.createOwner()
        try checkQuota()
        guard let key = request.idempotencyKey else { return try applyAll() }
        let hash = IdempotencyRules.hash(of: request.mutations)
        if let done = try rows.answer(to: key) {
            try IdempotencyRules.requireSame(hash, as: done.request, key: key)
            let seen = try done.cubes.compactMap { try rows.cube($0) }.filter(reaches)
            // Nothing is changed, but handed out.
            try rows.append(AuditEntry(caller, owner, default: "commit", cubes: seen.map(\.id)))
            return seen
        }
        let cubes = try applyAll()
        try rows.keepAnswer(to: key, request: hash, cubes: cubes.map(\.id), time: caller.time)
        return cubes
    }

    private func checkQuota() throws {
        let added = request.mutations.count { $0.isAddition }
        guard let limit = QuotaRules.countLimit(adding: added, by: caller.principal) else { return }
        try QuotaRules.check(
            kept: try rows.count(limit: limit), adding: added, owner: owner, by: caller.principal)
    }

    /// Applies the mutations in order, and writes the entry of the audit log that binds them.
    private func applyAll() throws -> [MemCube] {
        let cubes = try request.mutations.compactMap { try apply($0) }
        let erased = request.mutations.compactMap { mutation -> CubeID? in
            if case .erase(let id) = mutation { id } else { nil }
        }
        var entry = AuditEntry(caller, owner, default: "commit", cubes: cubes.map(\.id) + erased)
        if let journal {
            entry.journalFirst = journal.lowerBound
            entry.journalLast = journal.upperBound
            entry.digest = Data(digests.finalize())
        }
        try rows.append(entry)
        return cubes
    }

    // MARK: Visibility

    /// The part that the caller reaches for a permission; there is one for each that a mutation of
    /// the request needs.
    func visibility(_ permission: Permission) -> Visibility { visibilities[permission]! }

    /// Tells whether what follows from the request may change a cube.
    func reaches(_ cube: MemCube) -> Bool { visibilities.values.contains { $0.contains(cube) } }

    /// As ``reaches(_:)-(MemCube)``.
    func reaches(_ holder: ClaimHolder) -> Bool {
        visibilities.values.contains { $0.contains(holder.id, holder.sensitivity, agent: holder.agent) }
    }

    /// A cube that the caller reaches for a permission. To change something one must see it: who
    /// may only write is told nothing of what is there.
    func require(_ id: CubeID, for permission: Permission) throws -> MemCube {
        let cube = try rows.cube(id)
        if permission == .write { _ = try AccessRules.require(cube, id, in: visibility(.read)) }
        return try AccessRules.require(cube, id, in: visibility(permission))
    }

    /// A cube that can be changed.
    func requireChangeable(_ id: CubeID) throws -> MemCube {
        let cube = try require(id, for: .write)
        try LifecycleRules.requireChangeable(cube)
        return cube
    }

    // MARK: Journal

    /// Appends a cube's entry to the journal.
    ///
    /// - Returns: its position.
    @discardableResult
    func record(_ operation: JournalEntry.Operation, _ cube: MemCube, _ json: CubeJSON) throws
        -> Int64
    {
        try append(operation, cube.id, version: cube.version, payload: json.payload)
    }

    /// Appends an edge's entry to the journal.
    func record(_ operation: JournalEntry.Operation, _ link: CubeLink) throws {
        _ = try append(
            operation, link.source, version: 0, payload: try StoreCoding.encode(link),
            target: link.target)
    }

    /// Appends an entry that comes with an adopted cube: what happened elsewhere, and by whom.
    func record(_ entry: JournalEntry, _ snapshot: MemCube) throws {
        _ = try append(
            entry.operation, snapshot.id, version: entry.version,
            payload: CubeJSON(snapshot).payload, at: entry.time, by: entry.principal,
            reason: entry.reason)
    }

    private func append(
        _ operation: JournalEntry.Operation, _ cube: CubeID, version: Int, payload: String,
        target: CubeID? = nil
    ) throws -> Int64 {
        try append(
            operation, cube, version: version, payload: payload, target: target, at: caller.time,
            by: caller.principal.name, reason: caller.reason)
    }

    /// Appends an entry with the digest that binds it to the audit log.
    private func append(
        _ operation: JournalEntry.Operation, _ cube: CubeID, version: Int, payload: String,
        target: CubeID? = nil, at time: Date, by principal: String, reason: String?
    ) throws -> Int64 {
        let salt = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }
        let digest = JournalDigest.digest(
            salt: salt, time: time.timeIntervalSince1970, operation: operation.rawValue,
            cube: cube.description, version: version, principal: principal, reason: reason,
            payload: payload)
        let position = try rows.append(
            JournalRow(
                operation: operation, time: time, cube: cube, version: version, target: target,
                principal: principal, reason: reason, payload: payload, salt: salt, digest: digest))
        journal = (journal?.lowerBound ?? position)...position
        JournalDigest.add(position, digest, to: &digests)
        return position
    }
}
