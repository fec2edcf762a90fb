import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// The feed of indexes: rows since a position, terms, and cubes that wait for a vector.
extension PostgresMemoryStore {
    /// As `IndexFeed` has it, in one snapshot: rows, edges and positions fit each other. Any server
    /// asks before it answers, so that none serves what another has erased.
    ///
    /// One way to the database and back where there is nothing, two where there is little, as most
    /// answers find it.
    public func changes(
        owner: Owner, since: FeedPosition, embedder: String, former: String?, visibility: Visibility
    ) throws -> IndexChanges {
        let feed = Feed(
            owner: owner, since: since, embedder: embedder, former: former, visibility: visibility)
        // Of who has changed something lately it is likely that there is more.
        let isChanging = since.journal > 0 && changing.withLockedValue { $0.contains(owner) }
        switch try isChanging ? News.few : news(feed) {
        case .none: return IndexChanges(rows: [], erased: [], reached: since)
        case .few:
            if let changes = try fewChanges(feed) {
                note(owner, isChanging: !changes.isEmpty)
                return changes
            }
        case .unknown: break
        }
        return try allChanges(feed)
    }

    /// Owners at most of whom it is known that something has changed lately.
    private static let changingAtMost = 1_000

    /// Notes whether an owner's last look found something.
    private func note(_ owner: Owner, isChanging: Bool) {
        changing.withLockedValue { owners in
            guard isChanging else { return _ = owners.remove(owner) }
            if owners.count >= Self.changingAtMost { owners = [] }
            owners.insert(owner)
        }
    }

    /// What an index asks for.
    private struct Feed {
        var owner: Owner, since: FeedPosition, embedder: String, former: String?, visibility: Visibility
    }

    /// What may be behind the positions that an index has reached.
    private enum News {
        /// Nothing.
        case none
        /// Few rows.
        case few
        /// Nobody knows how many.
        case unknown
    }

    /// Entries, and vectors, up to which rows are read at once, and not in pieces.
    private static let fewEntries: Int64 = 1_000

    /// The changes, however many: rows come in pieces.
    private func allChanges(_ feed: Feed) throws -> IndexChanges {
        try read { db in
            guard let ownerID = try ownerID(feed.owner, db) else {
                // Vectors are counted all the same.
                let state = try db.first(Self.stateQuery, Self.stateArguments(feed.since, nil))
                return try FeedState(state, of: feed.since).changes
            }
            let state = try FeedState(
                db.first(Self.stateQuery, Self.stateArguments(feed.since, ownerID)), of: feed.since)
            var changes = state.changes
            guard state.isBehind else { return changes }
            let place = state.place(of: ownerID)
            let query = Self.changesQuery(place, feed)
            try db.forEach(query.sql, query.arguments) {
                changes.rows.append(try Self.indexRow($0))
                return true
            }
            if place.position > 0 {
                try Self.add(db.each(Self.edgeQueries(since: place, feed.visibility)), to: &changes)
            } else {
                changes.links = try Self.allLinks(of: ownerID, db)
            }
            return changes
        }
    }

    /// The changes, where they are few: all is asked for at once.
    ///
    /// - Returns: nil if they are not few, the index is of another history than the journal, or the owner's
    ///   row is not known.
    private func fewChanges(_ feed: Feed) throws -> IndexChanges? {
        try repeating(true) {
            // A row that is not the owner's any more is forgotten before this is repeated.
            guard let ownerID = ownerIDs.withLockedValue({ $0[feed.owner] }) else { return nil }
            let place = FeedPlace(ownerID: ownerID, position: feed.since.journal, vectors: feed.since.vectors)
            let statements: [(sql: String, arguments: PGArguments)] =
                [
                    ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", []), Self.scope(of: feed.owner, ownerID),
                    (Self.stateQuery, Self.stateArguments(feed.since, ownerID)),
                    Self.changesQuery(place, feed, isFew: true),
                ] + Self.edgeQueries(since: place, feed.visibility) + [("COMMIT", [])]
            let results = try pool.lend { db in
                do { return try db.together(statements, last: statements.count - 2) } catch {
                    Self.rollBack(db)
                    throw error
                }
            }
            guard results.count == statements.count - 2 else {
                throw PGFailure.connectionLost("an answer is missing")
            }
            let state = try FeedState(results[0].first, of: feed.since)
            guard !state.changes.isReset, state.isFew else { return nil }
            var changes = state.changes
            guard state.isBehind else { return changes }
            changes.rows = try results[1].map(Self.indexRow)
            try Self.add(Array(results[2...].dropLast()), to: &changes)
            return changes
        }
    }

