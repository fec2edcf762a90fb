import Foundation
import MnemeStore
import NIOConcurrencyHelpers

/// The rows of one request, in a transaction of PostgreSQL.
///
/// What is written is sent and not waited for: its answers come with those of the next read.
final class PGCommitRows: CommitRows {
    private let store: PostgresMemoryStore
    private let owner: Owner, caller: Caller
    private let transaction: PGTransaction
    var db: PGConnection { transaction.db }
    /// The owner's row; nil before it has one.
    private(set) var ownerID: Int64?

    /// Rows of the request's owner, who is the only one in sight.
    init(of request: WriteRequest, in store: PostgresMemoryStore, _ transaction: PGTransaction) throws {
        self.store = store
        owner = request.owner
        caller = request.caller
        self.transaction = transaction
        let shown = transaction.shown
        transaction.shown = nil
        if let shown, store.ownerIDs.withLockedValue({ $0[owner] }) == shown {
            // Its rows are in sight already.
            ownerID = shown
        } else {
            ownerID = try store.ownerID(owner, transaction.db, isCommitted: !transaction.made.contains(owner))
        }
    }

    // MARK: Read

    func visibility(for permission: Permission) throws -> Visibility {
        try store.visible(permission, of: owner, ownerID, caller, db)
    }

    func cube(_ id: CubeID) throws -> MemCube? {
        try ownerID.flatMap { try PostgresMemoryStore.current(id, $0, db) }
    }

    /// Sorted by a sum, which no index is in the order of: before the database knows how many rows there
    /// are, it would rather pass over all of the owner's in their order.
    func cube(withContent hash: [UInt8], session: String?) throws -> CubeID? {
        if let known = transaction.contents.cube(with: hash, of: ownerID) { return known }
        return try db.first(
            """
            SELECT id FROM cube WHERE owner = ? AND content_hash = ? AND state NOT IN ('archived', 'merged')
            ORDER BY seq + 0 LIMIT 1
            """, [ownerID, Data(hash)]
        ).map { CubeID(stored: try $0.value("id")) }
    }

    func count(limit: Int) throws -> Int {
        Int(
            try db.number(
                "SELECT count(*) FROM (SELECT 1 FROM cube WHERE owner = ? LIMIT ?) AS counted",
                [ownerID, limit]) ?? 0)
    }

    func availability(of id: CubeID) throws -> IDAvailability {
        try PostgresMemoryStore.availability(of: id, ownerID, db)
    }

    func targets(of id: CubeID, kind: String) throws -> [CubeID] {
        try db.texts(
            "SELECT target FROM link WHERE source = ? AND kind = ? ORDER BY target",
            [id.description, kind]
        ).map(CubeID.init(stored:))
    }

    func answer(to key: String) throws -> (request: Data, cubes: [CubeID])? {
        try db.first(
            "SELECT request, cubes FROM idempotency WHERE owner = ? AND key = ?", [ownerID, key]
        ).map { (try $0.value("request"), try StoreCoding.decode([CubeID].self, $0.value("cubes"))) }
    }

    // MARK: Write

    func createOwner() throws {
        if ownerID == nil {
            ownerID = try PostgresMemoryStore.createOwner(owner, db)
            transaction.made.insert(owner)
            try PostgresMemoryStore.show(ownerID, db)
        }
    }

