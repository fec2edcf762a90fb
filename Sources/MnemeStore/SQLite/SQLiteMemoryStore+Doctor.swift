import Foundation
import GRDB

/// Upkeep of the file.
extension SQLiteMemoryStore {
    /// Writes the file anew without free pages. Needs as much room again meanwhile, and no other
    /// writer.
    public func compact() throws {
        try writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA optimize; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    /// The checks of SQLite's own structure, of references, of state against journal, of vectors
    /// and of modes. Repairing concerns what is derived: texts and journal are restored from
    /// copies.
    public func check(repair: Bool, by caller: Caller) throws -> [StoreFinding] {
        try requireAll(.admin, caller)
        var findings: [StoreFinding] = []
        try read { db in
            let problems = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter {
                $0 != "ok"
            }
            findings.append(
                StoreFinding(
                    check: "file", sound: problems.isEmpty,
                    detail: problems.isEmpty
                        ? "SQLite finds the file sound" : problems.joined(separator: "; ")))
            let dangling = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").count
            findings.append(
                StoreFinding(
                    check: "references", sound: dangling == 0,
                    detail: dangling == 0
                        ? "every reference has its target" : "\(dangling) references lead nowhere")
            )
            let unlike =
                try Int.fetchOne(
                    db,
                    sql: """
                        SELECT count(*) FROM cube WHERE NOT EXISTS (SELECT 1 FROM journal WHERE journal.position = cube.position
                            AND journal.cube = cube.id AND journal.version = cube.version AND journal.payload ->> '$.text' = cube.text
                            AND journal.payload ->> '$.state' = cube.state)
                        """) ?? 0
            findings.append(
                StoreFinding(
                    check: "journal", sound: unlike == 0,
                    detail: unlike == 0
                        ? "each memory equals its last journal entry"
                        : "\(unlike) memories differ from their last journal entry"))
            let lost =
                try Int.fetchOne(
                    db,
                    sql: """
                        SELECT count(*) FROM journal WHERE operation = 'add' AND cube NOT IN (SELECT id FROM cube)
                            AND cube NOT IN (SELECT cube FROM journal WHERE operation = 'erase')
                        """) ?? 0
            findings.append(
                StoreFinding(
                    check: "memories", sound: lost == 0,
                    detail: lost == 0
                        ? "each recorded memory is there"
                        : "\(lost) recorded memories are missing from the state"))
        }
        try findings.append(checkVectors(repair: repair))
        try findings.append(checkTally(repair: repair))
        findings.append(checkPrivacy(repair: repair))
        if repair { try dropOldPages() }
        return findings
    }

    /// Every cube has a vector or waits for one; a vector of a wrong length or version is made
    /// again.
    private func checkVectors(repair: Bool) throws -> StoreFinding {
        let faulty = """
            SELECT cube.seq FROM cube LEFT JOIN vector ON vector.cube = cube.seq WHERE cube.activation IS NULL AND cube.seq NOT IN (SELECT cube FROM pending)
                AND (vector.cube IS NULL OR vector.version <> cube.version OR length(vector.data) % 4 <> 0 OR length(vector.data) = 0)
            """
        let count = try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM (\(faulty))") ?? 0 }
        guard count > 0 else {
            return StoreFinding(
                check: "vectors", sound: true, detail: "each memory has a vector or waits for one")
        }
        if repair {
            try write { try $0.execute(sql: "INSERT OR IGNORE INTO pending (cube) \(faulty)") }
        }
        return StoreFinding(
            check: "vectors", sound: false,
            detail: "\(count) memories have no usable vector"
                + (repair
                    ? "; they will be embedded again"
                    : "; `mneme doctor --repair` makes them anew"),
            repaired: repair)
    }

    /// The counts that triggers keep are those of the rows.
    private func checkTally(repair: Bool) throws -> StoreFinding {
        let faults = try read { try Tally.faults($0) }
        guard faults > 0 else {
            return StoreFinding(
                check: "counts", sound: true, detail: "each kept count is that of the rows")
        }
        if repair { try write { try Tally.recount($0) } }
        return StoreFinding(
            check: "counts", sound: false,
            detail: "\(faults) kept counts differ from the rows"
                + (repair ? "; they were counted anew" : "; `mneme doctor --repair` counts anew"),
            repaired: repair)
    }
}
