import Foundation
import GRDB

/// The feed of indexes: rows since a position, terms, and cubes that wait for a vector.
extension SQLiteMemoryStore {
    /// As ``IndexFeed`` has it, in one snapshot: rows, edges and positions fit each other.
    public func changes(
        owner: Owner, since: FeedPosition, embedder: String, former: String?, visibility: Visibility
    ) throws -> IndexChanges {
        let condition = Self.condition(visibility)
        return try read { db in
            let vectors: Int64 =
                try Row.fetchOne(
                    db.cachedStatement(sql: "SELECT value FROM counter WHERE name = 'vector'")
                ).map { try $0.read("value") } ?? 0
            let ownerID = try Self.ownerID(owner, db)
            let mark = try ownerID.flatMap { try Self.mark(at: since.journal, $0, db) }
            let (since, isReset) = since.found(mark, vectors: vectors)
            var changes = IndexChanges(rows: [], erased: [], reached: since)
            (changes.reached.vectors, changes.isReset) = (vectors, isReset)
            guard let ownerID else { return changes }
            let reached =
                try Int64.fetchOne(
                    db.cachedStatement(sql: "SELECT max(position) FROM journal WHERE owner = ?"),
                    arguments: [ownerID])
                ?? 0
            if reached <= since.journal && vectors <= since.vectors { return changes }
            if reached > since.journal {
                changes.reached.journal = reached
                changes.reached.mark = try Self.mark(at: reached, ownerID, db)
            }
            let (position, vectorsSince) = (since.journal, since.vectors)
            // Vectors that the index has are not even looked up: they are the greater part of the
            // file.
            let vector =
                position == 0 && vectorsSince > 0
                ? "iif(cube.seq IN (SELECT cube FROM vector WHERE position > ?4 UNION SELECT cube FROM vector WHERE embedder = ?5), cube.seq, NULL)"
                : "cube.seq"
            let columns = """
                SELECT cube.seq, cube.id, cube.type, cube.state, cube.agent, session.name, cube.place, cube.speaker, cube.event_time,
                    cube.recorded_time, cube.expires, iif(instr(cube.header, '"tags":[]'), NULL, cube.header ->> '$.tags'), cube.analysis, cube.analyzer, iif(vector.position > ?4 OR vector.embedder = ?5, vector.data, NULL), vector.embedder = ?5,
                    cube.valid_until, cube.position
                FROM cube LEFT JOIN session ON session.id = cube.session LEFT JOIN vector ON vector.cube = \(vector) AND vector.embedder IN (?1, ?5)
                WHERE
                """
            let cursor = try Row.fetchCursor(
                db.cachedStatement(
                    sql: position == 0
                        ? columns
                            + " cube.owner = ?2 AND cube.activation IS NULL AND ?3 = ?3 AND \(condition.sql) ORDER BY cube.seq"
                            // The plus keeps SQLite from walking all
                            // of the owner's cubes instead of the
                            // few that changed.
                        : columns + """
                             cube.seq IN (SELECT seq FROM cube WHERE owner = ?2 AND position > ?3
                                UNION SELECT cube FROM vector WHERE position > ?4) AND +cube.owner = ?2 AND cube.activation IS NULL AND \(condition.sql)
                                ORDER BY cube.seq
                            """),
                arguments: [embedder, ownerID, position, vectorsSince, former ?? embedder + " "]
                    + condition.arguments)
            while let row = try cursor.next() { changes.rows.append(try Self.indexRow(row)) }
            if position == 0 {
                changes.links = try Row.fetchAll(
                    db, sql: "SELECT * FROM link WHERE owner = ? ORDER BY time",
                    arguments: [ownerID]
                ).compactMap { try $0.link() }
                    .map { ($0, false) }
            } else {
                changes.links = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT operation, payload FROM journal WHERE owner = ? AND position > ? AND operation IN ('link', 'unlink')
                            AND payload IS NOT NULL ORDER BY position
                        """, arguments: [ownerID, position]
                ).map {
                    (
                        try StoreCoding.decode(CubeLink.self, try $0.read("payload")),
                        try $0.read("operation") == JournalEntry.Operation.unlink.rawValue
                    )
                }
                changes.erased = try String.fetchAll(
                    db,
                    sql:
                        "SELECT cube FROM journal WHERE owner = ? AND position > ? AND operation = 'erase'",
                    arguments: [ownerID, position]
                ).compactMap(CubeID.init)
                if !visibility.isUnrestricted {
                    // What is not visible any more is as good as gone.
                    changes.erased += try String.fetchAll(
                        db,
                        sql:
                            "SELECT id FROM cube WHERE owner = ? AND position > ? AND NOT \(condition.sql)",
                        arguments: [ownerID, position] + condition.arguments
                    ).map(CubeID.init(stored:))
                }
            }
            return changes
        }
    }

    /// As ``IndexFeed`` has it: cube, operation and time, which an erasure leaves as they are.
    public func journalMark(at position: Int64, owner: Owner) throws -> String? {
        try read { db in
            try Self.ownerID(owner, db).flatMap { try Self.mark(at: position, $0, db) }
        }
    }

    private static func mark(at position: Int64, _ ownerID: Int64, _ db: Database) throws -> String? {
        try String.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT cube || ' ' || operation || ' ' || time FROM journal
                        WHERE position = ? AND owner = ?
                    """),
            arguments: [position, ownerID])
    }

