import Crypto
import Foundation
import GRDB

/// Commits: requests in one transaction, each whole or not at all.
extension SQLiteMemoryStore {
    /// As ``CubeStore`` has it: one transaction, and in it a savepoint for each request. A rule
    /// that refuses a request takes back that one and its audit entries; any other error takes back
    /// all.
    public func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        let results = try audited { db, chain in
            try requests.map { request -> Result<[MemCube], any Error> in
                var cubes: [MemCube] = []
                let before = chain
                do {
                    try db.inSavepoint {
                        cubes = try apply(request, &chain, db)
                        return .commit
                    }
                } catch  where error is StoreError || error is AccessError {
                    chain = before
                    return .failure(error)
                }
                return .success(cubes)
            }
        }
        if requests.contains(where: {
            $0.mutations.contains { if case .erase = $0 { true } else { false } }
        }) {
            try dropOldPages()
        }
        return results
    }

    /// Checks a request as a whole (texts, permissions, quota, whether it was sent before), and
    /// applies it.
    private func apply(_ request: WriteRequest, _ chain: inout AuditLog.Chain, _ db: Database)
        throws -> [MemCube]
    {
        let caller = request.caller
        let owner = request.owner
        try TextRules.requireWhole(request.texts)
        // An owner gets a place with the first request that may write there: a refused one leaves
        // none.
        let known = try Self.ownerID(owner, db)
        var sights: [Permission: Visibility] = [:]
        for permission in request.mutations.reduce(into: Set(), { $0.formUnion($1.permissions) }) {
            sights[permission] = try visible(permission, of: owner, known, caller, db)
        }
        let ownerID = try known ?? Self.createOwner(owner, db)
        let change = Change(owner: owner, ownerID: ownerID, caller: caller, sights: sights)
        try checkQuota(request.mutations.count { $0.isAddition }, change, db)
        guard let key = request.idempotencyKey else {
            return try apply(request.mutations, change, &chain, db)
        }
        let hash = IdempotencyRules.hash(of: request.mutations)
        if let done = try Row.fetchOne(
            db, sql: "SELECT request, cubes FROM idempotency WHERE owner = ? AND key = ?",
            arguments: [ownerID, key])
        {
            try IdempotencyRules.requireSame(hash, as: done.read("request"), key: key)
            let cubes = try StoreCoding.decode([CubeID].self, done.read("cubes")).compactMap {
                try Self.current($0, ownerID, db)
            }
            let seen = cubes.filter(change.reaches)
            // Nothing is changed, but handed out.
            try chain.append(
                AuditEntry(caller, owner, default: "commit", cubes: seen.map(\.id)), db)
            return seen
        }
        let cubes = try apply(request.mutations, change, &chain, db)
        try db.execute(
            sql:
                "INSERT INTO idempotency (owner, key, request, cubes, time) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                ownerID, key, hash, try StoreCoding.encode(cubes.map(\.id)),
                caller.time.timeIntervalSince1970,
            ])
        return cubes
    }

    /// One request's way through the store.
    final class Change {
        let owner: Owner
        let ownerID: Int64
        let caller: Caller
        /// The part that the caller reaches, for each permission that the request needs.
        private let sights: [Permission: Visibility]
        /// Journal entries so far, and what they are called by together.
        private(set) var journal: ClosedRange<Int64>?
        private var digests = SHA256()
        /// Who claims what, as far as it was read.
        var claims = ClaimCache()

        /// A request that nothing was done of yet.
        init(owner: Owner, ownerID: Int64, caller: Caller, sights: [Permission: Visibility]) {
            self.owner = owner
            self.ownerID = ownerID
            self.caller = caller
            self.sights = sights
        }

        /// Notes a journal entry.
        func note(_ position: Int64, _ digest: Data) {
            journal = (journal?.lowerBound ?? position)...position
            JournalDigest.add(position, digest, to: &digests)
        }

        /// Of all entries in order, as ``AuditLog/digest(_:_:_:)`` has it.
        var digest: Data { Data(digests.finalize()) }

        /// The part that the caller reaches for a permission; there is one for each that a mutation
        /// of the request needs.
        func sight(_ permission: Permission) -> Visibility { sights[permission]! }

        /// Tells whether what follows from the request may change a cube.
        func reaches(_ cube: MemCube) -> Bool { sights.values.contains { $0.contains(cube) } }

        /// As ``reaches(_:)-(MemCube)``.
        func reaches(_ holder: ClaimHolder) -> Bool {
            sights.values.contains {
                $0.contains(holder.id, holder.sensitivity, agent: holder.agent)
            }
        }
    }

    /// Applies a request's mutations and writes down that it was done.
    private func apply(
        _ mutations: [Mutation], _ change: Change, _ chain: inout AuditLog.Chain, _ db: Database
    ) throws
        -> [MemCube]
    {
        let cubes = try mutations.compactMap { try apply($0, change, db) }
        let erased = mutations.compactMap { mutation -> CubeID? in
            if case .erase(let id) = mutation { id } else { nil }
        }
        var entry = AuditEntry(
            change.caller, change.owner, default: "commit", cubes: cubes.map(\.id) + erased)
        if let journal = change.journal {
            (entry.journalFirst, entry.journalLast, entry.digest) = (
                journal.lowerBound, journal.upperBound, change.digest
            )
        }
        try chain.append(entry, db)
        return cubes
    }

    /// Counts an owner's cubes up to the limit, which no counter could do: what is erased must make
    /// room at once.
    private func checkQuota(_ added: Int, _ change: Change, _ db: Database) throws {
        let principal = change.caller.principal
        guard let limit = QuotaRules.countLimit(adding: added, by: principal) else { return }
        let count = try Int.fetchOne(
            db.cachedStatement(
                sql: "SELECT count(*) FROM (SELECT 1 FROM cube WHERE owner = ? LIMIT ?)"),
            arguments: [change.ownerID, limit])
        try QuotaRules.check(kept: count ?? 0, adding: added, owner: change.owner, by: principal)
    }

    /// Empties the write-ahead log: it holds pages as they were before an erasure.
    ///
    /// - Throws: ``StoreError`` if another process keeps reading an old state for two seconds.
    func dropOldPages() throws {
        for attempt in 1...40 {
            let busy = try writeWithoutTransaction {
                try Bool.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)") ?? true
            }
            if !busy { return }
            if attempt < 40 { Thread.sleep(forTimeInterval: 0.05) }
        }
        throw StoreError(
            .busy,
            "The memory is erased, but another process still reads an older state of the file, so that old pages remain in its log. Repeat `mneme doctor --repair` when it has ended."
        )
    }
}
