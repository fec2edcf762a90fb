public import Foundation
public import MnemeStore

/// Candidates for a question, found in the tables: for owners whose index no server has in memory.
///
/// Both words and vectors are found by one pass over the owner's rows, not by an index of the
/// database. Under row-level security PostgreSQL asks the policy first, and reads no index by a
/// condition that could tell of other rows meanwhile: `&&`, `@>` and `@@` are such ("leakproof",
/// documentation, 39.5 "Rules and Privileges"), so that neither a GIN index of terms nor one of full
/// text is read. HNSW is, but finds the nearest of all owners, of whom one is a small part.
extension PostgresMemoryStore: CandidateStore {
    /// As `CandidateStore` has it: a look into an index that is empty most of the time.
    public func comparesVectors(of owner: Owner, embedder: String) throws -> Bool {
        guard halves != nil else { return false }
        return try read { db in
            guard let ownerID = try ownerID(owner, db) else { return false }
            return try db.number(
                """
                SELECT 1 FROM vector WHERE owner = ? AND half_position IS DISTINCT FROM position LIMIT 1
                """, [ownerID]) == nil
        }
    }

    /// As `CandidateStore` has it. Bytes of the analyses are compared, which may be found at another
    /// place than a term's.
    public func forEachMatch(
        _ scope: CandidateScope, terms: [Data], _ body: (MatchedTerms) throws -> Void
    ) throws -> CorpusCounts? {
        try read { db in
            guard let ownerID = try ownerID(scope.filter.owner, db) else { return CorpusCounts() }
            guard let counts = try counts(scope, ownerID, db) else { return nil }
            guard !terms.isEmpty else { return counts }
            let fits = Self.fits(scope)
            let visible = Self.condition(scope.visibility)
            let holdsOne = terms.map { _ in "position(?::bytea IN cube.analysis) > 0" }
                .joined(separator: " OR ")
            // No cursor: those are not read by several processes of the database.
            let rows = try db.query(
                """
                SELECT cube.seq, cube.session, cube.place, \(fits.sql) AS fits, cube.analysis FROM cube
                    \(Self.sessionJoin(scope)) WHERE cube.owner = ? AND cube.activation IS NULL AND \(visible.sql)
                        AND (\(holdsOne)) ORDER BY cube.seq
                """, fits.arguments + [ownerID] + visible.arguments + terms, isKept: false
            ).rows
            for row in rows {
                var match = MatchedTerms(
                    sequence: try row.integer(at: 0) ?? 0, analysis: try row.bytes(at: 4) ?? Data())
                (match.session, match.place) = (try row.integer(at: 1), try row.integer(at: 2) ?? 0)
                match.fits = try row.integer(at: 3) == 1
                try body(match)
            }
            return counts
        }
    }

    /// Counts of what is visible; nil if another analyzer has made some of the terms.
    private func counts(_ scope: CandidateScope, _ ownerID: Int64, _ db: PGConnection) throws -> CorpusCounts? {
        var counts = CorpusCounts()
        let visible = Self.condition(scope.visibility)
        for row in try db.rows(
            """
            SELECT speaker, count(*) AS memories, count(*) FILTER (WHERE session IS NULL) AS alone,
                sum(length(analysis))::bigint AS bytes, count(*) FILTER (WHERE analyzer <> ?) AS stale
            FROM cube WHERE owner = ? AND activation IS NULL AND \(visible.sql) GROUP BY speaker
            """, [analyzer, ownerID] + visible.arguments)
        {
            guard try row.value("stale") == 0 else { return nil }
            let memories: Int = try row.value("memories")
            counts.memories += memories
            counts.sessions += try row.value("alone")
            counts.analysisBytes += try row.value("bytes")
            if let speaker = try row.text("speaker") { counts.speakers[speaker] = memories }
        }
        counts.sessions += Int(
            try db.number("SELECT count(*) FROM session WHERE owner = ?", [ownerID]) ?? 0)
        counts.pending = Int(
            try db.number(
                """
                SELECT count(*) FROM pending JOIN cube ON cube.seq = pending.cube
                WHERE pending.owner = ? AND \(visible.sql)
                """, [ownerID] + visible.arguments) ?? 0)
        return counts
    }

