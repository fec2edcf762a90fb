import Foundation
import GRDB

/// Cubes that come from elsewhere.
extension SQLiteMemoryStore {
    /// Takes in a cube of another store with what happened to it there.
    func adopt(
        _ cube: MemCube, _ history: [JournalEntry], _ analysis: [UInt8], _ contentHash: [UInt8],
        _ change: Change,
        _ db: Database
    ) throws -> MemCube {
        // Before access is asked: what comes from outside gets none by what it says of itself.
        var cube = AdoptionRules.owned(cube, by: change.owner)
        try confine(&cube, change, isNew: true)
        try AdoptionRules.requireAdoptable(cube)
        try AdoptionRules.requireFree(cube.id, standing(of: cube.id, change.ownerID, db))
        for entry in AdoptionRules.history(
            of: cube, history, owner: change.owner, by: change.caller)
        {
            guard let snapshot = entry.snapshot else { continue }
            _ = try Self.append(
                entry.operation, cube.id, version: entry.version,
                payload: CubeJSON(snapshot).payload,
                time: entry.time, principal: entry.principal, reason: entry.reason, change, db)
        }
        let json = CubeJSON(cube)
        let position = try Self.append(
            .adopt, cube.id, version: cube.version, payload: json.payload, change, db)
        try insert(cube, json, analysis, contentHash, position, change, db)
        return try settleNew(cube, change, db)
    }

    /// Erased ids stay taken: their journal entries are left, without texts. That somebody else has
    /// an id is told, as it is a random number that nobody guesses.
    private func standing(of id: CubeID, _ ownerID: Int64?, _ db: Database) throws -> CubeStanding {
        if let owner = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT owner FROM cube WHERE id = ?"),
            arguments: [id.description])
        {
            return owner == ownerID ? .here : .elsewhere
        }
        let past = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT owner FROM journal WHERE cube = ? LIMIT 1"),
            arguments: [id.description])
        return past == nil ? .free : past == ownerID ? .erased : .elsewhere
    }

    /// Needs the permission to write there: it is asked before an import.
    public func standing(of ids: [CubeID], owner: Owner, by caller: Caller) throws -> [CubeStanding] {
        try read { db in
            let ownerID = try Self.ownerID(owner, db)
            _ = try visible(.write, of: owner, ownerID, caller, db)
            return try ids.map { try standing(of: $0, ownerID, db) }
        }
    }
}