    /// What tells an entry of the journal from every other, see ``journalMark(at:owner:)``.
    private static let mark = "cube || ' ' || operation || ' ' || time::text AS mark"

    /// Orders an owner's journal from its end, for the owner's row given twice. Of an owner that is one
    /// number PostgreSQL knows that it decides no order, and would rather pass over the entries of all
    /// owners from the journal's end, up to the owner's last; this order the index of owners alone is in.
    static let fromEnd = "WHERE owner BETWEEN ? AND ? ORDER BY owner DESC, position DESC"

    /// Asks where the journal and the vectors end, and for the entry that an index has reached.
    private static let stateQuery = """
        SELECT (SELECT value FROM counter WHERE name = 'vector') AS vectors,
            (SELECT count(*) FROM (SELECT 1 FROM journal WHERE owner = ? AND position > ?
                LIMIT \(fewEntries + 1)) AS counted) AS entries,
            (SELECT count(*) FROM (SELECT 1 FROM vector WHERE owner = ? AND position > ?
                LIMIT \(fewEntries + 1)) AS counted) AS newer,
            (SELECT known.mark FROM (SELECT \(mark) FROM journal WHERE position = ? AND owner = ?) AS known) AS known,
            last.position, last.mark
        FROM (SELECT 1) AS one
            LEFT JOIN (SELECT position, \(mark) FROM journal \(fromEnd) LIMIT 1) AS last ON true
        """

    private static func stateArguments(_ since: FeedPosition, _ ownerID: Int64?) -> PGArguments {
        [
            ownerID, since.journal, ownerID, since.vectors, since.journal, ownerID, ownerID, ownerID,
        ]
    }

    /// The answer to ``stateQuery``.
    private struct FeedState {
        /// Where changes begin.
        let since: FeedPosition
        /// No changes yet, and the positions that an index has reached with them.
        let changes: IndexChanges
        /// Entries and vectors of the owner behind the positions that were asked for, up to one more than
        /// are few.
        let counts: (entries: Int64, vectors: Int64)
        /// True if there may be changes.
        let isBehind: Bool

        init(_ row: PGRow?, of asked: FeedPosition) throws {
            guard let row else { throw PGFailure.connectionLost("an answer is missing") }
            let vectors = try row.integer("vectors") ?? 0
            let isReset: Bool
            (since, isReset) = asked.found(try row.text("known"), vectors: vectors)
            var changes = IndexChanges(rows: [], erased: [], reached: since)
            (changes.reached.vectors, changes.isReset) = (vectors, isReset)
            let entries = try row.integer("position") ?? 0
            if entries > since.journal {
                (changes.reached.journal, changes.reached.mark) = (entries, try row.text("mark"))
            }
            self.changes = changes
            counts = (try row.integer("entries") ?? 0, try row.integer("newer") ?? 0)
            isBehind = entries > since.journal || vectors > since.vectors
        }

        /// True if few rows may have changed.
        var isFew: Bool { max(counts.entries, counts.vectors) <= fewEntries }

        func place(of ownerID: Int64) -> FeedPlace {
            FeedPlace(ownerID: ownerID, position: since.journal, vectors: since.vectors)
        }
    }