    /// As `CandidateStore` has it. Without a filter vectors alone are passed over, and what may not be
    /// shown is looked past.
    public func nearest(
        _ scope: CandidateScope, to vector: [Float], embedder: String, limit: Int
    ) throws -> [Int64] {
        guard let halves, let half = PGHalfVector(vector) else { return [] }
        return try read { db in
            guard let ownerID = try ownerID(scope.filter.owner, db) else { return [] }
            let fits = Self.fits(scope)
            let compared = "half \(halves.distance) ?::\(halves.type)"
            // What is of another length, by whatever fault, cannot be compared.
            let own = """
                vector.owner = ? AND vector.embedder = ? AND half_position = vector.position
                    AND \(halves.schema).vector_dims(half) = \(half.halves.count)
                """
            let rows: [PGRow]
            if scope.filter.isPlain && scope.visibility.isUnrestricted {
                rows = try db.rows(
                    """
                    WITH near AS MATERIALIZED (SELECT cube AS seq, \(compared) AS distance FROM vector WHERE \(own)
                        ORDER BY distance LIMIT ?)
                    SELECT cube.seq FROM near JOIN cube ON cube.seq = near.seq WHERE \(fits.sql)
                    ORDER BY distance LIMIT ?
                    """, [half, ownerID, embedder, 2 * limit] + fits.arguments + [limit])
            } else {
                let visible = Self.condition(scope.visibility)
                rows = try db.query(
                    """
                    SELECT cube.seq FROM vector JOIN cube ON cube.seq = vector.cube \(Self.sessionJoin(scope))
                    WHERE \(own) AND \(fits.sql) AND \(visible.sql) ORDER BY \(compared) LIMIT ?
                    """, [ownerID, embedder] + fits.arguments + visible.arguments + [half, limit], isKept: false
                ).rows
            }
            return try rows.compactMap { try $0.integer(at: 0) }
        }
    }

    /// As `CandidateStore` has it, by the index of event times.
    public func dated(_ scope: CandidateScope, within spans: [DateInterval], limit: Int) throws -> [Int64] {
        try read { db in
            guard let ownerID = try ownerID(scope.filter.owner, db) else { return [] }
            let fits = Self.fits(scope)
            let visible = Self.condition(scope.visibility)
            return try spans.flatMap { span in
                let (from, to) = (span.start.timeIntervalSince1970, span.end.timeIntervalSince1970)
                return try db.query(
                    """
                    SELECT cube.seq FROM cube \(Self.sessionJoin(scope)) WHERE cube.owner = ? AND cube.activation IS NULL
                        AND cube.event_time >= ? AND cube.event_time < ? AND \(fits.sql) AND \(visible.sql)
                    ORDER BY abs(cube.event_time - ?), cube.seq LIMIT ?
                    """,
                    [ownerID, from, to] + fits.arguments + visible.arguments + [(from + to) / 2, limit],
                    isKept: false
                ).rows.compactMap { try $0.integer(at: 0) }
            }
        }
    }

    /// What recall may show of what a request asks for.
    private static func fits(_ scope: CandidateScope) -> (sql: String, arguments: PGArguments) {
        let (conditions, arguments) = conditions(scope.filter)
        let states = LifecycleState.allCases.filter(\.isRecallable).map(\.rawValue)
        let shown = "cube.state = ANY (?::text[]) AND (cube.expires IS NULL OR cube.expires > ?)"
        return (
            "(" + (conditions + [shown]).joined(separator: " AND ") + ")",
            arguments + [states, scope.now.timeIntervalSince1970]
        )
    }

    /// The sessions' names, where a filter asks for them.
    private static func sessionJoin(_ scope: CandidateScope) -> String {
        scope.filter.session == nil ? "" : "LEFT JOIN session ON session.id = cube.session"
    }

    /// As `CandidateStore` has it: rows of older servers, and of copies, in a transaction beside the
    /// store's writer. Servers that do the same at once pass over each other's rows. They come in the
    /// order of the index `vector_unprepared`, which is empty most of the time, and is read for it.
    public func prepareVectors(limit: Int) throws -> Int {
        guard halves != nil else { return 0 }
        return try unordered { db in
            try Self.showAll(db)
            let rows = try db.rows(
                """
                SELECT cube, position, data FROM vector WHERE half_position IS DISTINCT FROM position
                ORDER BY owner LIMIT ? FOR UPDATE SKIP LOCKED
                """, [limit])
            for row in rows {
                let (cube, position) = (try row.integer("cube"), try row.integer("position"))
                try db.run(
                    "UPDATE vector SET half = ?, half_position = ? WHERE cube = ?",
                    [PGHalfVector(try row.floats("data") ?? []), position, cube])
            }
            return rows.count
        }
    }
}

extension CubeFilter {
    /// True if every memory of the owner that recall may show fits.
    fileprivate var isPlain: Bool {
        agent == nil && session == nil && type == nil && tag == nil && from == nil && before == nil && at == nil
    }
}
