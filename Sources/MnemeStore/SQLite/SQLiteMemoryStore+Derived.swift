import Foundation
import GRDB

/// Values that are derived from cubes or counted beside them: uses, index terms, vectors.
extension SQLiteMemoryStore {
    /// Beside the journal: an answer is no change of a memory, and would make a new version each
    /// time.
    public func recordUse(_ uses: [CubeID: Usage], owner: Owner) throws {
        try write { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return }
            for (id, use) in uses {
                try db.cachedStatement(
                    sql:
                        "UPDATE cube SET uses = uses + ?, last_used = max(coalesce(last_used, 0), ?) WHERE id = ? AND owner = ?"
                )
                .execute(arguments: [
                    use.count, use.last.timeIntervalSince1970, id.description, ownerID,
                ])
            }
        }
    }

    /// Terms can be found again from the text, so that they have no version of their own.
    public func saveAnalyses(_ analyses: [(CubeID, [UInt8])], owner: Owner) throws {
        try write { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return }
            for (id, analysis) in analyses {
                try db.cachedStatement(
                    sql: "UPDATE cube SET analysis = ?, analyzer = ? WHERE id = ? AND owner = ?"
                )
                .execute(arguments: [Data(analysis), analyzer, id.description, ownerID])
            }
        }
    }

    /// Each vector gets a position of its own counter: indexes ask for vectors since theirs, as a
    /// vector comes later than its cube and moves nothing in the journal.
    public func saveVectors(
        _ vectors: [(id: CubeID, version: Int, vector: [Float])], embedder: String
    ) throws {
        try write { db in
            for (id, version, vector) in vectors {
                guard
                    let seq = try Int64.fetchOne(
                        db.cachedStatement(
                            sql: "SELECT seq FROM cube WHERE id = ? AND version = ?"),
                        arguments: [id.description, version])
                else { continue }
                try db.cachedStatement(
                    sql: "UPDATE counter SET value = value + 1 WHERE name = 'vector'"
                ).execute()
                try db.cachedStatement(
                    sql: """
                        INSERT INTO vector (cube, embedder, version, position, data)
                        VALUES (?, ?, ?, (SELECT value FROM counter WHERE name = 'vector'), ?)
                        ON CONFLICT DO UPDATE SET embedder = excluded.embedder, version = excluded.version,
                            position = excluded.position, data = excluded.data
                        """
                ).execute(arguments: [seq, embedder, version, vector.withUnsafeBytes { Data($0) }])
                try db.cachedStatement(sql: "DELETE FROM pending WHERE cube = ?").execute(
                    arguments: [seq])
            }
        }
    }
}