    /// Tells whether there is anything behind positions that an index has reached. Many answers ask
    /// and find nothing, so that this is one way to the database and back, and a few looks into
    /// indexes.
    ///
    /// It is asked before each answer, also while notices come (``SharedStore/follow(_:)``): another
    /// server's erasure is acknowledged when it is committed, and its notice is on its way then. An
    /// answer that is given in between must know of the erasure, and only the database can tell it.
    ///
    /// - Returns: none if there was nothing when this was called, and the journal still has the entry
    ///   that the index has reached. All is of one statement, so of one snapshot.
    private func news(_ feed: Feed) throws -> News {
        let since = feed.since
        guard since.journal > 0 else { return .unknown }
        return try repeating(true) {
            // A row that is not the owner's any more is forgotten before this is repeated.
            guard let ownerID = ownerIDs.withLockedValue({ $0[feed.owner] }) else { return .unknown }
            return try pool.lend { db in
                let row = try db.together([
                    Self.scope(of: feed.owner, ownerID),
                    (Self.stateQuery, Self.stateArguments(since, ownerID)),
                ]).first
                let state = try FeedState(row, of: since)
                guard !state.changes.isReset, state.isFew else { return .unknown }
                return state.counts == (0, 0) ? .none : .few
            }
        }
    }

    /// Where an index stands.
    private struct FeedPlace {
        var ownerID: Int64, position: Int64, vectors: Int64
    }

    /// What ``indexRow(_:)`` reads of `cube`, `session` and `vector`.
    ///
    /// - Parameters:
    ///   - vector: the vector, in SQL.
    ///   - former: whether it is of the former embedder.
    static func feedColumns(vector: String, former: String) -> String {
        """
        cube.seq, cube.id, cube.type, cube.state, cube.agent, session.name AS session_name, cube.place,
            cube.speaker, cube.event_time, cube.recorded_time, cube.expires,
            CASE WHEN strpos(cube.header, '"tags":[]') = 0 THEN cube.header::json ->> 'tags' END AS tags,
            cube.analysis, cube.analyzer, \(vector) AS vector, \(former) AS former, cube.valid_until,
            cube.position
        """
    }

