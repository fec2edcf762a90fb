public import MnemeStore

/// The rows that an index of some candidates is made of.
extension PostgresMemoryStore {
    /// Places before and behind a candidate whose rows are read: its window and those of its
    /// neighbours need so many.
    private static let reach = 3
    /// Memories at most that links lead to from candidates.
    private static let linkedLimit = 200
    /// Steps at most from a superseded memory to what holds now.
    private static let chainLimit = 64

    /// As `CandidateStore` has it, in one snapshot.
    public func candidates(_ scope: CandidateScope, _ found: [Int64], embedder: String) throws -> CandidateRows {
        try read { db in
            var rows = CandidateRows(
                changes: IndexChanges(rows: [], erased: [], reached: FeedPosition(1, vectors: 1)),
                answers: Set(found), sessions: [:])
            guard let ownerID = try ownerID(scope.filter.owner, db) else { return rows }
            rows.changes.links = try Self.links(of: found, ownerID, db)
            rows.answers.formUnion(try Self.linked(rows.changes.links, ownerID, db))
            var wanted = rows.answers
            for row in try db.rows(Self.neighbours, [Self.reach, Self.reach, ownerID, Array(rows.answers)]) {
                let sequence: Int64 = try row.value("seq")
                wanted.insert(sequence)
                if try row.value("distance") <= 1 { rows.answers.insert(sequence) }
            }
            let visible = Self.condition(scope.visibility)
            rows.changes.rows = try db.query(
                """
                SELECT \(Self.feedColumns(vector: "vector.data", former: "false"))
                FROM cube LEFT JOIN session ON session.id = cube.session
                    LEFT JOIN vector ON vector.cube = cube.seq AND vector.embedder = ?
                WHERE cube.owner = ? AND cube.seq = ANY (?::bigint[]) AND cube.activation IS NULL AND \(visible.sql)
                ORDER BY cube.seq
                """, [embedder, ownerID, wanted.sorted()] + visible.arguments
            ).rows.map { try Self.indexRow($0) }
            for row in try db.rows(
                """
                SELECT session.id, session.name, sum(length(cube.analysis))::bigint AS bytes
                FROM cube JOIN session ON session.id = cube.session
                WHERE cube.owner = ? AND cube.activation IS NULL AND \(visible.sql)
                    AND cube.session IN (SELECT session FROM cube WHERE owner = ? AND seq = ANY (?::bigint[]))
                GROUP BY session.id, session.name
                """, [ownerID] + visible.arguments + [ownerID, Array(rows.answers)])
            {
                rows.sessions[try row.value("name")] = CandidateRows.Session(
                    row: try row.value("id"), analysisBytes: try row.value("bytes"))
            }
            return rows
        }
    }

    /// What stands beside some memories in their sessions, themselves among them, and how far away.
    private static let neighbours = """
        SELECT other.seq, min(abs(other.place - found.place)) AS distance
        FROM cube AS found JOIN cube AS other ON other.session = found.session
            AND other.place BETWEEN found.place - ?::bigint AND found.place + ?::bigint
        WHERE found.owner = ? AND found.seq = ANY (?::bigint[]) GROUP BY other.seq
        """

    /// Links from and to some memories, the oldest first, and from there on those by which a memory
    /// supersedes another: what holds now stands at a chain's end.
    private static func links(of found: [Int64], _ ownerID: Int64, _ db: PGConnection) throws -> [(
        link: CubeLink, isRemoved: Bool
    )] {
        let ids = "SELECT id FROM cube WHERE owner = ? AND seq = ANY (?::bigint[])"
        var links = try db.rows(
            """
            SELECT * FROM link WHERE owner = ? AND source IN (\(ids))
            UNION SELECT * FROM link WHERE owner = ? AND target IN (\(ids)) ORDER BY time, source, target, kind
            """, [ownerID, ownerID, found, ownerID, ownerID, found]
        ).compactMap { try $0.link() }
        var known = Set(links)
        var ends = Set(links.map(\.source))
        for _ in 0..<chainLimit where !ends.isEmpty {
            let next = try db.rows(
                "SELECT * FROM link WHERE owner = ? AND kind = ? AND target = ANY (?::text[])",
                [ownerID, CubeLink.supersedes, ends.map(\.description)]
            ).compactMap { try $0.link() }.filter { known.insert($0).inserted }
            links += next
            ends = Set(next.map(\.source))
        }
        return links.map { ($0, false) }
    }

    /// The ends of links, the newest links' first.
    private static func linked(
        _ links: [(link: CubeLink, isRemoved: Bool)], _ ownerID: Int64, _ db: PGConnection
    ) throws -> [Int64] {
        guard !links.isEmpty else { return [] }
        let ids = links.reversed().flatMap { [$0.link.source.description, $0.link.target.description] }
        return try db.rows(
            "SELECT seq FROM cube WHERE owner = ? AND id = ANY (?::text[])",
            [ownerID, Array(ids.prefix(2 * linkedLimit))]
        ).compactMap { try $0.integer(at: 0) }
    }
}
