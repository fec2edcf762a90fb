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

    /// Reads what a cube's claims are about.
    static func claimedKeys(_ id: CubeID, _ db: Database) throws -> Set<String> {
        Set(
            try String.fetchAll(
                db.cachedStatement(
                    sql: "SELECT key FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)"),
                arguments: [id.description]))
    }

    /// The latest cubes in use that claim something of `key`, the earliest first: three statements
    /// for all of them.
    private static func claimants(_ key: String, _ ownerID: Int64, _ db: Database) throws
        -> [Claimant]
    {
        let states = LifecycleState.allCases.filter(\.isRecallable).map { "'\($0.rawValue)'" }
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT cube.seq, cube.id, cube.event_time, cube.valid_until, cube.sensitivity, cube.agent, cube.state,
                        claim.subject, claim.attribute, claim.value, claim.denied
                    FROM claim JOIN cube ON cube.seq = claim.cube AND cube.owner = claim.owner
                    WHERE claim.owner = ? AND claim.key = ? AND cube.state IN (\(states.joined(separator: ", ")))
                    ORDER BY cube.event_time DESC, cube.seq DESC LIMIT \(ClaimRules.compared)
                    """), arguments: [ownerID, key])
        let sequences = try rows.map { try $0.read(0) as Int64 }
        let ids = try rows.map { try $0.read(1) as String }
        let claims = try claims(of: sequences, db), formers = try formers(of: ids, db)
        return try zip(rows, zip(sequences, ids)).reversed().map { row, name in
            let seconds: Double = try row.read(2)
            _ = try StoreCoding.time(seconds)
            let holder = ClaimHolder(
                id: CubeID(stored: name.1), seconds: seconds,
                validUntil: try row.optionalTime(3),
                sensitivity: Sensitivity(rawValue: try row.read(4)) ?? .restricted,
                agent: try row.read(5),
                isFrozen: try row.read(6) == LifecycleState.frozen.rawValue,
                claims: claims[name.0] ?? [], formers: formers[name.1] ?? [])
            return Claimant(
                holder,
                Claim(
                    subject: try row.read(7), attribute: try row.read(8), value: try row.read(9),
                    isDenied: try row.read(10)))
        }
    }

    /// All claims of cubes, by their rows' numbers.
    private static func claims(of sequences: [Int64], _ db: Database) throws -> [Int64: [Claim]] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT claim.cube, claim.subject, claim.attribute, claim.value, claim.denied
                    FROM json_each(?) AS chosen
                    CROSS JOIN claim ON claim.cube = chosen.value
                    """), arguments: [try StoreCoding.encode(sequences)]
        ).reduce(into: [:]) { claims, row in
            claims[try row.read(0), default: []].append(
                Claim(
                    subject: try row.read(1), attribute: try row.read(2), value: try row.read(3),
                    isDenied: try row.read(4)))
        }
    }

    /// Who ended cubes, by their edges.
    private static func formers(of ids: [String], _ db: Database) throws -> [String: Set<CubeID>] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT link.target, link.source FROM json_each(?) AS chosen
                    CROSS JOIN link ON link.target = chosen.value AND link.kind = ?
                    """), arguments: [try StoreCoding.encode(ids), CubeLink.supersedes]
        ).reduce(into: [:]) { formers, row in
            formers[try row.read(0), default: []].insert(CubeID(stored: try row.read(1)))
        }
    }

    /// Works out anew which of the cubes that claim something of `keys` hold, and since when others
    /// do not.
    ///
    /// - Returns: the cubes that were changed.
    /// - Complexity: three statements for each thing that the request has not read yet, and a few
    ///   for each cube that is changed; see ``ClaimCache``.
    @discardableResult
    func settle(_ keys: Set<String>, _ change: Change, _ db: Database) throws -> [CubeID: MemCube] {
        let unsettled = try change.claims.unsettled(keys, reaches: change.reaches) {
            try Self.claimants($0, change.ownerID, db)
        }
        var changed: [CubeID: MemCube] = [:]
        for found in unsettled {
            guard let cube = try Self.current(found.holder.id, change.ownerID, db) else { continue }
            let settlement = ClaimRules.settlement(
                of: cube, former: found.holder.former, successor: found.successor,
                at: change.caller.time)
            if let link = settlement.removed {
                try db.cachedStatement(
                    sql: "DELETE FROM link WHERE source = ? AND target = ? AND kind = ?"
                ).execute(
                    arguments: [link.source.description, link.target.description, link.kind])
                try Self.record(.unlink, link, change, db)
            }
            changed[cube.id] = try write(settlement.change, change, db)
            if let link = settlement.added { try Self.insert(link, change, db) }
            found.holder.settle(by: found.successor)
        }
        return changed
    }
}
