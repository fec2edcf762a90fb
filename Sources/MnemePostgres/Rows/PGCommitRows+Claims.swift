import Foundation
import MnemeStore

/// Claims of cubes, as commits read and write them.
extension PGCommitRows {
    func claimedKeys(of id: CubeID) throws -> Set<String> {
        Set(
            try db.texts(
                "SELECT key FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)",
                [id.description]))
    }

    /// A row a claim; of several about one thing the last is kept.
    func replaceClaims(of cube: MemCube) throws {
        try db.run(
            "DELETE FROM claim WHERE cube = (SELECT seq FROM cube WHERE id = ?)", [cube.id.description])
        for claim in cube.claims {
            try db.run(
                """
                INSERT INTO claim (owner, key, cube, subject, attribute, value, denied)
                VALUES (?, ?, (SELECT seq FROM cube WHERE id = ?), ?, ?, ?, ?)
                ON CONFLICT (owner, key, cube) DO UPDATE SET subject = excluded.subject,
                    attribute = excluded.attribute, value = excluded.value, denied = excluded.denied
                """,
                [
                    ownerID, claim.key, cube.id.description, claim.subject, claim.attribute,
                    claim.value, claim.isDenied,
                ])
        }
    }

    /// Three statements for all claimants.
    func claimants(of key: String) throws -> [Claimant] {
        let states = LifecycleState.allCases.filter(\.isRecallable).map { "'\($0.rawValue)'" }
        let rows = try db.rows(
            """
            SELECT cube.seq, cube.id, cube.event_time, cube.valid_until, cube.sensitivity, cube.agent, cube.state,
                claim.subject, claim.attribute, claim.value, claim.denied
            FROM claim JOIN cube ON cube.seq = claim.cube AND cube.owner = claim.owner
            WHERE claim.owner = ? AND claim.key = ? AND cube.state IN (\(states.joined(separator: ", ")))
            ORDER BY cube.event_time DESC, cube.seq DESC LIMIT \(ClaimRules.compared)
            """, [ownerID, key])
        let sequences: [Int64] = try rows.map { try $0.value("seq") }
        let ids: [String] = try rows.map { try $0.value("id") }
        let claims = try claims(of: sequences)
        let formers = try formers(of: ids)
        return try zip(rows, zip(sequences, ids)).reversed().map { row, name in
            let seconds: Double = try row.value("event_time")
            _ = try StoreCoding.time(seconds)
            let holder = ClaimHolder(
                id: CubeID(stored: name.1), seconds: seconds,
                validUntil: try row.optionalDate("valid_until"),
                sensitivity: Sensitivity(rawValue: try row.value("sensitivity")) ?? .restricted,
                agent: try row.text("agent"),
                isFrozen: try row.value("state") == LifecycleState.frozen.rawValue,
                claims: claims[name.0] ?? [], formers: formers[name.1] ?? [])
            return Claimant(holder, try Self.claim(row))
        }
    }

    private static func claim(_ row: PGRow) throws -> Claim {
        Claim(
            subject: try row.value("subject"), attribute: try row.value("attribute"),
            value: try row.value("value"), isDenied: try row.value("denied") as Int != 0)
    }

    /// All claims of cubes, by their rows' numbers.
    private func claims(of sequences: [Int64]) throws -> [Int64: [Claim]] {
        guard !sequences.isEmpty else { return [:] }
        return try db.rows(
            """
            SELECT cube, subject, attribute, value, denied FROM claim
            WHERE cube = ANY (?::bigint[]) ORDER BY cube, key
            """, [sequences]
        ).reduce(into: [:]) { claims, row in
            claims[try row.value("cube"), default: []].append(try Self.claim(row))
        }
    }

    /// The cubes that ended others, by their edges.
    private func formers(of ids: [String]) throws -> [String: Set<CubeID>] {
        guard !ids.isEmpty else { return [:] }
        return try db.rows(
            "SELECT target, source FROM link WHERE target = ANY (?::text[]) AND kind = ?",
            [ids, CubeLink.supersedes]
        ).reduce(into: [:]) { formers, row in
            formers[try row.value("target"), default: []].insert(
                CubeID(stored: try row.value("source")))
        }
    }
}
