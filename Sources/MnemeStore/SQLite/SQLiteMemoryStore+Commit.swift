import Foundation
import GRDB

/// Commits: requests in one transaction, each whole or not at all. ``CommitPlanner`` decides what
/// is written, ``SQLiteCommitRows`` writes it.
extension SQLiteMemoryStore {
    /// As ``CubeStore`` has it: one transaction, and in it a savepoint for each request. A rule
    /// that refuses a request takes back that one and its audit entries; any other error takes back
    /// all.
    public func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        let results = try audited { db, chain in
            try requests.map { request -> Result<[MemCube], any Error> in
                do {
                    let rows = try SQLiteCommitRows(of: request, in: self, chain, db)
                    var cubes: [MemCube] = []
                    try db.inSavepoint {
                        cubes = try CommitPlanner(request, rows: rows).commit()
                        return .commit
                    }
                    chain = rows.chain
                    return .success(cubes)
                } catch  where error is StoreError || error is AccessError {
                    return .failure(error)
                }
            }
        }
        if requests.contains(where: {
            $0.mutations.contains { if case .erase = $0 { true } else { false } }
        }) {
            try dropOldPages()
        }
        return results
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
