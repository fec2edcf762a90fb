import Foundation
import GRDB

/// Cubes that come from elsewhere.
extension SQLiteMemoryStore {
    /// Erased ids stay taken: their journal entries are left, without texts. That somebody else has
    /// an id is told, as it is a random number that nobody guesses.
    static func availability(of id: CubeID, _ ownerID: Int64?, _ db: Database) throws -> IDAvailability {
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
    public func availability(of ids: [CubeID], owner: Owner, by caller: Caller) throws -> [IDAvailability] {
        try read { db in
            let ownerID = try Self.ownerID(owner, db)
            _ = try visible(.write, of: owner, ownerID, caller, db)
            return try ids.map { try Self.availability(of: $0, ownerID, db) }
        }
    }
}
