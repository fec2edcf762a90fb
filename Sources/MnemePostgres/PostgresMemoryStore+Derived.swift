import Foundation
public import MnemeStore

/// Values that are derived from cubes or counted beside them: uses, index terms, vectors, progress.
extension PostgresMemoryStore {
    /// One statement, beside the journal and beside writers: an answer is no change of a memory. Rows
    /// are changed in the order of their numbers, whoever else does the same.
    public func recordUse(_ uses: [CubeID: Usage], owner: Owner) throws {
        guard !uses.isEmpty else { return }
        let list = uses.sorted { $0.key < $1.key }
        try once(owner) { db, ownerID in
            try db.run(
                """
                WITH used AS (
                    SELECT cube.seq, use.count, use.last
                    FROM unnest(?::text[], ?::bigint[], ?::double precision[]) AS use (id, count, last)
                    JOIN cube ON cube.id = use.id AND cube.owner = ? ORDER BY cube.seq FOR UPDATE OF cube)
                UPDATE cube SET uses = uses + used.count, last_used = greatest(coalesce(last_used, 0), used.last)
                FROM used WHERE cube.seq = used.seq
                """,
                [
                    list.map(\.key.description), list.map { Int64($0.value.count) },
                    list.map(\.value.last.timeIntervalSince1970), ownerID,
                ])
        }
    }

    /// Terms can be found again from the text, so that they have no version of their own.
    public func saveAnalyses(_ analyses: [(CubeID, [UInt8])], owner: Owner) throws {
        try write { transaction in
            guard let ownerID = try ownerID(owner, transaction.db) else { return }
            for (id, analysis) in analyses {
                try transaction.db.run(
                    "UPDATE cube SET analysis = ?, analyzer = ? WHERE id = ? AND owner = ?",
                    [Data(analysis), analyzer, id.description, ownerID])
            }
        }
    }

    /// Each vector gets a position of its own counter, in the order of commits, as the store has one
    /// writer: indexes ask for vectors since theirs.
    public func saveVectors(
        _ vectors: [(id: CubeID, version: Int, vector: [Float])], embedder: String
    ) throws {
        let versions = "SELECT seq, owner, id, version FROM cube WHERE id = ANY (?::text[])"
        try write {
            [(versions, [vectors.map(\.id.description)])]
        } _: { transaction in
            let db = transaction.db
            let known = try transaction.ahead[0].reduce(
                into: [String: (seq: Int64, owner: Int64, version: Int)]()
            ) { known, row in
                known[try row.value("id")] = (
                    try row.value("seq"), try row.value("owner"), try row.value("version")
                )
            }
            try Self.skipLostVectors(db)
            let columns = halves == nil ? "" : ", half, half_position"
            // Nobody waits for the counter: each row takes its place from there.
            let place = "(SELECT value FROM counter WHERE name = 'vector') - ?::bigint"
            let halved = halves == nil ? "" : ", ?, \(place)"
            let replaced = halves == nil ? "" : ", half = excluded.half, half_position = excluded.half_position"
            let insertion = """
                INSERT INTO vector (cube, owner, embedder, version, position, data\(columns))
                VALUES (?, ?, ?, ?, \(place), ?\(halved))
                ON CONFLICT (cube) DO UPDATE SET embedder = excluded.embedder, version = excluded.version,
                    position = excluded.position, data = excluded.data\(replaced)
                """
            let present = vectors.filter { known[$0.id.description]?.version == $0.version }
            guard !present.isEmpty else { return }
            try db.run("UPDATE counter SET value = value + ? WHERE name = 'vector'", [present.count])
            for (i, (id, version, vector)) in present.enumerated() {
                guard let cube = known[id.description] else { continue }
                let behind = present.count - 1 - i
                var arguments: PGArguments = [
                    cube.seq, cube.owner, embedder, version, behind, vector.withUnsafeBytes { Data($0) },
                ]
                if halves != nil { arguments += [PGHalfVector(vector), behind] }
                try db.run(insertion, arguments)
                transaction.changed.insert(cube.owner)
            }
            try db.run(
                "DELETE FROM pending WHERE cube = ANY (?::bigint[])",
                [present.compactMap { known[$0.id.description]?.seq }])
        }
    }

