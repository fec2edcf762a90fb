import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// The feed of indexes: rows since a position, terms, and cubes that wait for a vector.
extension PostgresMemoryStore {
    /// As `IndexFeed` has it, in one snapshot: rows, edges and positions fit each other. Any server
    /// asks before it answers, so that none serves what another has erased.
    public func changes(
        owner: Owner, since position: Int64, vectorsSince: Int64, embedder: String, former: String?,
        visibility: Visibility
    ) throws -> IndexChanges {
        guard try mayHaveChanged(owner, since: position, vectorsSince: vectorsSince) else {
            return IndexChanges(rows: [], erased: [], position: position, vectorPosition: vectorsSince)
        }
        return try read { db in
            var changes = IndexChanges(
                rows: [], erased: [], position: position, vectorPosition: vectorsSince)
            let ownerID = try ownerID(owner, db)
            let reached = try db.first(
                """
                SELECT (SELECT value FROM counter WHERE name = 'vector') AS vectors,
                    (SELECT max(position) FROM journal WHERE owner = ?) AS entries
                """, [ownerID])
            changes.vectorPosition = try reached?.integer("vectors") ?? 0
            guard let ownerID else { return changes }
            let entries = try reached?.integer("entries") ?? 0
            if entries <= position && changes.vectorPosition <= vectorsSince { return changes }
            changes.position = max(entries, position)
            let place = FeedPlace(ownerID: ownerID, position: position, vectors: vectorsSince)
            let query = Self.changesQuery(place, embedder: embedder, former: former, visibility)
            try db.forEach(query.sql, query.arguments) {
                changes.rows.append(try Self.indexRow($0))
                return true
            }
            try Self.addEdges(&changes, since: place, visibility, db)
            return changes
        }
    }

    /// Tells whether there is anything behind positions that an index has reached. Most answers ask
    /// and find nothing, so that this is one way to the database and back, and two looks into
    /// indexes.
    ///
    /// It is asked before each answer, also while notices come (``SharedStore/follow(_:)``): another
    /// server's erasure is acknowledged when it is committed, and its notice is on its way then. An
    /// answer that is given in between must know of the erasure, and only the database can tell it.
    ///
    /// - Returns: false if there was nothing when this was called. Both numbers are of one statement,
    ///   so of one snapshot. Positions are never used twice, so that a row which is gone hides none.
    private func mayHaveChanged(_ owner: Owner, since position: Int64, vectorsSince: Int64) throws -> Bool {
        guard position > 0, let ownerID = ownerIDs.withLockedValue({ $0[owner] }) else { return true }
        return try repeating(true) {
            try pool.lend { db in
                let row = try db.together([
                    (Self.scope, [String(ownerID)]),
                    (
                        """
                        SELECT (SELECT max(position) FROM journal WHERE owner = ?) AS entries,
                            (SELECT max(position) FROM vector WHERE owner = ?) AS vectors
                        """, [ownerID, ownerID]
                    ),
                ]).first
                return try row?.integer("entries") ?? 0 > position || row?.integer("vectors") ?? 0 > vectorsSince
            }
        }
    }

    /// Where an index stands.
    private struct FeedPlace {
        var ownerID: Int64, position: Int64, vectors: Int64
    }

    /// The statement for rows since a place.
    private static func changesQuery(
        _ place: FeedPlace, embedder: String, former: String?, _ visibility: Visibility
    ) -> (sql: String, arguments: PGArguments) {
        let condition = condition(visibility)
        // No embedder is called so.
        let former = former ?? embedder + " "
        // Vectors that the index has are not even looked up: they are the greater part of the data.
        let isWanted = "(vector.position > ? OR vector.embedder = ?)"
        let joins = place.position == 0 && place.vectors > 0
        var sql = """
            SELECT cube.seq, cube.id, cube.type, cube.state, cube.agent, session.name AS session_name, cube.place,
                cube.speaker, cube.event_time, cube.recorded_time, cube.expires,
                CASE WHEN strpos(cube.header, '"tags":[]') = 0 THEN cube.header::json ->> 'tags' END AS tags,
                cube.analysis, cube.analyzer, CASE WHEN \(isWanted) THEN vector.data END AS vector,
                vector.embedder = ? AS former, cube.valid_until
            FROM cube LEFT JOIN session ON session.id = cube.session
                LEFT JOIN vector ON vector.cube = cube.seq AND vector.embedder IN (?, ?)
                    \(joins ? "AND \(isWanted)" : "")
            WHERE cube.owner = ? AND cube.activation IS NULL AND \(condition.sql)
            """
        var arguments: PGArguments = [place.vectors, former, former, embedder, former]
        if joins { arguments += [place.vectors, former] }
        arguments.append(place.ownerID)
        arguments += condition.arguments
        if place.position > 0 {
            sql += """
                 AND cube.seq IN (SELECT seq FROM cube WHERE owner = ? AND position > ?
                    UNION SELECT cube FROM vector WHERE owner = ? AND position > ?)
                """
            arguments += [place.ownerID, place.position, place.ownerID, place.vectors]
        }
        return (sql + " ORDER BY cube.seq", arguments)
    }

