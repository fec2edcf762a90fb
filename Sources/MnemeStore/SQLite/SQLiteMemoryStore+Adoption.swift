import Foundation
import GRDB

/// Cubes that come from elsewhere.
extension SQLiteMemoryStore {
    /// Takes in a cube of another store with what happened to it there.
    func adopt(
        _ cube: MemCube, _ history: [JournalEntry], _ analysis: [UInt8], _ contentHash: [UInt8], _ change: Change,
        _ db: Database
    ) throws -> MemCube {
        var cube = cube
        try confine(&cube, change, isNew: true)
        guard cube.isPlaintext, cube.state != .erased else {
            throw StoreError(.conflict, "Memory \(cube.id) cannot be taken in.")
        }
        guard try standing(of: cube.id, change.ownerID, db) == .free else {
            throw StoreError(.conflict, "Memory \(cube.id) is here already, or was erased here.")
        }
        (cube.scope.tenant, cube.scope.user, cube.vouchedBy) = (change.owner.tenant, change.owner.user, nil)
        for entry in history.sorted(by: { $0.version < $1.version }) {
            guard var snapshot = entry.snapshot, snapshot.id == cube.id, entry.version <= cube.version,
                entry.time.timeIntervalSince1970.isFinite
            else {
                continue
            }
            (snapshot.scope.tenant, snapshot.scope.user, snapshot.vouchedBy) = (
                change.owner.tenant, change.owner.user, nil
            )
            _ = try Self.append(
                entry.operation, cube.id, version: entry.version, payload: CubeJSON(snapshot).payload,
                time: min(entry.time, change.caller.time),
                principal: entry.principal, reason: entry.reason, change, db)
        }
        let json = CubeJSON(cube),
            position = try Self.append(.adopt, cube.id, version: cube.version, payload: json.payload, change, db)
        try insert(cube, json, analysis, contentHash, position, change, db)
        guard !cube.claims.isEmpty else { return cube }
        try settle(Self.saveClaims(cube, change.ownerID, db), change, db)
        return try Self.current(cube.id, change.ownerID, db) ?? cube
    }

    private func standing(of id: CubeID, _ ownerID: Int64?, _ db: Database) throws -> CubeStanding {
        if let owner = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT owner FROM cube WHERE id = ?"), arguments: [id.description])
        {
            return owner == ownerID ? .here : .elsewhere
        }
        let past = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT owner FROM journal WHERE cube = ? LIMIT 1"), arguments: [id.description])
        return past == nil ? .free : past == ownerID ? .erased : .elsewhere
    }

    public func standing(of ids: [CubeID], owner: Owner, by caller: Caller) throws -> [CubeStanding] {
        try read { db in
            let ownerID = try Self.ownerID(owner, db)
            _ = try visible(.write, of: owner, ownerID, caller, db)
            return try ids.map { try standing(of: $0, ownerID, db) }
        }
    }
}
