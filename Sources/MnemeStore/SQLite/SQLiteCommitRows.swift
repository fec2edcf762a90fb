import Foundation
import GRDB

/// The rows of one request, in a transaction of SQLite.
final class SQLiteCommitRows: CommitRows {
    private let store: SQLiteMemoryStore
    private let owner: Owner, caller: Caller
    let db: Database
    /// The owner's row; nil before it has one.
    private(set) var ownerID: Int64?
    /// The end of the audit log, which is the transaction's if the request is kept.
    private(set) var chain: AuditLog.Chain
    /// Sessions that cubes of the request came into: rows, next places, and whether these are further
    /// than what is written.
    private var sessions: [String: (id: Int64, next: Int64, isAhead: Bool)] = [:]
    /// Statements that each memory asks for.
    private var adding: (journal: Statement?, cube: Statement?, pending: Statement?, content: Statement?) =
        (nil, nil, nil, nil)
    /// What the request changes of counts, which ``finish()`` writes; nil where triggers do.
    var tally: Tally.Changes?

    /// Rows of the request's owner.
    init(of request: WriteRequest, in store: SQLiteMemoryStore, _ chain: AuditLog.Chain, _ db: Database)
        throws
    {
        self.store = store
        owner = request.owner
        caller = request.caller
        self.db = db
        self.chain = chain
        ownerID = try SQLiteMemoryStore.ownerID(owner, db)
    }

    // MARK: Read

    func visibility(for permission: Permission) throws -> Visibility {
        try store.visible(permission, of: owner, ownerID, caller, db)
    }

    func cube(_ id: CubeID) throws -> MemCube? {
        try ownerID.flatMap { try SQLiteMemoryStore.current(id, $0, db) }
    }

    func cube(withContent hash: [UInt8], session: String?) throws -> CubeID? {
        var row: Int64?
        if let session {
            // Of a session that nothing was said in, nothing is here.
            guard let known = try number(of: session) else { return nil }
            row = known
        }
        var values = try RowWriter(
            db,
            """
            SELECT id FROM cube WHERE owner = ? AND session IS ? AND content_hash = ?
                AND state NOT IN ('archived', 'merged') LIMIT 1
            """, keptIn: &adding.content)
        values.add(ownerID)
        values.add(row)
        values.add(bytes: hash)
        return try values.text().map(CubeID.init(stored:))
    }

    /// The row of a session; nil if there is none yet.
    private func number(of session: String) throws -> Int64? {
        try sessions[session]?.id
            ?? Int64.fetchOne(
                db.cachedStatement(sql: "SELECT id FROM session WHERE owner = ? AND name = ?"),
                arguments: [ownerID, session])
    }

    func count(limit: Int) throws -> Int {
        try Int.fetchOne(
            db.cachedStatement(
                sql: "SELECT count(*) FROM (SELECT 1 FROM cube WHERE owner = ? LIMIT ?)"),
            arguments: [ownerID, limit]) ?? 0
    }

    func availability(of id: CubeID) throws -> IDAvailability {
        try SQLiteMemoryStore.availability(of: id, ownerID, db)
    }

    func targets(of id: CubeID, kind: String) throws -> [CubeID] {
        try String.fetchAll(
            db, sql: "SELECT target FROM link WHERE source = ? AND kind = ?",
            arguments: [id.description, kind]
        ).map(CubeID.init(stored:))
    }

    func answer(to key: String) throws -> (request: Data, cubes: [CubeID])? {
        try Row.fetchOne(
            db, sql: "SELECT request, cubes FROM idempotency WHERE owner = ? AND key = ?",
            arguments: [ownerID, key]
        ).map {
            (try $0.read("request"), try StoreCoding.decode([CubeID].self, $0.read("cubes")))
        }
    }

    // MARK: Write

    func createOwner() throws {
        if ownerID == nil { ownerID = try SQLiteMemoryStore.createOwner(owner, db) }
    }

