import Foundation
import GRDB

extension SQLiteMemoryStore {
    /// Columns of a cube with its owner and session names.
    static let cubeQuery = """
        SELECT cube.*, owner.tenant, owner.user, session.name AS session_name FROM cube
        JOIN owner ON owner.id = cube.owner LEFT JOIN session ON session.id = cube.session
        """

    /// The row of an owner; nil for one that has no place yet.
    static func ownerID(_ owner: Owner, _ db: Database) throws -> Int64? {
        try TextRules.requireStorable(owner.texts)
        return try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM owner WHERE tenant = ? AND user = ?"),
            arguments: [owner.tenant, owner.user])
    }
}
