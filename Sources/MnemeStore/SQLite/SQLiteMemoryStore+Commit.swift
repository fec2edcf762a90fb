import Foundation
import GRDB

/// Commits: requests in one transaction, each whole or not at all. ``CommitPlanner`` decides what
/// is written, ``SQLiteCommitRows`` writes it.
extension SQLiteMemoryStore {
    /// As ``CubeStore`` has it: one transaction, and in it a savepoint for each request. A rule
    /// that refuses a request takes back that one and its audit entries; any other error takes back
    /// all.
    public func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        let results =
            requests.count == 1 ? [try commitAlone(requests[0])] : try commitTogether(requests)
        if requests.contains(where: {
            $0.mutations.contains { if case .erase = $0 { true } else { false } }
        }) {
            try dropOldPages()
        }
        return results
    }

    /// One request, which is the transaction: a refusal takes all of it back. In a savepoint, SQLite
    /// walks at the end of each statement through the pages that the request has changed so far: a
    /// seventh of the time of an import.
    private func commitAlone(_ request: WriteRequest) throws -> Result<[MemCube], any Error> {
        var refusal: (any Error)?
        do {
            return .success(
                try counted([request]) { db, chain, tally in
                    let rows = try SQLiteCommitRows(of: request, in: self, chain, db)
                    rows.tally = tally
                    do {
                        let cubes = try CommitPlanner(request, rows: rows).commit()
                        try rows.finish()
                        chain = rows.chain
                        return cubes
                    } catch  where error is StoreError || error is AccessError {
                        refusal = error
                        throw error
                    }
                })
        } catch {
            guard let refusal else { throw error }
            return .failure(refusal)
        }
    }

    /// Several requests, each in a savepoint of the transaction.
    private func commitTogether(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        try counted(requests) { db, chain, tally in
            try requests.map { request -> Result<[MemCube], any Error> in
                do {
                    let rows = try SQLiteCommitRows(of: request, in: self, chain, db)
                    rows.tally = tally
                    var cubes: [MemCube] = []
                    try db.inSavepoint {
                        cubes = try CommitPlanner(request, rows: rows).commit()
                        try rows.finish()
                        return .commit
                    }
                    chain = rows.chain
                    return .success(cubes)
                } catch  where error is StoreError || error is AccessError {
                    return .failure(error)
                }
            }
        }
    }

    /// Additions from which a transaction counts its rows itself.
    private static let countedAdditions = 8

    /// A transaction of some requests, with its audit entries. Where it adds many memories and nothing
    /// else is asked for, each request's rows count what they change, and triggers do not.
    private func counted<T>(
        _ requests: [WriteRequest],
        _ body: (Database, inout AuditLog.Chain, Tally.Changes?) throws -> T
    ) throws -> T {
        let mutations = requests.lazy.flatMap(\.mutations)
        let isCounting =
            mutations.prefix(Self.countedAdditions).count == Self.countedAdditions
            && mutations.allSatisfy(\.isAddition)
        return try audited { db, chain in
            guard isCounting else { return try body(db, &chain, nil) }
            return try Tally.withoutTriggers(db) { try body(db, &chain, Tally.Changes()) }
        }
    }

    /// Seconds for which an erasure waits for those who still read an older state.
    static let erasurePatience = 2.0

    /// Empties the write-ahead log: it holds pages as they were before an erasure.
    ///
    /// The writer is free between tries, so that others' writes go on meanwhile.
    ///
    /// - Throws: ``StoreError`` if another process keeps reading an old state for
    ///   ``erasurePatience`` seconds.
    func dropOldPages() throws {
        let end = ContinuousClock.now + .seconds(Self.erasurePatience)
        while true {
            let isBusy = try writeWithoutTransaction { db in
                // SQLite's own wait of ten seconds would keep all writers out.
                try db.execute(sql: "PRAGMA busy_timeout = 100")
                defer { try? db.execute(sql: "PRAGMA busy_timeout = \(Int(Self.busySeconds * 1000))") }
                return try Bool.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)") ?? true
            }
            if !isBusy { return }
            guard ContinuousClock.now < end else { break }
            Thread.sleep(forTimeInterval: 0.05)
        }
        throw StoreError(
            .busy,
            "The memory is erased, but another process (a backup, a copy) has been reading an older state of the file "
                + "for \(Int(Self.erasurePatience)) s, so that old pages remain in its log. A backup that ends removes them; "
                + "after anything else, `mneme doctor --repair` does."
        )
    }

    /// Makes a place for an owner's memories and returns its row.
    static func createOwner(_ owner: Owner, _ db: Database) throws -> Int64 {
        try db.execute(
            sql: "INSERT INTO owner (tenant, user) VALUES (?, ?)",
            arguments: [owner.tenant, owner.user])
        return db.lastInsertedRowID
    }

    /// An owner's cube as it is now; nil if it is another's or gone.
    static func current(_ id: CubeID, _ ownerID: Int64, _ db: Database) throws -> MemCube? {
        try Row.fetchOne(
            db.cachedStatement(sql: cubeQuery + " WHERE cube.id = ? AND cube.owner = ?"),
            arguments: [id.description, ownerID]
        ).map { try $0.cube() }
    }
}