    /// Vectors that are counted over where another server has become the primary: more than a standby
    /// can lack.
    private static let skipped: Int64 = 1 << 24

    /// Sees to it that no position is given again that indexes may have reached, where a standby has
    /// taken over without the last vectors. Nothing else would tell: vectors are in no journal.
    ///
    /// A server tells itself from every other by when it was started.
    private static func skipLostVectors(_ db: PGConnection) throws {
        try db.run(
            """
            WITH other AS (
                INSERT INTO counter (name, value)
                VALUES ('primary', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counter.value <> excluded.value
                RETURNING value)
            UPDATE counter SET value = value + ? WHERE name = 'vector' AND EXISTS (SELECT 1 FROM other)
            """, [skipped])
    }

    /// Never back: two workers may report out of order.
    public func setProgress(_ id: CubeID, of work: String, owner: Owner) throws {
        try unordered(owner) { db, ownerID in
            try db.run(
                """
                INSERT INTO progress (owner, work, seq) SELECT owner, ?::text, seq FROM cube WHERE id = ? AND owner = ?
                ON CONFLICT (owner, work) DO UPDATE SET seq = greatest(progress.seq, excluded.seq)
                """, [work, id.description, ownerID])
        }
    }

    /// A transaction beside the store's writer, for what has no order: nothing of it is in the
    /// journal, the audit log or the counter of vectors.
    ///
    /// It may be done twice, where the answer to its commit is lost.
    func unordered<T>(_ body: (PGConnection) throws -> T) throws -> T {
        try repeating(true) {
            try pool.lend { db in
                try db.run("BEGIN ISOLATION LEVEL READ COMMITTED")
                do {
                    let result = try body(db)
                    try db.run("COMMIT")
                    try db.sync()
                    return result
                } catch {
                    Self.rollBack(db)
                    throw error
                }
            }
        }
    }

    /// As ``unordered(_:)`` for one owner, and not done twice: where the answer to a commit is lost, the
    /// database knows by the transaction's number what became of it (PostgreSQL documentation, 9.27.5
    /// "pg_xact_status"). A database that goes down may give the number again; it is asked all the same,
    /// as what is done here are counts.
    private func once(_ owner: Owner, _ body: (PGConnection, Int64) throws -> Void) throws {
        var sent: String?
        try repeating(true) {
            if let number = sent, try pool.lend({ try Self.isCommitted(number, $0) }) { return }
            sent = nil
            try pool.lend { db in
                try db.run("BEGIN ISOLATION LEVEL READ COMMITTED")
                do {
                    if let ownerID = try ownerID(owner, db) { try body(db, ownerID) }
                    // Nobody is told that it was counted, so that nobody waits for the disk.
                    sent = try db.texts(
                        "SELECT pg_current_xact_id()::text, set_config('synchronous_commit', 'off', true)"
                    ).first
                    try db.run("COMMIT")
                    try db.sync()
                } catch {
                    Self.rollBack(db)
                    throw error
                }
            }
        }
    }

    /// Tells whether a transaction was committed.
    ///
    /// - Throws: ``PGFailure`` if it has not ended yet: it is asked for again then.
    private static func isCommitted(_ number: String, _ db: PGConnection) throws -> Bool {
        let state: String?
        do {
            state = try db.texts("SELECT pg_xact_status(?::text::xid8)", [number]).first
            try db.sync()
        } catch PGFailure.refused {
            // The number was not given yet: a standby has taken over that never heard of it.
            return false
        }
        if state == "in progress" { throw PGFailure.connectionLost("a transaction has not ended yet") }
        return state == "committed"
    }

    /// As ``unordered(_:)``, with the rows of one owner in sight; nothing for one that has no place.
    private func unordered(_ owner: Owner, _ body: (PGConnection, Int64) throws -> Void) throws {
        try unordered { db in
            if let ownerID = try ownerID(owner, db) { try body(db, ownerID) }
        }
    }
}