    /// Edges since a position, and cubes that are gone.
    private static func addEdges(
        _ changes: inout IndexChanges, since place: FeedPlace, _ visibility: Visibility,
        _ db: PGConnection
    ) throws {
        let (ownerID, position) = (place.ownerID, place.position)
        guard position > 0 else {
            changes.links = try db.rows(
                "SELECT * FROM link WHERE owner = ? ORDER BY time, source, target, kind", [ownerID]
            ).compactMap { try $0.link() }.map { ($0, false) }
            return
        }
        changes.links = try db.rows(
            """
            SELECT operation, payload FROM journal WHERE owner = ? AND position > ?
                AND operation IN ('link', 'unlink') AND payload IS NOT NULL ORDER BY position
            """, [ownerID, position]
        ).map {
            (
                try StoreCoding.decode(CubeLink.self, $0.value("payload")),
                try $0.value("operation") == JournalEntry.Operation.unlink.rawValue
            )
        }
        changes.erased = try db.texts(
            "SELECT cube FROM journal WHERE owner = ? AND position > ? AND operation = 'erase'",
            [ownerID, position]
        ).compactMap(CubeID.init)
        guard !visibility.isUnrestricted else { return }
        // What is not visible any more is as good as gone.
        let condition = condition(visibility)
        changes.erased += try db.texts(
            "SELECT id FROM cube WHERE owner = ? AND position > ? AND NOT \(condition.sql)",
            [ownerID, position] + condition.arguments
        ).map(CubeID.init(stored:))
    }

    /// As `IndexFeed` has it: cube, operation and time, which an erasure leaves as they are.
    public func journalMark(at position: Int64, owner: Owner) throws -> String? {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return nil }
            return try db.first(
                """
                SELECT cube || ' ' || operation || ' ' || time::text AS mark FROM journal
                    WHERE position = ? AND owner = ?
                """, [position, ownerID])?.text("mark")
        }
    }

    private static func indexRow(_ row: PGRow) throws -> IndexRow {
        guard let type = MemoryType(rawValue: try row.value("type")),
            let state = LifecycleState(rawValue: try row.value("state"))
        else {
            throw StoreError(
                .corrupt, "A memory has an unknown id, type or state. Run `mneme doctor`.")
        }
        var result = IndexRow(
            sequence: try row.value("seq"), id: CubeID(stored: try row.value("id")), type: type,
            state: state, eventTime: try row.date("event_time"),
            recordedTime: try row.date("recorded_time"))
        result.agent = try row.text("agent")
        result.session = try row.text("session_name")
        result.place = try row.value("place")
        result.speaker = try row.text("speaker")
        result.expires = try row.optionalDate("expires")
        result.tags = try row.text("tags").map { try StoreCoding.decode([String].self, $0) } ?? []
        result.analysis = Array(try row.bytes("analysis") ?? Data())
        result.analyzer = try row.value("analyzer")
        result.vector = try row.bytes("vector").map { data in
            [Float](unsafeUninitializedCapacity: data.count / 4) { floats, count in
                count = data.count / 4
                data.copyBytes(to: UnsafeMutableRawBufferPointer(floats), count: count * 4)
            }
        }
        result.isFormer = try row.integer("former") ?? 0 != 0
        result.validUntil = try row.optionalDate("valid_until")
        return result
    }

    /// A thousand cubes at a time. A connection that is lost on the way is an error: what was handed
    /// over cannot be taken back.
    public func forEachTerms(
        owner: Owner, visibility: Visibility, _ body: (TermsRow) throws -> Bool
    ) throws {
        let condition = Self.condition(visibility)
        try read(isRepeatable: false) { db in
            guard let ownerID = try ownerID(owner, db) else { return }
            try db.forEach(
                """
                SELECT id, state, analysis, analyzer FROM cube
                WHERE owner = ? AND activation IS NULL AND \(condition.sql) ORDER BY seq
                """, [ownerID] + condition.arguments
            ) { row in
                guard let state = LifecycleState(rawValue: try row.value("state")) else {
                    throw StoreError(.corrupt, "A memory has an unknown state. Run `mneme doctor`.")
                }
                return try body(
                    TermsRow(
                        id: CubeID(stored: try row.value("id")), state: state,
                        analysis: Array(try row.value("analysis") as Data),
                        analyzer: try row.value("analyzer")))
            }
        }
    }

    /// As `IndexFeed` has it: what has no vector comes first.
    public func pendingEmbeddings(replacing embedder: String?, limit: Int) throws
        -> [PendingEmbedding]
    {
        try readAll { db in
            func cubes(_ chosen: String, _ arguments: PGArguments) throws -> [PendingEmbedding] {
                try db.rows(
                    """
                    SELECT id, version, text, speaker FROM cube WHERE seq IN (\(chosen)) ORDER BY seq LIMIT ?
                    """, arguments
                ).compactMap { row in
                    try CubeID(row.value("id") as String).map {
                        PendingEmbedding(
                            id: $0, version: try row.value("version"), text: try row.value("text"),
                            speaker: try row.text("speaker"))
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
        try readAll { db in
            let missing = Int(try db.number("SELECT count(*) FROM pending") ?? 0)
            guard let embedder else { return missing }
            return missing
                + Int(try db.number("SELECT count(*) FROM (\(Self.ofOthers)) AS others", [embedder]) ?? 0)
        }
    }

    /// Cubes with a vector of another embedder than the parameter, and none that is awaited.
    private static let ofOthers = """
        SELECT cube FROM vector WHERE embedder <> ?
            AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.cube = vector.cube)
        """

    /// One look into the index for each embedder, however many vectors there are.
    public func embedders() throws -> [StoredEmbedder] {
        try readAll { db in
            var found: [StoredEmbedder] = []
            while let row = try db.first(
                """
                SELECT embedder, length(data)::bigint AS bytes FROM vector WHERE embedder > ?
                ORDER BY embedder LIMIT 1
                """, [found.last?.identifier ?? ""])
            {
                found.append(
                    StoredEmbedder(
                        identifier: try row.value("embedder"),
                        dimension: (try row.value("bytes") as Int) / 4))
            }
            return found
        }
    }
}