    func append(_ row: JournalRow) throws -> Int64 {
        var values = try RowWriter(
            db,
            """
            INSERT INTO journal (owner, time, operation, cube, version, principal, reason, payload, salt, digest, target)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, keptIn: &adding.journal)
        values.add(ownerID)
        values.add(row.time)
        values.add(row.operation.rawValue)
        values.add(row.cube.description)
        values.add(row.version)
        values.add(row.principal)
        values.add(row.reason)
        values.add(row.payload)
        values.add(bytes: row.salt)
        values.add(bytes: row.digest)
        values.add(row.target?.description)
        try values.write()
        tally?.add(1, "journal")
        return db.lastInsertedRowID
    }

    func insert(_ row: CubeRow) throws {
        let cube = row.cube
        let (session, place) = try cube.scope.session.map(nextPlace) ?? (nil, 0)
        var values = try RowWriter(
            db,
            """
            INSERT INTO cube (id, owner, session, place, agent, type, state, version, text, speaker, event_time, recorded_time,
                updated_time, expires, priority, header, content_hash, position, analysis, analyzer, activation,
                sensitivity, valid_until)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, keptIn: &adding.cube)
        values.add(cube.id.description)
        values.add(ownerID)
        values.add(session)
        values.add(place)
        values.add(cube.scope.agent)
        values.add(cube.type.rawValue)
        values.add(cube.state.rawValue)
        values.add(cube.version)
        values.add(cube.text)
        values.add(cube.speaker)
        values.add(cube.eventTime)
        values.add(cube.recordedTime)
        values.add(cube.updatedTime)
        values.add(cube.expires)
        values.add(cube.priority)
        values.add(row.json.header)
        values.add(bytes: row.contentHash)
        values.add(row.position)
        values.add(bytes: row.analysis)
        values.add(store.analyzer)
        values.add(cube.payload.key)
        values.add(cube.sensitivity.rawValue)
        values.add(cube.validUntil)
        try values.write()
        tally?.add(1, "state", part: cube.state.rawValue)
        tally?.add(1, "type", part: cube.type.rawValue)
        guard cube.isPlaintext else { return }
        var pending = try RowWriter(
            db, "INSERT INTO pending (cube) VALUES (?)", keptIn: &adding.pending)
        pending.add(db.lastInsertedRowID)
        try pending.write()
        tally?.add(1, "pending")
    }

