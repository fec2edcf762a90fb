public import Foundation
public import MnemeSeal
public import MnemeStore

/// Counts, room, traces and checks.
extension PostgresMemoryStore {
    /// Of ``PostgresSettings/filesKey``.
    public func dataKey(for purpose: String) -> DataKey? { pool.settings.filesKey?.derived(purpose) }

    /// None on this machine: the database's files are its own.
    public var files: [String] { [] }

    /// PostgreSQL keeps rows that are gone until it vacuums (documentation, 24.1), and its log until it
    /// is recycled.
    public var unsearched: String? {
        "The files of \(name) were not looked through: PostgreSQL keeps erased rows until it vacuums, and longer in its "
            + "write-ahead log, replicas and dumps."
    }

    /// Texts of all versions, and vectors, as they lie in the tables.
    public func traces(of ids: [CubeID], owner: Owner) throws -> [Data] {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return [] }
            return try db.rows(
                """
                SELECT convert_to(text, 'UTF8') AS trace FROM cube WHERE id = ANY (?::text[]) AND owner = ?
                UNION SELECT vector.data FROM vector JOIN cube ON cube.seq = vector.cube
                    WHERE cube.id = ANY (?::text[]) AND cube.owner = ?
                UNION SELECT convert_to(payload::json ->> 'text', 'UTF8') FROM journal
                    WHERE cube = ANY (?::text[]) AND owner = ? AND payload IS NOT NULL
                        AND operation NOT IN ('link', 'unlink')
                """,
                Array(repeating: [ids.map(\.description), ownerID] as PGArguments, count: 3).flatMap(\.self)
            ).compactMap { try $0.bytes("trace") }
        }
    }

    /// Counts tell of what is not visible, so that they are for those alone who reach everything.
    ///
    /// - Complexity: a pass over indexes of the rows that are counted.
    public func statistics(owner: Owner?, by caller: Caller) throws -> StoreStatistics {
        if owner == nil { try requireAll(.read, caller) }
        return try read { db in
            var statistics = StoreStatistics()
            if let owner {
                let ownerID = try ownerID(owner, db)
                guard try visible(.read, of: owner, ownerID, caller, db).isUnrestricted else {
                    throw refuse(
                        "'\(caller.principal.name)' reaches a part of these memories only, and counts tell of the rest.",
                        owner: owner, by: caller)
                }
                statistics.owners = ownerID == nil ? 0 : 1
            } else {
                try Self.showAll(db)
                statistics.owners = Int(try db.number("SELECT count(*) FROM owner") ?? 0)
            }
            // Row-level security leaves the rows of the owner alone, or all.
            for row in try db.rows(
                "SELECT state, type, count(*) AS count FROM cube GROUP BY state, type")
            {
                let count: Int = try row.value("count")
                statistics.byState[try row.value("state"), default: 0] += count
                statistics.byType[try row.value("type"), default: 0] += count
                statistics.memories += count
            }
            let counts = try db.first(
                """
                SELECT (SELECT count(*) FROM session) AS sessions, (SELECT count(*) FROM link) AS links,
                    (SELECT count(*) FROM journal) AS entries, (SELECT count(*) FROM vector) AS vectors,
                    (SELECT count(*) FROM pending) AS pending,
                    (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
                        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r') AS bytes
                """)
            guard let counts else { return statistics }
            statistics.sessions = try counts.value("sessions")
            statistics.links = try counts.value("links")
            statistics.journalEntries = try counts.value("entries")
            statistics.vectors = try counts.value("vectors")
            statistics.pendingEmbeddings = try counts.value("pending")
            statistics.bytesOnDisk = try counts.value("bytes")
            return statistics
        }
    }

    /// Writes the tables anew without free room (`VACUUM FULL`). Needs as much room again meanwhile,
    /// and everybody else waits.
    public func compact() throws {
        try alone { db in
            for table in try db.texts(
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
            {
                try db.sync()
                try db.run("VACUUM (FULL, ANALYZE) \(pool.settings.schema).\"\(table)\"", isKept: false)
                try db.sync()
            }
        }
    }

    /// Lends a connection for statements that run outside of a transaction, as long as they take.
    private func alone(_ body: (PGConnection) throws -> Void) throws {
        try repeating(true) {
            try pool.lend { db in
                // Behind a pooler there is no bound outside of a transaction.
                let bound = "SELECT set_config('statement_timeout', ?, false)"
                if !db.isPooled { try db.run(bound, ["0"]) }
                db.isPatient = true
                defer { db.isPatient = false }
                try body(db)
                if !db.isPooled { try db.run(bound, [String(Int(pool.settings.statementTimeout * 1_000))]) }
                try db.sync()
            }
        }
    }

    // MARK: Checks

    /// The checks of state against journal, of vectors, and of what the database promises. Repairing
    /// concerns what is derived: texts and journal are restored from copies.
    public func check(repair: Bool, by caller: Caller) throws -> [StoreFinding] {
        try requireAll(.admin, caller)
        var findings = try readAll { db in
            [
                try Self.checkSettings(db), try Self.checkRowSecurity(db), try Self.checkServers(db),
                try checkHalves(db),
                try Self.check(
                    "references", ("every reference has its target", "references lead nowhere"),
                    """
                    SELECT (SELECT count(*) FROM vector WHERE NOT EXISTS (SELECT 1 FROM cube
                            WHERE cube.seq = vector.cube AND cube.owner = vector.owner))
                        + (SELECT count(*) FROM pending WHERE NOT EXISTS (SELECT 1 FROM cube
                            WHERE cube.seq = pending.cube AND cube.owner = pending.owner))
                        + (SELECT count(*) FROM claim WHERE NOT EXISTS (SELECT 1 FROM cube
                            WHERE cube.seq = claim.cube AND cube.owner = claim.owner))
                    """, db),
                try Self.check(
                    "journal",
                    (
                        "each memory equals its last journal entry",
                        "memories differ from their last journal entry"
                    ),
                    """
                    SELECT count(*) FROM cube WHERE NOT EXISTS (SELECT 1 FROM journal
                        WHERE journal.position = cube.position AND journal.cube = cube.id
                            AND journal.version = cube.version AND journal.payload::json ->> 'text' = cube.text
                            AND journal.payload::json ->> 'state' = cube.state)
                    """, db),
                try Self.check(
                    "positions", ("the journal has no gaps", "positions of the journal are missing"),
                    "SELECT coalesce(max(position) - min(position) + 1 - count(*), 0) FROM journal", db),
                try Self.check(
                    "memories",
                    ("each recorded memory is there", "recorded memories are missing from the state"),
                    """
                    SELECT count(*) FROM journal AS added WHERE operation = 'add'
                        AND NOT EXISTS (SELECT 1 FROM cube WHERE cube.id = added.cube)
                        AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.cube = added.cube AND operation = 'erase')
                    """, db),
            ]
        }
        findings.append(try checkVectors(repair: repair))
        return findings
    }

    /// A check that counts what is wrong.
    private static func check(
        _ name: String, _ words: (sound: String, faulty: String), _ sql: String, _ db: PGConnection
    ) throws -> StoreFinding {
        let count = try db.number(sql) ?? 0
        return StoreFinding(
            check: name, sound: count == 0, detail: count == 0 ? words.sound : "\(count) \(words.faulty)")
    }

    /// What the database promises of a commit.
    private static func checkSettings(_ db: PGConnection) throws -> StoreFinding {
        let row = try db.first(
            """
            SELECT current_setting('fsync') AS disk, current_setting('synchronous_commit') AS waits,
                current_setting('server_version') AS version
            """)
        let version: String = try row?.value("version") ?? ""
        let isDurable = try row?.value("waits") != "off"
        return StoreFinding(
            check: "database", sound: isDurable,
            detail: isDurable
                ? "PostgreSQL \(version) answers" + (db.isPooled ? " behind a pooler" : "")
                    + (try row?.value("disk") == "off" ? ", without fsync" : "")
                : "PostgreSQL \(version) does not wait for the disk: set synchronous_commit to on")
    }

    /// Whether the database compares vectors; nothing is wrong where it cannot.
    private func checkHalves(_ db: PGConnection) throws -> StoreFinding {
        let waiting =
            try halves == nil
            ? nil : db.number("SELECT count(*) FROM vector WHERE half_position IS DISTINCT FROM position")
        let detail =
            switch waiting {
            case nil: "no pgvector: the first question to an owner waits until the index is loaded"
            case 0: "the database compares vectors"
            case let count?: "the database compares vectors; servers will prepare \(count) for it"
            }
        return StoreFinding(check: "candidates", sound: true, detail: detail)
    }

    /// Who holds a lease; what an address was given as is shown as it is.
    private static func checkServers(_ db: PGConnection) throws -> StoreFinding {
        let servers = try db.texts(
            """
            SELECT coalesce(url, 'one without an address') || ' (Mneme ' || version || ')' FROM server
            WHERE expires > clock_timestamp() ORDER BY url, id
            """)
        return StoreFinding(
            check: "servers", sound: true,
            detail: servers.isEmpty ? "none runs" : servers.joined(separator: ", "))
    }

    /// Row-level security binds neither superusers nor roles with BYPASSRLS.
    private static func checkRowSecurity(_ db: PGConnection) throws -> StoreFinding {
        let passes =
            try db.number(
                "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)")
            ?? 0
        let open =
            try db.number(
                """
                SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                    AND relname = ANY (?::text[]) AND NOT (relrowsecurity AND relforcerowsecurity)
                """, [PostgresSchema.owned]) ?? 0
        return StoreFinding(
            check: "row security", sound: passes == 0 && open == 0,
            detail: passes > 0
                ? "the role reads past row-level security: connect as one that is no superuser"
                : open > 0
                    ? "\(open) tables have no row-level security"
                    : "a statement sees the rows of one owner")
    }

    /// Every cube has a vector or waits for one; a vector of a wrong length or version is made again.
    private func checkVectors(repair: Bool) throws -> StoreFinding {
        let faulty = """
            FROM cube LEFT JOIN vector ON vector.cube = cube.seq
            WHERE cube.activation IS NULL AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.cube = cube.seq)
                AND (vector.cube IS NULL OR vector.version <> cube.version OR length(vector.data) % 4 <> 0
                    OR length(vector.data) = 0)
            """
        let count = try readAll { try $0.number("SELECT count(*) " + faulty) ?? 0 }
        guard count > 0 else {
            return StoreFinding(
                check: "vectors", sound: true, detail: "each memory has a vector or waits for one")
        }
        if repair {
            try write { transaction in
                try Self.showAll(transaction.db)
                try transaction.db.run(
                    "INSERT INTO pending (cube, owner) SELECT cube.seq, cube.owner \(faulty) ON CONFLICT (cube) DO NOTHING"
                )
            }
        }
        return StoreFinding(
            check: "vectors", sound: false,
            detail: "\(count) memories have no usable vector"
                + (repair
                    ? "; they will be embedded again"
                    : "; `mneme doctor --repair` makes them anew"),
            repaired: repair)
    }
}