    /// A row of ``changes(owner:since:embedder:former:visibility:)``, by the columns'
    /// order, as looking for names takes longer than the rest.
    private static func indexRow(_ row: Row) throws -> IndexRow {
        guard let type = MemoryType(rawValue: try row.read(2)),
            let state = LifecycleState(rawValue: try row.read(3))
        else {
            throw StoreError(
                .corrupt, "A memory has an unknown id, type or state. Run `mneme doctor`.")
        }
        let tags: String? = try row.read(11)
        var result = IndexRow(
            sequence: try row.read(0), id: CubeID(stored: try row.read(1)), type: type,
            state: state, eventTime: try row.time(8), recordedTime: try row.time(9))
        result.agent = try row.read(4)
        result.session = try row.read(5)
        result.place = try row.read(6)
        result.speaker = try row.read(7)
        result.expires = try row.optionalTime(10)
        result.tags = try tags.map { try StoreCoding.decode([String].self, $0) } ?? []
        result.analysis = try row.withUnsafeData(atIndex: 12) { Array($0 ?? Data()) }
        result.analyzer = try row.read(13)
        result.vector = try row.withUnsafeData(atIndex: 14) { data in
            data.map { data in
                [Float](unsafeUninitializedCapacity: data.count / 4) { floats, count in
                    count = data.count / 4
                    data.copyBytes(to: UnsafeMutableRawBufferPointer(floats), count: count * 4)
                }
            }
        }
        result.isFormer = try row.read(15) ?? false
        result.validUntil = try row.optionalTime(16)
        result.position = try row.read(17)
        return result
    }

    /// One pass over the owner's cubes, a row at a time.
    public func forEachTerms(
        owner: Owner, visibility: Visibility, _ body: (TermsRow) throws -> Bool
    ) throws {
        let condition = Self.condition(visibility)
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return }
            let cursor = try Row.fetchCursor(
                db,
                sql: """
                    SELECT id, state, analysis, analyzer FROM cube
                    WHERE owner = ? AND activation IS NULL AND \(condition.sql) ORDER BY seq
                    """, arguments: [ownerID] + condition.arguments)
            while let row = try cursor.next() {
                guard let state = LifecycleState(rawValue: try row.read(1)) else {
                    throw StoreError(.corrupt, "A memory has an unknown state. Run `mneme doctor`.")
                }
                let terms = TermsRow(
                    id: CubeID(stored: try row.read(0)), state: state,
                    analysis: try row.withUnsafeData(atIndex: 2) { Array($0 ?? Data()) },
                    analyzer: try row.read(3))
                guard try body(terms) else { return }
            }
        }
    }

    /// As ``IndexFeed`` has it: what has no vector comes first.
    public func pendingEmbeddings(replacing embedder: String?, limit: Int) throws
        -> [PendingEmbedding]
    {
        try read { db in
            func cubes(_ chosen: String, _ arguments: StatementArguments) throws
                -> [PendingEmbedding]
            {
                try Row.fetchAll(
                    db.cachedStatement(
                        sql: """
                            SELECT cube.id, cube.version, cube.text, cube.speaker FROM cube
                            WHERE seq IN (\(chosen)) ORDER BY seq LIMIT ?
                            """), arguments: arguments
                ).compactMap { row in
                    try CubeID(row.read("id") as String).map {
                        PendingEmbedding(
                            id: $0, version: try row.read("version"), text: try row.read("text"),
                            speaker: try row.read("speaker"))
                    }
                }
            }
            let missing = try cubes("SELECT cube FROM pending", [limit])
            guard let embedder, missing.count < limit else { return missing }
            return try missing + cubes(Self.ofOthers, [embedder, limit - missing.count])
        }
    }

    /// Counts each cube once, though it may wait and have a former vector.
    public func pendingEmbeddingCount(replacing embedder: String?) throws -> Int {
        try read { db in
            let missing = try Int.fetchOne(db, sql: "SELECT count(*) FROM pending") ?? 0
            guard let embedder else { return missing }
            return missing
                + (try Int.fetchOne(
                    db, sql: "SELECT count(*) FROM (\(Self.ofOthers))", arguments: [embedder]) ?? 0)
        }
    }

    /// Cubes with a vector of another embedder than the first argument, and none that is awaited.
    private static let ofOthers = """
        SELECT cube FROM vector WHERE (embedder < ?1 OR embedder > ?1)
            AND cube NOT IN (SELECT cube FROM pending)
        """

    /// One look into the index for each embedder, however many vectors there are.
    public func embedders() throws -> [StoredEmbedder] {
        try read { db in
            let next = try db.cachedStatement(
                sql: """
                    SELECT embedder, length(data) FROM vector WHERE embedder > ?
                    ORDER BY embedder LIMIT 1
                    """)
            var found: [StoredEmbedder] = []
            while let row = try Row.fetchOne(next, arguments: [found.last?.identifier ?? ""]) {
                found.append(
                    StoredEmbedder(
                        identifier: try row.read(0), dimension: (try row.read(1) as Int) / 4))
            }
            return found
        }
    }
}