    /// A session's row, made with its first cube, and the next place in it. What follows of the same
    /// session in the request is counted here, and written by ``finish()``.
    private func nextPlace(in session: String) throws -> (session: Int64?, place: Int64) {
        if let known = sessions[session] {
            sessions[session] = (known.id, known.next + 1, true)
            return (known.id, known.next)
        }
        if tally != nil, try number(of: session) == nil { tally?.add(1, "session") }
        guard
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        INSERT INTO session (owner, name, next_place) VALUES (?, ?, 1)
                        ON CONFLICT (owner, name) DO UPDATE SET next_place = next_place + 1 RETURNING id, next_place - 1
                        """), arguments: [ownerID, session])
        else { throw StoreError(.corrupt, "A session was not kept. Run `mneme doctor`.") }
        let (id, place): (Int64, Int64) = (try row.read(0), try row.read(1))
        sessions[session] = (id, place + 1, false)
        return (id, place)
    }

    /// Writes what was counted instead: call it when the request's last row is written.
    func finish() throws {
        for session in sessions.values where session.isAhead {
            try db.cachedStatement(sql: "UPDATE session SET next_place = ? WHERE id = ?").execute(
                arguments: [session.next, session.id])
        }
        sessions = [:]
        try tally?.write(of: ownerID, db)
    }

    func replace(by row: CubeRow, keepsVector: Bool) throws {
        let cube = row.cube
        try db.cachedStatement(
            sql: """
                UPDATE cube SET agent = ?, type = ?, state = ?, version = ?, text = ?, speaker = ?, event_time = ?,
                    updated_time = ?, expires = ?, priority = ?, header = ?, content_hash = ?, position = ?,
                    analysis = ?, analyzer = ?, sensitivity = ?, valid_until = ? WHERE id = ?
                """
        ).execute(arguments: [
            cube.scope.agent, cube.type.rawValue, cube.state.rawValue, cube.version, cube.text,
            cube.speaker, cube.eventTime.timeIntervalSince1970,
            cube.updatedTime.timeIntervalSince1970, cube.expires?.timeIntervalSince1970,
            cube.priority, row.json.header, Data(row.contentHash), row.position,
            Data(row.analysis), store.analyzer, cube.sensitivity.rawValue,
            cube.validUntil?.timeIntervalSince1970, cube.id.description,
        ])
        if keepsVector { return try keepVector(of: cube) }
        try db.cachedStatement(
            sql: "INSERT OR IGNORE INTO pending (cube) SELECT seq FROM cube WHERE id = ?"
        ).execute(arguments: [cube.id.description])
    }

    func update(_ cube: MemCube, header: String, position: Int64) throws {
        if tally != nil, let former = try state(of: cube.id) {
            tally?.add(-1, "state", part: former)
            tally?.add(1, "state", part: cube.state.rawValue)
        }
        try db.cachedStatement(
            sql: """
                UPDATE cube SET state = ?, header = ?, version = ?, updated_time = ?, valid_until = ?, position = ?
                WHERE id = ?
                """
        ).execute(arguments: [
            cube.state.rawValue, header, cube.version, cube.updatedTime.timeIntervalSince1970,
            cube.validUntil?.timeIntervalSince1970, position, cube.id.description,
        ])
        try keepVector(of: cube)
    }

    /// The state that a cube has in the table.
    private func state(of id: CubeID) throws -> String? {
        try String.fetchOne(
            db.cachedStatement(sql: "SELECT state FROM cube WHERE id = ?"), arguments: [id.description])
    }

    /// The vector of a cube whose text is the same serves its new version.
    private func keepVector(of cube: MemCube) throws {
        try db.cachedStatement(
            sql: "UPDATE vector SET version = ? WHERE cube = (SELECT seq FROM cube WHERE id = ?)"
        ).execute(arguments: [cube.version, cube.id.description])
    }

    func insert(_ link: CubeLink) throws {
        if tally != nil, try !holds(link) { tally?.add(1, "link") }
        try db.cachedStatement(
            sql: """
                INSERT INTO link (owner, source, target, kind, time) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET time = excluded.time
                """
        ).execute(arguments: [
            ownerID, link.source.description, link.target.description, link.kind,
            link.time.timeIntervalSince1970,
        ])
    }

    /// True if there is an edge between the same ends, of the same kind.
    private func holds(_ link: CubeLink) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT 1 FROM link WHERE source = ? AND target = ? AND kind = ?"),
            arguments: [link.source.description, link.target.description, link.kind]) ?? false
    }

    func remove(_ link: CubeLink) throws -> Bool {
        try db.cachedStatement(
            sql: "DELETE FROM link WHERE owner = ? AND source = ? AND target = ? AND kind = ?"
        ).execute(arguments: [
            ownerID, link.source.description, link.target.description, link.kind,
        ])
        let isRemoved = db.changesCount > 0
        if isRemoved { tally?.add(-1, "link") }
        return isRemoved
    }

    /// Vector, terms and claims go with the row, by reference.
    func erase(_ id: CubeID) throws {
        for sql in [
            "UPDATE journal SET payload = NULL, salt = NULL WHERE cube = ?1",
            "UPDATE journal SET payload = NULL, salt = NULL WHERE target = ?1",
            "DELETE FROM link WHERE source = ?1 OR target = ?1",
            "DELETE FROM access_grant WHERE cube = ?1", "DELETE FROM cube WHERE id = ?1",
        ] {
            try db.execute(sql: sql, arguments: [id.description])
        }
    }

    func keepAnswer(to key: String, request: Data, cubes: [CubeID], time: Date) throws {
        try db.execute(
            sql:
                "INSERT INTO idempotency (owner, key, request, cubes, time) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                ownerID, key, request, try StoreCoding.encode(cubes), time.timeIntervalSince1970,
            ])
    }

    func append(_ entry: AuditEntry) throws { try chain.append(entry, db) }

    func noting<T>(_ rule: () throws -> T) throws -> T { try store.noting(owner, caller, rule) }
}
