import Foundation
import GRDB

/// Which memory holds, where several claim something of the same.
extension SQLiteMemoryStore {
    /// Claims of one thing that are compared: the latest.
    private static let compared = 64

    /// Writes down what a cube claims, in place of what it claimed before.
    ///
    /// - Returns: all that it claims something of, now or before.
    static func saveClaims(_ cube: MemCube, _ ownerID: Int64, _ db: Database) throws -> Set<String> {
        let old = try claimedKeys(cube.id, db)
        if !old.isEmpty {
            try db.cachedStatement(sql: "DELETE FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)").execute(
                arguments: [cube.id.description])
        }
        for claim in cube.claims {
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO claim (owner, key, cube, subject, attribute, value, denied)
                    VALUES (?, ?, (SELECT seq FROM cube WHERE id = ?), ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                ownerID, claim.key, cube.id.description, claim.subject, claim.attribute, claim.value, claim.isDenied,
            ])
        }
        return old.union(cube.claims.map(\.key))
    }

    /// What a cube claims something of.
    static func claimedKeys(_ id: CubeID, _ db: Database) throws -> Set<String> {
        Set(
            try String.fetchAll(
                db.cachedStatement(sql: "SELECT key FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)"),
                arguments: [id.description]))
    }

    /// Cubes in use that claim something of `key`, the earliest first.
    private static func claimants(_ key: String, _ ownerID: Int64, _ db: Database) throws -> [(
        cube: MemCube, claim: Claim
    )] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT cube.id, claim.subject, claim.attribute, claim.value, claim.denied FROM claim JOIN cube ON cube.seq = claim.cube
                    WHERE claim.owner = ? AND claim.key = ? AND cube.state IN ('generated', 'activated', 'frozen')
                    ORDER BY cube.event_time DESC, cube.seq DESC LIMIT \(compared)
                    """), arguments: [ownerID, key]
        ).reversed().compactMap { row in
            try current(CubeID(stored: try row.read(0)), ownerID, db).map {
                (
                    $0,
                    Claim(
                        subject: try row.read(1), attribute: try row.read(2), value: try row.read(3),
                        isDenied: try row.read(4))
                )
            }
        }
    }

    /// Who ends what a cube claims of `key`: the next one that says otherwise, and that all see who see the cube.
    private static func successor(of cube: MemCube, _ key: String, _ ownerID: Int64, _ db: Database) throws -> MemCube?
    {
        let claimants = try claimants(key, ownerID, db)
        guard let place = claimants.firstIndex(where: { $0.cube.id == cube.id }) else { return nil }
        return claimants[(place + 1)...].first { later in
            later.claim.ends(claimants[place].claim) && later.cube.sensitivity <= cube.sensitivity
                && (later.cube.scope.agent == nil || later.cube.scope.agent == cube.scope.agent)
        }?.cube
    }

    /// Works out anew which of the cubes that claim something of `keys` hold, and since when others do not. The result depends on what the
    /// cubes say and on when that was, not on the order in which they came.
    ///
    /// - Complexity: some lookups for each cube that claims something of the same.
    func settle(_ keys: Set<String>, _ change: Change, _ db: Database) throws {
        var seen: Set<CubeID> = []
        for key in keys.sorted() {
            for (cube, _) in try Self.claimants(key, change.ownerID, db) where seen.insert(cube.id).inserted {
                guard change.reaches(cube), cube.state != .frozen else { continue }
                // A memory of several claims holds as long as one of them does.
                let own = try Self.claimedKeys(cube.id, db)
                var successors: [MemCube] = []
                for key in own.sorted() {
                    if let next = try Self.successor(of: cube, key, change.ownerID, db) { successors.append(next) }
                }
                let last =
                    successors.count == own.count
                    ? successors.max { ($0.eventTime, $0.id) < ($1.eventTime, $1.id) } : nil
                try setSuccessor(of: cube, last, change, db)
            }
        }
    }

    private func setSuccessor(of cube: MemCube, _ successor: MemCube?, _ change: Change, _ db: Database) throws {
        let former = try String.fetchOne(
            db.cachedStatement(sql: "SELECT source FROM link WHERE target = ? AND kind = ?"),
            arguments: [cube.id.description, CubeLink.supersedes])
        // What somebody said to be outdated stays so.
        guard former != nil || cube.validUntil == nil || successor != nil else { return }
        guard former != successor?.id.description || cube.validUntil != successor?.eventTime else { return }
        if let former {
            let link = CubeLink(
                source: CubeID(stored: former), target: cube.id, kind: CubeLink.supersedes, time: change.caller.time)
            try db.cachedStatement(sql: "DELETE FROM link WHERE source = ? AND target = ? AND kind = ?").execute(
                arguments: [former, cube.id.description, CubeLink.supersedes])
            try Self.record(.unlink, link, change, db)
        }
        _ = try setValidity(
            of: cube, until: successor?.eventTime, successor == nil ? .reinstate : .supersede, change, db)
        if let successor {
            try Self.add(
                CubeLink(source: successor.id, target: cube.id, kind: CubeLink.supersedes, time: change.caller.time),
                change, db)
        }
    }

    /// Says since when a memory does not hold; nil for one that does.
    func setValidity(
        of cube: MemCube, until date: Date?, _ operation: JournalEntry.Operation, _ change: Change, _ db: Database
    ) throws -> MemCube {
        var cube = cube
        cube.validUntil = date
        cube.version += 1
        cube.updatedTime = change.caller.time
        let position = try Self.record(operation, cube, change, db)
        try db.cachedStatement(
            sql: "UPDATE cube SET valid_until = ?, version = ?, updated_time = ?, position = ? WHERE id = ?"
        ).execute(arguments: [
            date?.timeIntervalSince1970, cube.version, cube.updatedTime.timeIntervalSince1970, position,
            cube.id.description,
        ])
        try Self.keepVector(of: cube, db)
        return cube
    }
}