    /// The position is the writer's to give: nobody else writes until the transaction ends.
    func append(_ row: JournalRow) throws -> Int64 {
        let position = transaction.journalEnd + 1
        try db.run(
            """
            INSERT INTO journal (position, owner, time, operation, cube, version, principal, reason, payload, salt,
                digest, target)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                position, ownerID, row.time.timeIntervalSince1970, row.operation.rawValue,
                row.cube.description, row.version, row.principal, row.reason, row.payload, row.salt,
                row.digest, row.target?.description,
            ])
        transaction.journalEnd = position
        if let ownerID { transaction.changed.insert(ownerID) }
        return position
    }

    func insert(_ row: CubeRow) throws {
        let cube = row.cube
        transaction.contents.forget(row.contentHash, of: ownerID)
        if let session = cube.scope.session { try takePlace(in: session) }
        let waits = cube.isPlaintext
        if waits { transaction.awaiting.append(cube.id) }
        try db.run(
            waits ? "WITH new AS (\(Self.insertion) RETURNING seq, owner) \(Self.waiting) FROM new" : Self.insertion,
            [
                cube.id.description, ownerID, ownerID, cube.scope.session, ownerID, cube.scope.session,
                cube.scope.agent, cube.type.rawValue,
                cube.state.rawValue, cube.version, cube.text, cube.speaker,
                cube.eventTime.timeIntervalSince1970, cube.recordedTime.timeIntervalSince1970,
                cube.updatedTime.timeIntervalSince1970, cube.expires?.timeIntervalSince1970,
                cube.priority, row.json.header, Data(row.contentHash), row.position, Data(row.analysis),
                store.analyzer, cube.payload.key, cube.sensitivity.rawValue,
                cube.validUntil?.timeIntervalSince1970,
            ])
    }

    /// Writes a new cube's row; its place is the last of its session.
    private static let insertion = """
        INSERT INTO cube (id, owner, session, place, agent, type, state, version, text, speaker, event_time,
            recorded_time, updated_time, expires, priority, header, content_hash, position, analysis, analyzer,
            activation, sensitivity, valid_until)
        VALUES (?, ?, (SELECT id FROM session WHERE owner = ? AND name = ?),
            coalesce((SELECT next_place - 1 FROM session WHERE owner = ? AND name = ?), 0),
            ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    /// Writes down that a cube waits for its vector, up to where its row is from.
    private static let waiting = "INSERT INTO pending (cube, owner) SELECT seq, owner"

    /// Writes down that a cube waits for its vector.
    private func awaitVector(of id: CubeID) throws {
        transaction.awaiting.append(id)
        try db.run(
            "\(Self.waiting) FROM cube WHERE id = ? ON CONFLICT (cube) DO NOTHING", [id.description])
    }

    /// Makes a session's row with its first cube, and counts places in it. Nobody waits for the place:
    /// the cube's row takes it from there.
    private func takePlace(in session: String) throws {
        try db.run(
            """
            INSERT INTO session (owner, name, next_place) VALUES (?, ?, 1)
            ON CONFLICT (owner, name) DO UPDATE SET next_place = session.next_place + 1
            """, [ownerID, session])
    }

    func replace(by row: CubeRow, keepsVector: Bool) throws {
        let cube = row.cube
        transaction.contents.forgetAll()
        try db.run(
            """
            UPDATE cube SET agent = ?, type = ?, state = ?, version = ?, text = ?, speaker = ?, event_time = ?,
                updated_time = ?, expires = ?, priority = ?, header = ?, content_hash = ?, position = ?,
                analysis = ?, analyzer = ?, sensitivity = ?, valid_until = ? WHERE id = ? AND owner = ?
            """,
            [
                cube.scope.agent, cube.type.rawValue, cube.state.rawValue, cube.version, cube.text,
                cube.speaker, cube.eventTime.timeIntervalSince1970,
                cube.updatedTime.timeIntervalSince1970, cube.expires?.timeIntervalSince1970,
                cube.priority, row.json.header, Data(row.contentHash), row.position, Data(row.analysis),
                store.analyzer, cube.sensitivity.rawValue, cube.validUntil?.timeIntervalSince1970,
                cube.id.description, ownerID,
            ])
        if keepsVector { try keepVector(of: cube) } else { try awaitVector(of: cube.id) }
    }

    func update(_ cube: MemCube, header: String, position: Int64) throws {
        transaction.contents.forgetAll()
        try db.run(
            """
            UPDATE cube SET state = ?, header = ?, version = ?, updated_time = ?, valid_until = ?, position = ?
            WHERE id = ? AND owner = ?
            """,
            [
                cube.state.rawValue, header, cube.version, cube.updatedTime.timeIntervalSince1970,
                cube.validUntil?.timeIntervalSince1970, position, cube.id.description, ownerID,
            ])
        try keepVector(of: cube)
    }

    /// The vector of a cube whose text is the same serves its new version.
    private func keepVector(of cube: MemCube) throws {
        try db.run(
            "UPDATE vector SET version = ? WHERE cube = (SELECT seq FROM cube WHERE id = ?)",
            [cube.version, cube.id.description])
    }

    func insert(_ link: CubeLink) throws {
        try db.run(
            """
            INSERT INTO link (owner, source, target, kind, time) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (source, target, kind) DO UPDATE SET time = excluded.time
            """,
            [
                ownerID, link.source.description, link.target.description, link.kind,
                link.time.timeIntervalSince1970,
            ])
    }

    func remove(_ link: CubeLink) throws -> Bool {
        try db.changes(
            "DELETE FROM link WHERE owner = ? AND source = ? AND target = ? AND kind = ?",
            [ownerID, link.source.description, link.target.description, link.kind]) > 0
    }

    /// Vector, claims and what is pending go with the row, by reference.
    func erase(_ id: CubeID) throws {
        transaction.contents.forgetAll()
        for sql in [
            "UPDATE journal SET payload = NULL, salt = NULL WHERE cube = ? AND owner = ?",
            "UPDATE journal SET payload = NULL, salt = NULL WHERE target = ? AND owner = ?",
            "DELETE FROM link WHERE source = ? AND owner = ?",
            "DELETE FROM link WHERE target = ? AND owner = ?",
            "DELETE FROM access_grant WHERE cube = ? AND owner = ?",
            "DELETE FROM cube WHERE id = ? AND owner = ?",
        ] {
            try db.run(sql, [id.description, ownerID])
        }
    }

    func keepAnswer(to key: String, request: Data, cubes: [CubeID], time: Date) throws {
        try db.run(
            "INSERT INTO idempotency (owner, key, request, cubes, time) VALUES (?, ?, ?, ?, ?)",
            [ownerID, key, request, try StoreCoding.encode(cubes), time.timeIntervalSince1970])
    }

    func append(_ entry: AuditEntry) throws { try transaction.append(entry) }

    func noting<T>(_ rule: () throws -> T) throws -> T { try store.noting(owner, caller, rule) }
}