    /// The statement for rows since a place.
    ///
    /// - Parameter isFew: no more rows than if there are few entries and vectors since.
    private static func changesQuery(_ place: FeedPlace, _ feed: Feed, isFew: Bool = false) -> (
        sql: String, arguments: PGArguments
    ) {
        let condition = condition(feed.visibility)
        let embedder = feed.embedder
        // No embedder is called so.
        let former = feed.former ?? embedder + " "
        // Vectors that the index has are not even looked up: they are the greater part of the data.
        let isWanted = "(vector.position > ? OR vector.embedder = ?)"
        let joins = place.position == 0 && place.vectors > 0
        var sql = """
            SELECT \(feedColumns(vector: "CASE WHEN \(isWanted) THEN vector.data END", former: "vector.embedder = ?"))
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
                    UNION SELECT cube FROM vector WHERE owner = ? AND position > ?\(isFew ? " LIMIT \(2 * fewEntries)" : ""))
                """
            arguments += [place.ownerID, place.position, place.ownerID, place.vectors]
        }
        return (sql + " ORDER BY cube.seq", arguments)
    }

    /// All edges of an owner.
    private static func allLinks(of ownerID: Int64, _ db: PGConnection) throws -> [(
        link: CubeLink, isRemoved: Bool
    )] {
        try db.rows("SELECT * FROM link WHERE owner = ? ORDER BY time, source, target, kind", [ownerID])
            .compactMap { try $0.link() }.map { ($0, false) }
    }

    /// The statements for edges since a position, and for cubes that are not visible any more.
    private static func edgeQueries(since place: FeedPlace, _ visibility: Visibility) -> [(
        sql: String, arguments: PGArguments
    )] {
        let journal: (sql: String, arguments: PGArguments) = (
            """
            SELECT operation, cube, payload FROM journal WHERE owner = ? AND position > ?
                AND operation IN ('link', 'unlink', 'erase') ORDER BY position
            """, [place.ownerID, place.position]
        )
        guard !visibility.isUnrestricted else { return [journal] }
        // What is not visible any more is as good as gone.
        let condition = condition(visibility)
        return [
            journal,
            (
                "SELECT id FROM cube WHERE owner = ? AND position > ? AND NOT \(condition.sql)",
                [place.ownerID, place.position] + condition.arguments
            ),
        ]
    }

    /// Adds what ``edgeQueries(since:_:)`` were answered with.
    private static func add(_ answers: [[PGRow]], to changes: inout IndexChanges) throws {
        for entry in answers.first ?? [] {
            let operation: String = try entry.value("operation")
            if operation == JournalEntry.Operation.erase.rawValue {
                if let id = CubeID(try entry.value("cube") as String) { changes.erased.append(id) }
            } else if let payload = try entry.text("payload") {
                // Of what was erased the links' payloads are gone, too.
                changes.links.append(
                    (
                        try StoreCoding.decode(CubeLink.self, payload),
                        operation == JournalEntry.Operation.unlink.rawValue
                    ))
            }
        }
        guard answers.count > 1 else { return }
        changes.erased += try answers[1].compactMap { try $0.text(at: 0) }.map(CubeID.init(stored:))
    }

    /// As `IndexFeed` has it: cube, operation and time, which an erasure leaves as they are.
    public func journalMark(at position: Int64, owner: Owner) throws -> String? {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return nil }
            return try db.first(
                "SELECT \(Self.mark) FROM journal WHERE position = ? AND owner = ?", [position, ownerID])?
                .text("mark")
        }
    }

    /// A row of the feed, of ``feedColumns(vector:former:)``.
    static func indexRow(_ row: PGRow) throws -> IndexRow {
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
        result.vector = try row.floats("vector")
        result.isFormer = try row.integer("former") ?? 0 != 0
        result.validUntil = try row.optionalDate("valid_until")
        result.position = try row.value("position")
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

    /// Seconds after which another server's cube that has no vector is taken on.
    private static let patience = 30.0
    /// Cubes of this process that are remembered as without a vector, at most.
    private static let awaitedAtMost = 10_000

    /// Notes what this process has to embed. Where it is too much, it is as if others had written it.
    func remember(awaiting ids: [CubeID]) {
        guard !ids.isEmpty else { return }
        awaiting.withLockedValue { known in
            if known.count + ids.count > Self.awaitedAtMost { known = [] }
            if ids.count <= Self.awaitedAtMost { known.formUnion(ids) }
        }
    }

    /// As `SharedStore` has it.
    public func ownPendingEmbeddings(limit: Int) throws -> [PendingEmbedding] {
        let own = Array(awaiting.withLockedValue { $0.prefix(4 * limit) })
        let found = try readAll { db in
            try Self.pending(
                db, "seq IN (SELECT cube FROM pending) AND (id = ANY (?::text[]) OR updated_time < ?)",
                [own.map(\.description), time.timeIntervalSince1970 - Self.patience, limit])
        }
        // What is not found any more has its vector, or is gone.
        let left = found.count < limit ? Set(found.map(\.id)) : Set(own)
        awaiting.withLockedValue { $0.subtract(Set(own).subtracting(left)) }
        return found
    }

    /// Cubes to embed that fit a condition, the first first.
    ///
    /// - Parameter arguments: those of the condition, and how many at most.
    private static func pending(_ db: PGConnection, _ condition: String, _ arguments: PGArguments) throws
        -> [PendingEmbedding]
    {
        try db.rows(
            "SELECT id, version, text, speaker FROM cube WHERE \(condition) ORDER BY seq LIMIT ?", arguments
        ).compactMap { row in
            try CubeID(row.value("id") as String).map {
                PendingEmbedding(
                    id: $0, version: try row.value("version"), text: try row.value("text"),
                    speaker: try row.text("speaker"))
            }
        }
    }

    /// As `IndexFeed` has it: what has no vector comes first.
    public func pendingEmbeddings(replacing embedder: String?, limit: Int) throws
        -> [PendingEmbedding]
    {
        try readAll { db in
            let missing = try Self.pending(db, "seq IN (SELECT cube FROM pending)", [limit])
            guard let embedder, missing.count < limit else { return missing }
            return try missing
                + Self.pending(db, "seq IN (\(Self.ofOthers))", [embedder, limit - missing.count])
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
