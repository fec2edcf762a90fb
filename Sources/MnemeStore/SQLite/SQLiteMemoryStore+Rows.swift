import Crypto
import Foundation
import GRDB

/// Rows that commits read and write: cubes, edges, the journal.
extension SQLiteMemoryStore {
    /// Makes a place for an owner's memories and returns its row.
    static func createOwner(_ owner: Owner, _ db: Database) throws -> Int64 {
        try db.execute(
            sql: "INSERT INTO owner (tenant, user) VALUES (?, ?)",
            arguments: [owner.tenant, owner.user])
        return db.lastInsertedRowID
    }

    /// An owner's cube as it is now; nil if it is another's or gone.
    static func current(_ id: CubeID, _ ownerID: Int64, _ db: Database) throws -> MemCube? {
        try Row.fetchOne(
            db.cachedStatement(sql: cubeQuery + " WHERE cube.id = ? AND cube.owner = ?"),
            arguments: [id.description, ownerID]
        ).map(cube)
    }

    /// A cube in sight.
    func require(_ id: CubeID, _ ownerID: Int64, _ sight: Visibility, _ db: Database) throws
        -> MemCube
    {
        guard let cube = try Self.current(id, ownerID, db), sight.contains(cube) else {
            throw StoreError(
                .notFound,
                "There is no memory \(id) in this scope\(sight.isWhole ? "" : ", or it may not be changed")."
            )
        }
        return cube
    }

    /// A cube that the caller reaches for a permission. To change something one must see it: who
    /// may only write is told nothing of what is there.
    func require(_ id: CubeID, for permission: Permission, _ change: Change, _ db: Database) throws
        -> MemCube
    {
        if permission == .write { _ = try require(id, change.ownerID, change.sight(.read), db) }
        return try require(id, change.ownerID, change.sight(permission), db)
    }

    /// A cube that can be changed.
    func requireChangeable(_ id: CubeID, _ change: Change, _ db: Database) throws -> MemCube {
        let cube = try require(id, for: .write, change, db)
        try LifecycleRules.requireChangeable(cube)
        return cube
    }

