import Foundation
import GRDB

/// Claims of cubes, as commits read and write them.
extension SQLiteCommitRows {
    /// One lookup in the index of claims by cube.
    func claimedKeys(of id: CubeID) throws -> Set<String> {
        Set(
            try String.fetchAll(
                db.cachedStatement(
                    sql: "SELECT key FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)"),
                arguments: [id.description]))
    }

    /// A row a claim.
    func replaceClaims(of cube: MemCube) throws {
        try db.cachedStatement(
            sql: "DELETE FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)"
        ).execute(arguments: [cube.id.description])
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
    }

    /// The latest cubes in use that claim something of `key`, the earliest first: three statements
    /// for all of them.
    func claimants(of key: String) throws -> [Claimant] {
        let rows = try Row.fetchAll(
            db.cachedStatement(sql: ClaimQuery.claimants), arguments: [ownerID, key])
        let sequences = try rows.map { try $0.read(0) as Int64 }
        let ids = try rows.map { try $0.read(1) as String }
        let claims = try claims(of: sequences)
        let formers = try formers(of: ids)
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
    private func claims(of sequences: [Int64]) throws -> [Int64: [Claim]] {
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

    /// The cubes that ended others, by their edges.
    private func formers(of ids: [String]) throws -> [String: Set<CubeID>] {
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
}
