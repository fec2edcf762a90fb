import CMnemeSQLite
import GRDB

/// Counts of rows for each owner, in the table `tally`: memories by state and by type, sessions,
/// links, journal entries, vectors, and memories that wait for one.
///
/// Triggers keep them, so that no writer can leave them out, and a transaction that is rolled back
/// takes them back, too. Reading them costs a row for each count; counting anew passes over all of
/// an owner's rows. A transaction that writes many rows does without triggers and writes at its end
/// what it has counted, see ``withoutTriggers(_:_:)``.
enum Tally {
    /// All rows of `tally` as they should be, counted.
    static let counted = """
        SELECT owner, 'state' AS name, state AS part, count(*) AS value FROM cube GROUP BY 1, 3
        UNION ALL SELECT owner, 'type', type, count(*) FROM cube GROUP BY 1, 3
        UNION ALL SELECT owner, 'session', '', count(*) FROM session GROUP BY 1
        UNION ALL SELECT owner, 'link', '', count(*) FROM link GROUP BY 1
        UNION ALL SELECT owner, 'journal', '', count(*) FROM journal GROUP BY 1
        UNION ALL SELECT owner, 'vector', '', count(*) FROM vector JOIN cube ON seq = vector.cube GROUP BY 1
        UNION ALL SELECT owner, 'pending', '', count(*) FROM pending JOIN cube ON seq = pending.cube GROUP BY 1
        """

    /// Makes the table, fills it and sets the triggers.
    static func create(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE tally (
                    owner INTEGER NOT NULL REFERENCES owner(id), name TEXT NOT NULL, part TEXT NOT NULL, value INTEGER NOT NULL,
                    PRIMARY KEY (owner, name, part)
                ) STRICT, WITHOUT ROWID;
                INSERT INTO tally \(counted);
                """)
        for table in ["session", "link", "journal"] {
            try trigger(db, "INSERT ON \(table)", [add(1, "new.owner", table)])
            try trigger(db, "DELETE ON \(table)", [add(-1, "old.owner", table)])
        }
        for table in ["vector", "pending"] {
            try trigger(db, "INSERT ON \(table)", [addOfCube(1, "new", table)])
            // The rows that go with their cube are counted where the cube is deleted.
            try trigger(db, "DELETE ON \(table)", [addOfCube(-1, "old", table)])
            try trigger(
                db, "DELETE ON cube",
                [
                    "UPDATE tally SET value = value - 1 WHERE owner = old.owner AND name = '\(table)' AND part = '' AND EXISTS (SELECT 1 FROM \(table) WHERE cube = old.seq)"
                ], when: "BEFORE", name: "cube_\(table)")
        }
        for column in ["state", "type"] {
            let (more, less) = (
                add(1, "new.owner", column, part: "new.\(column)"),
                add(-1, "old.owner", column, part: "old.\(column)")
            )
            try trigger(db, "INSERT ON cube", [more], name: "cube_\(column)")
            try trigger(db, "DELETE ON cube", [less], name: "cube_\(column)")
            try trigger(db, "UPDATE OF \(column) ON cube", [less, more], name: "cube_\(column)")
        }
    }

    /// Counts all anew.
    static func recount(_ db: Database) throws {
        try db.execute(sql: "DELETE FROM tally; INSERT INTO tally \(counted)")
    }

    /// How many counts differ from what is counted anew; a count of 0 is as good as none.
    ///
    /// - Complexity: a pass over all rows.
    static func faults(_ db: Database) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                WITH anew AS (\(counted)), kept AS (SELECT owner, name, part, value FROM tally WHERE value <> 0)
                SELECT (SELECT count(*) FROM (SELECT * FROM anew EXCEPT SELECT * FROM kept))
                    + (SELECT count(*) FROM (SELECT * FROM kept EXCEPT SELECT * FROM anew))
                """) ?? 0
    }

    /// An owner's counts, or everybody's together: by name and part.
    static func read(owner: Int64?, _ db: Database) throws -> [String: [String: Int]] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT name, part, sum(value) FROM tally WHERE \(owner == nil ? "?1 IS NULL" : "owner = ?1")
                GROUP BY 1, 2 HAVING sum(value) <> 0
                """, arguments: [owner])
        var counts: [String: [String: Int]] = [:]
        for row in rows { try counts[row.read(0), default: [:]][row.read(1)] = row.read(2) }
        return counts
    }

    // MARK: Many rows

    /// What a request changes of its owner's counts.
    struct Changes {
        /// A count of an owner.
        private struct Count: Hashable {
            var name: String, part: String
        }

        private var values: [Count: Int] = [:]

        /// Notes that there are so many more of something.
        mutating func add(_ difference: Int, _ name: String, part: String = "") {
            values[Count(name: name, part: part), default: 0] += difference
        }

        /// Adds what was noted to an owner's counts.
        func write(of owner: Int64?, _ db: Database) throws {
            for (count, difference) in values where difference != 0 {
                try db.cachedStatement(sql: Tally.add("?", "?", "?", part: "?")).execute(
                    arguments: [owner, count.name, count.part, difference])
            }
        }
    }

    /// Runs what writes many rows within a transaction, and counts them itself.
    ///
    /// With a trigger SQLite keeps a copy of each page that a statement changes, so as to be able to
    /// take the statement back: of a memory's rows that was half of the time.
    ///
    /// - Throws: what `body` throws; triggers run again in any case.
    static func withoutTriggers<T>(_ db: Database, _ body: () throws -> T) throws -> T {
        try runTriggers(false, db)
        let result = Result { try body() }
        try runTriggers(true, db)
        return try result.get()
    }

    private static func runTriggers(_ run: Bool, _ db: Database) throws {
        let code = mns_run_triggers(db.sqliteConnection.map { UnsafeMutableRawPointer($0) }, run ? 1 : 0)
        guard code == 0 else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    private static func trigger(
        _ db: Database, _ event: String, _ actions: [String], when: String = "AFTER",
        name: String? = nil
    ) throws {
        let words = event.split(separator: " ")
        let title = "tally_\(name ?? String(words.last!))_\(words[0].lowercased())"
        try db.execute(
            sql:
                "CREATE TRIGGER \(title) \(when) \(event) BEGIN \(actions.joined(separator: "; ")); END"
        )
    }

    private static func add(_ count: Int, _ owner: String, _ name: String, part: String = "''")
        -> String
    {
        add("\(count)", owner, "'\(name)'", part: part)
    }

    /// As above, of SQL's expressions.
    fileprivate static func add(_ count: String, _ owner: String, _ name: String, part: String) -> String {
        """
        INSERT INTO tally (owner, name, part, value) VALUES (\(owner), \(name), \(part), \(count))
        ON CONFLICT DO UPDATE SET value = value + excluded.value
        """
    }

    /// Adds to the count of a row's cube's owner, if the cube is there.
    private static func addOfCube(_ count: Int, _ row: String, _ name: String) -> String {
        """
        INSERT INTO tally (owner, name, part, value) SELECT owner, '\(name)', '', \(count) FROM cube WHERE seq = \(row).cube
        ON CONFLICT DO UPDATE SET value = value + excluded.value
        """
    }
}
