import Foundation
public import MnemeStore

/// Values that are derived from cubes or counted beside them: uses, index terms, vectors, progress.
extension PostgresMemoryStore {
    /// One statement, beside the journal and beside writers: an answer is no change of a memory. Rows
    /// are changed in the order of their numbers, whoever else does the same.
    public func recordUse(_ uses: [CubeID: Usage], owner: Owner) throws {
        guard !uses.isEmpty else { return }
        let list = uses.sorted { $0.key < $1.key }
        try unordered(owner) { db, ownerID in
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
        try write { transaction in
            let db = transaction.db
            try Self.showAll(db)
            let known = try db.rows(
                "SELECT seq, owner, id, version FROM cube WHERE id = ANY (?::text[])",
                [vectors.map(\.id.description)]
            ).reduce(into: [String: (seq: Int64, owner: Int64, version: Int)]()) { known, row in
                known[try row.value("id")] = (
                    try row.value("seq"), try row.value("owner"), try row.value("version")
                )
            }
            for (id, version, vector) in vectors {
                guard let cube = known[id.description], cube.version == version else { continue }
                try db.run("UPDATE counter SET value = value + 1 WHERE name = 'vector'")
                try db.run(
                    """
                    INSERT INTO vector (cube, owner, embedder, version, position, data)
                    VALUES (?, ?, ?, ?, (SELECT value FROM counter WHERE name = 'vector'), ?)
                    ON CONFLICT (cube) DO UPDATE SET embedder = excluded.embedder, version = excluded.version,
                        position = excluded.position, data = excluded.data
                    """,
                    [cube.seq, cube.owner, embedder, version, vector.withUnsafeBytes { Data($0) }])
                try db.run("DELETE FROM pending WHERE cube = ?", [cube.seq])
                transaction.changed.insert(cube.owner)
            }
        }
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
    /// It may be done twice, where the answer to its commit is lost: a use counts double then.
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
                    try? db.sync()
                    try? db.run("ROLLBACK")
                    try? db.sync()
                    throw error
                }
            }
        }
    }

    /// As ``unordered(_:)``, with the rows of one owner in sight; nothing for one that has no place.
    private func unordered(_ owner: Owner, _ body: (PGConnection, Int64) throws -> Void) throws {
        try unordered { db in
            if let ownerID = try ownerID(owner, db) { try body(db, ownerID) }
        }
    }
}