    /// Puts a new cube into the state.
    func insert(
        _ cube: MemCube, _ json: CubeJSON, _ analysis: [UInt8], _ contentHash: [UInt8],
        _ position: Int64,
        _ change: Change, _ db: Database
    ) throws {
        let ownerID = change.ownerID
        var session: Int64?, place: Int64 = 0
        if let name = cube.scope.session {
            guard
                let row = try Row.fetchOne(
                    db.cachedStatement(
                        sql: """
                            INSERT INTO session (owner, name, next_place) VALUES (?, ?, 1)
                            ON CONFLICT (owner, name) DO UPDATE SET next_place = next_place + 1 RETURNING id, next_place - 1
                            """), arguments: [ownerID, name])
            else { throw StoreError(.corrupt, "A session was not kept. Run `mneme doctor`.") }
            (session, place) = (try row.read(0), try row.read(1))
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO cube (id, owner, session, place, agent, type, state, version, text, speaker, event_time, recorded_time,
                    updated_time, expires, priority, header, content_hash, position, analysis, analyzer, activation,
                    sensitivity, valid_until)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            cube.id.description, ownerID, session, place, cube.scope.agent, cube.type.rawValue,
            cube.state.rawValue, cube.version, cube.text, cube.speaker,
            cube.eventTime.timeIntervalSince1970,
            cube.recordedTime.timeIntervalSince1970,
            cube.updatedTime.timeIntervalSince1970, cube.expires?.timeIntervalSince1970,
            cube.priority,
            json.header, Data(contentHash), position, Data(analysis), analyzer,
            cube.activation?.block,
            cube.sensitivity.rawValue,
            cube.validUntil?.timeIntervalSince1970,
        ])
        if cube.isPlaintext {
            try db.cachedStatement(sql: "INSERT INTO pending (cube) VALUES (?)").execute(
                arguments: [
                    db.lastInsertedRowID
                ])
        }
    }

    /// Writes a cube's next version, whose text is the same, and its journal entry.
    func save(_ next: CubeChange, _ change: Change, _ db: Database) throws -> MemCube {
        change.claims.forget(next.cube.id, claiming: next.cube.claims.map(\.key))
        return try write(next, change, db)
    }

    /// As ``save(_:_:_:)``, for who keeps ``Change/claims`` true.
    func write(_ next: CubeChange, _ change: Change, _ db: Database) throws -> MemCube {
        let cube = next.cube
        let json = CubeJSON(cube)
        let position = try Self.append(
            next.operation, cube.id, version: cube.version, payload: json.payload, change, db)
        try db.cachedStatement(
            sql: """
                UPDATE cube SET state = ?, header = ?, version = ?, updated_time = ?, valid_until = ?, position = ?
                WHERE id = ?
                """
        ).execute(arguments: [
            cube.state.rawValue, json.header, cube.version, cube.updatedTime.timeIntervalSince1970,
            cube.validUntil?.timeIntervalSince1970, position, cube.id.description,
        ])
        try Self.keepVector(of: cube, db)
        return cube
    }

    /// The vector of a cube whose text is the same serves its new version.
    static func keepVector(of cube: MemCube, _ db: Database) throws {
        try db.cachedStatement(
            sql: "UPDATE vector SET version = ? WHERE cube = (SELECT seq FROM cube WHERE id = ?)"
        )
        .execute(arguments: [
            cube.version, cube.id.description,
        ])
    }

    /// Writes an edge, in place of an equal one, and its journal entry.
    static func add(_ link: CubeLink, _ change: Change, _ db: Database) throws {
        forgetEnd(by: link, change)
        try insert(link, change, db)
    }

    /// Who ends a cube is read anew where an edge that says so comes or goes.
    static func forgetEnd(by link: CubeLink, _ change: Change) {
        if link.kind == CubeLink.supersedes { change.claims.forget(link.target, claiming: []) }
    }

    /// As ``add(_:_:_:)``, for who keeps ``Change/claims`` true.
    static func insert(_ link: CubeLink, _ change: Change, _ db: Database) throws {
        try db.execute(
            sql:
                "INSERT OR REPLACE INTO link (owner, source, target, kind, time) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                change.ownerID, link.source.description, link.target.description, link.kind,
                link.time.timeIntervalSince1970,
            ])
        try record(.link, link, change, db)
    }

    /// Appends to the journal and returns the position.
    static func record(
        _ operation: JournalEntry.Operation, _ cube: MemCube, _ change: Change, _ db: Database
    ) throws -> Int64 {
        try append(
            operation, cube.id, version: cube.version, payload: CubeJSON(cube).payload, change, db)
    }

    static func record(
        _ operation: JournalEntry.Operation, _ link: CubeLink, _ change: Change, _ db: Database
    ) throws {
        _ = try append(
            operation, link.source, version: 0, payload: try StoreCoding.encode(link),
            target: link.target, change, db)
    }

    /// Appends an entry to the journal, with the digest that binds it to the audit log.
    ///
    /// - Parameters:
    ///   - payload: the cube or edge after the change, as JSON.
    ///   - target: where an edge leads, so that erasing finds its entries.
    ///   - past: when it happened elsewhere, for entries that come with an adopted cube.
    /// - Returns: the entry's position.
    static func append(
        _ operation: JournalEntry.Operation, _ cube: CubeID, version: Int, payload: String,
        target: CubeID? = nil,
        time past: Date? = nil,
        principal: String? = nil, reason: String? = nil, _ change: Change, _ db: Database
    ) throws -> Int64 {
        let caller = change.caller, salt = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }
        let time = (past ?? caller.time).timeIntervalSince1970,
            principal = principal ?? caller.principal.name,
            reason = past == nil ? caller.reason : reason
        let digest = JournalDigest.digest(
            salt: salt, time: time, operation: operation.rawValue, cube: cube.description,
            version: version,
            principal: principal, reason: reason,
            payload: payload)
        try db.cachedStatement(
            sql: """
                INSERT INTO journal (owner, time, operation, cube, version, principal, reason, payload, salt, digest, target)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            change.ownerID, time, operation.rawValue, cube.description, version, principal, reason,
            payload, salt,
            digest,
            target?.description,
        ])
        change.note(db.lastInsertedRowID, digest)
        return db.lastInsertedRowID
    }
}
