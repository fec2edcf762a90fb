import Foundation
import GRDB

/// Which memory holds, where several claim something of the same.
extension SQLiteMemoryStore {
    /// Writes down what a cube claims, in place of what it claimed before.
    ///
    /// - Returns: all that it claims something of, now or before.
    static func saveClaims(_ cube: MemCube, _ ownerID: Int64, _ db: Database) throws -> Set<String> {
        let old = try claimedKeys(cube.id, db)
        if !old.isEmpty {
            try db.cachedStatement(
                sql: "DELETE FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)"
            ).execute(
                arguments: [cube.id.description])
        }
        for claim in cube.claims {
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO claim (owner, key, cube, subject, attribute, value, denied)
                    VALUES (?, ?, (SELECT seq FROM cube WHERE id = ?), ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                ownerID, claim.key, cube.id.description, claim.subject, claim.attribute,
                claim.value, claim.isDenied,
            ])
        }
        return old.union(cube.claims.map(\.key))
    }

    /// What a cube claims something of.
    static func claimedKeys(_ id: CubeID, _ db: Database) throws -> Set<String> {
        Set(
            try String.fetchAll(
                db.cachedStatement(
                    sql: "SELECT key FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)"),
                arguments: [id.description]))
    }

    /// Reads who claims what, each memory and each thing once.
    private struct ClaimReader {
        let ownerID: Int64
        let db: Database
        private var claimants: [String: [Claimant]] = [:]
        private var cubes: [CubeID: MemCube] = [:]

        init(_ ownerID: Int64, _ db: Database) { (self.ownerID, self.db) = (ownerID, db) }

        func isRead(_ key: String) -> Bool { claimants[key] != nil }

        /// Cubes in use that claim something of `key`, the earliest first.
        mutating func claimants(_ key: String) throws -> [Claimant] {
            if let known = claimants[key] { return known }
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT cube.id, claim.subject, claim.attribute, claim.value, claim.denied FROM claim JOIN cube ON cube.seq = claim.cube
                        WHERE claim.owner = ? AND claim.key = ? AND cube.state IN ('generated', 'activated', 'frozen')
                        ORDER BY cube.event_time DESC, cube.seq DESC LIMIT \(ClaimRules.compared)
                        """), arguments: [ownerID, key])
            let found = try rows.reversed().compactMap { row -> Claimant? in
                guard let cube = try cube(CubeID(stored: try row.read(0))) else { return nil }
                return Claimant(
                    cube,
                    Claim(
                        subject: try row.read(1), attribute: try row.read(2),
                        value: try row.read(3),
                        isDenied: try row.read(4)))
            }
            claimants[key] = found
            return found
        }

        private mutating func cube(_ id: CubeID) throws -> MemCube? {
            if let known = cubes[id] { return known }
            let cube = try current(id, ownerID, db)
            cubes[id] = cube
            return cube
        }
    }

    /// Works out anew which of the cubes that claim something of `keys` hold, and since when others
    /// do not. The result depends on what the cubes say and on when that was, not on the order in
    /// which they came.
    ///
    /// - Complexity: some lookups for each cube that claims something of the same; a memory is read
    ///   once.
    func settle(_ keys: Set<String>, _ change: Change, _ db: Database) throws {
        // Who ends what shows in no other memory's validity, so that what was read stays true.
        var reader = ClaimReader(change.ownerID, db), seen: Set<CubeID> = []
        for key in keys.sorted() {
            for cube in try reader.claimants(key).map(\.cube) where seen.insert(cube.id).inserted {
                guard change.reaches(cube), cube.state != .frozen else { continue }
                let claimed = try Self.claimedKeys(cube.id, db)
                // A claim that holds decides: what is read already is asked first.
                var successors: [MemCube?] = []
                for key in claimed.filter(reader.isRead) + claimed.filter({ !reader.isRead($0) }) {
                    let successor = ClaimRules.successor(of: cube, among: try reader.claimants(key))
                    successors.append(successor)
                    if successor == nil { break }
                }
                try setSuccessor(of: cube, ClaimRules.successor(of: successors), change, db)
            }
        }
    }

    private func setSuccessor(
        of cube: MemCube, _ successor: MemCube?, _ change: Change, _ db: Database
    ) throws {
        let former = try String.fetchOne(
            db.cachedStatement(sql: "SELECT source FROM link WHERE target = ? AND kind = ?"),
            arguments: [cube.id.description, CubeLink.supersedes])
        guard
            let settlement = ClaimRules.settlement(
                of: cube, former: former.map(CubeID.init(stored:)), successor: successor,
                at: change.caller.time)
        else { return }
        if let link = settlement.removed {
            try db.cachedStatement(
                sql: "DELETE FROM link WHERE source = ? AND target = ? AND kind = ?"
            ).execute(
                arguments: [link.source.description, link.target.description, link.kind])
            try Self.record(.unlink, link, change, db)
        }
        _ = try save(settlement.change, change, db)
        if let link = settlement.added { try Self.add(link, change, db) }
    }
}
