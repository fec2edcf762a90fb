import MnemeStore

/// Tables of the PostgreSQL store, which are those of SQLite's `Schema`, and what differs:
///
/// - `vector` and `pending` name the owner, too, so that row-level security sees whose they are.
/// - Counts of rows are not kept, but counted.
/// - Numbers are `BIGINT`, times `DOUBLE PRECISION` (seconds since 1970, to the bit), texts compared
///   by their bytes (`COLLATE "C"`).
///
/// Migrations are appended, never edited.
enum PostgresSchema {
    /// Every step from an empty schema to today's tables. A schema is brought up to date when the
    /// store is opened; one with a step that is not here was written by a newer version and is
    /// refused.
    static let migrations: [(name: String, sql: [String])] = [("1", tables + policies)]

    /// Makes the schema and its tables, or brings them up to date.
    ///
    /// - Returns: the advisory lock of the store's writers.
    /// - Throws: ``StoreError``.
    static func prepare(_ pool: PGPool) throws -> Int64 {
        let settings = pool.settings
        do {
            return try pool.lend { db in
                let encoding = try db.first("SELECT current_setting('server_encoding')")?.text(at: 0)
                guard encoding == "UTF8" else {
                    throw StoreError(
                        .unavailable,
                        "\(settings.name) keeps texts as \(encoding ?? "nothing"). Make a database with ENCODING 'UTF8'."
                    )
                }
                guard
                    let lock = try db.number(
                        "SELECT hashtextextended('mneme ' || ?::text, 0)", [settings.schema])
                else { throw PGFailure.connectionLost("an answer is missing") }
                try db.sync()
                guard try !isCurrent(db, settings.schema) else { return lock }
                try db.run("BEGIN")
                try db.run("SELECT pg_advisory_xact_lock(?)", [lock])
                try migrate(db, settings)
                try db.run("COMMIT")
                try db.sync()
                return lock
            }
        } catch let failure as PGFailure { throw failure.error(settings.name) }
    }

    /// Tells whether all migrations were done, without a lock.
    private static func isCurrent(_ db: PGConnection, _ schema: String) throws -> Bool {
        guard try hasMigrations(db, schema) else { return false }
        let done = try db.texts("SELECT name FROM mneme_migration ORDER BY name COLLATE \"C\"")
        try db.sync()
        return done == migrations.map(\.name).sorted()
    }

    private static func hasMigrations(_ db: PGConnection, _ schema: String) throws -> Bool {
        try db.number(
            "SELECT 1 FROM pg_tables WHERE schemaname = ?::text AND tablename = 'mneme_migration'", [schema])
            != nil
    }

    private static func migrate(_ db: PGConnection, _ settings: PostgresSettings) throws {
        let schema = settings.schema
        if try !hasMigrations(db, schema) {
            let tables =
                try db.number("SELECT count(*) FROM pg_tables WHERE schemaname = ?::text", [schema]) ?? 0
            guard tables == 0 else {
                throw StoreError(
                    .corrupt,
                    "The schema \(schema) of \(settings.name) holds tables of another program. Choose another: ?mneme_schema=NAME."
                )
            }
            if try db.number("SELECT 1 FROM pg_namespace WHERE nspname = ?::text", [schema]) == nil {
                try db.run("CREATE SCHEMA \(schema)", isKept: false)
            }
            try db.run(
                "CREATE TABLE \(schema).mneme_migration (name TEXT PRIMARY KEY, time TIMESTAMPTZ NOT NULL DEFAULT now())",
                isKept: false)
        }
        let done = Set(try db.texts("SELECT name FROM mneme_migration"))
        guard done.isSubset(of: migrations.map(\.name)) else {
            throw StoreError(
                .newerVersion,
                "\(settings.name) was written by a newer Mneme. Update this one.")
        }
        for migration in migrations where !done.contains(migration.name) {
            for statement in migration.sql { try db.run(statement, isKept: false) }
            try db.run("INSERT INTO mneme_migration (name) VALUES (?)", [migration.name], isKept: false)
        }
    }

    /// A column of text.
    private static let text = "TEXT COLLATE \"C\""

    /// The tables of the first version.
    ///
    /// `cube.seq` is the order of first recording, never used twice; `position` the journal entry
    /// that the row equals; `place` its place in the session, from 0; `header` all that is read only
    /// with the whole cube, as JSON; `analysis` the index terms. `vector.version` is that of the text
    /// which was embedded; `counter` counts vectors, as `journal.position` counts changes. `link` and
    /// `journal` name cubes by id, so that they outlive them. `journal.position` is given by the
    /// writer, in the order of commits, without gaps.
    private static let tables = [
        """
        CREATE TABLE owner (
            id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, tenant \(text) NOT NULL, "user" \(text) NOT NULL,
            UNIQUE (tenant, "user"))
        """,
        """
        CREATE TABLE session (
            id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, owner BIGINT NOT NULL REFERENCES owner(id),
            name \(text) NOT NULL, next_place BIGINT NOT NULL DEFAULT 0, UNIQUE (owner, name))
        """,
        """
        CREATE TABLE cube (
            seq BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, id \(text) NOT NULL UNIQUE,
            owner BIGINT NOT NULL REFERENCES owner(id), session BIGINT REFERENCES session(id),
            place BIGINT NOT NULL DEFAULT 0, agent \(text), type \(text) NOT NULL, state \(text) NOT NULL,
            version BIGINT NOT NULL, text \(text) NOT NULL, speaker \(text), event_time DOUBLE PRECISION NOT NULL,
            recorded_time DOUBLE PRECISION NOT NULL, updated_time DOUBLE PRECISION NOT NULL,
            expires DOUBLE PRECISION, priority DOUBLE PRECISION NOT NULL, header \(text) NOT NULL,
            content_hash BYTEA NOT NULL, position BIGINT NOT NULL, analysis BYTEA NOT NULL,
            analyzer \(text) NOT NULL, uses BIGINT NOT NULL DEFAULT 0, last_used DOUBLE PRECISION,
            activation \(text), sensitivity BIGINT NOT NULL DEFAULT 1, valid_until DOUBLE PRECISION)
        """,
        "CREATE INDEX cube_owner ON cube (owner, seq)",
        "CREATE INDEX cube_owner_position ON cube (owner, position)",
        "CREATE INDEX cube_owner_event ON cube (owner, event_time)",
        "CREATE INDEX cube_content ON cube (owner, content_hash)",
        "CREATE INDEX cube_activation ON cube (owner) WHERE activation IS NOT NULL",
        """
        CREATE TABLE vector (
            cube BIGINT PRIMARY KEY REFERENCES cube(seq) ON DELETE CASCADE, owner BIGINT NOT NULL REFERENCES owner(id),
            embedder \(text) NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL, data BYTEA NOT NULL)
        """,
        "ALTER TABLE vector ALTER COLUMN data SET STORAGE EXTERNAL",
        "CREATE INDEX vector_position ON vector (owner, position)",
        "CREATE INDEX vector_embedder ON vector (embedder)",
        """
        CREATE TABLE pending (
            cube BIGINT PRIMARY KEY REFERENCES cube(seq) ON DELETE CASCADE, owner BIGINT NOT NULL REFERENCES owner(id))
        """,
        """
        CREATE TABLE link (
            owner BIGINT NOT NULL REFERENCES owner(id), source \(text) NOT NULL, target \(text) NOT NULL,
            kind \(text) NOT NULL, time DOUBLE PRECISION NOT NULL, PRIMARY KEY (source, target, kind))
        """,
        "CREATE INDEX link_target ON link (target)", "CREATE INDEX link_owner ON link (owner, time)",
        """
        CREATE TABLE journal (
            position BIGINT PRIMARY KEY, owner BIGINT NOT NULL REFERENCES owner(id), time DOUBLE PRECISION NOT NULL,
            operation \(text) NOT NULL, cube \(text) NOT NULL, version BIGINT NOT NULL, principal \(text) NOT NULL,
            reason \(text), payload \(text), salt BYTEA, digest BYTEA, target \(text))
        """,
        "CREATE INDEX journal_cube ON journal (cube)",
        "CREATE INDEX journal_owner ON journal (owner, position)",
        "CREATE INDEX journal_target ON journal (target) WHERE target IS NOT NULL",
        """
        CREATE TABLE idempotency (
            owner BIGINT NOT NULL REFERENCES owner(id), key \(text) NOT NULL, request BYTEA NOT NULL,
            cubes \(text) NOT NULL, time DOUBLE PRECISION NOT NULL, PRIMARY KEY (owner, key))
        """,
        "CREATE TABLE counter (name \(text) PRIMARY KEY, value BIGINT NOT NULL)",
        "INSERT INTO counter VALUES ('vector', 0)",
        """
        CREATE TABLE access_grant (
            id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, owner BIGINT NOT NULL REFERENCES owner(id),
            cube \(text), grantee \(text) NOT NULL, permissions \(text) NOT NULL, up_to BIGINT NOT NULL,
            created DOUBLE PRECISION NOT NULL, grantor \(text) NOT NULL, expires DOUBLE PRECISION)
        """,
        "CREATE INDEX access_grant_owner ON access_grant (owner, grantee)",
        "CREATE INDEX access_grant_cube ON access_grant (cube) WHERE cube IS NOT NULL",
        """
        CREATE TABLE audit (
            position BIGINT PRIMARY KEY, time DOUBLE PRECISION NOT NULL, principal \(text) NOT NULL,
            operation \(text) NOT NULL, tenant \(text), "user" \(text), outcome \(text) NOT NULL, cubes BYTEA,
            count BIGINT NOT NULL, reason \(text), request \(text), detail \(text), journal_first BIGINT,
            journal_last BIGINT, digest BYTEA, hash BYTEA NOT NULL)
        """,
        """
        CREATE TABLE audit_checkpoint (
            position BIGINT NOT NULL, hash BYTEA NOT NULL, time DOUBLE PRECISION NOT NULL, key BYTEA NOT NULL,
            signature BYTEA NOT NULL, PRIMARY KEY (position, key))
        """,
        """
        CREATE TABLE audit_base (
            position BIGINT PRIMARY KEY, hash BYTEA NOT NULL, journal BIGINT NOT NULL, written BIGINT NOT NULL,
            digest BYTEA NOT NULL, time DOUBLE PRECISION NOT NULL, key BYTEA NOT NULL, signature BYTEA NOT NULL)
        """,
        """
        CREATE TABLE claim (
            owner BIGINT NOT NULL REFERENCES owner(id), key \(text) NOT NULL,
            cube BIGINT NOT NULL REFERENCES cube(seq) ON DELETE CASCADE, subject \(text) NOT NULL,
            attribute \(text) NOT NULL, value \(text) NOT NULL, denied BOOLEAN NOT NULL, PRIMARY KEY (owner, key, cube))
        """,
        "CREATE INDEX claim_cube ON claim (cube)",
        """
        CREATE TABLE job (
            id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, kind \(text) NOT NULL, tenant \(text), "user" \(text),
            arguments \(text) NOT NULL, priority BIGINT NOT NULL, state \(text) NOT NULL, attempts BIGINT NOT NULL,
            maximum_attempts BIGINT NOT NULL, created DOUBLE PRECISION NOT NULL, due DOUBLE PRECISION NOT NULL,
            started DOUBLE PRECISION, finished DOUBLE PRECISION, worker \(text), lease_end DOUBLE PRECISION,
            message \(text), schedule \(text))
        """,
        "CREATE INDEX job_state ON job (state, due)",
        """
        CREATE TABLE schedule (
            name \(text) PRIMARY KEY, cron \(text) NOT NULL, job \(text) NOT NULL, last DOUBLE PRECISION NOT NULL)
        """,
        "CREATE TABLE policy (tenant \(text) PRIMARY KEY, body \(text) NOT NULL)",
        """
        CREATE TABLE progress (
            owner BIGINT NOT NULL REFERENCES owner(id), work \(text) NOT NULL, seq BIGINT NOT NULL,
            PRIMARY KEY (owner, work))
        """,
        """
        CREATE TABLE export (
            owner BIGINT NOT NULL REFERENCES owner(id), kind \(text) NOT NULL, place \(text) NOT NULL,
            time DOUBLE PRECISION NOT NULL, principal \(text) NOT NULL, position BIGINT NOT NULL,
            PRIMARY KEY (owner, kind, place))
        """,
    ]

    /// Tables whose rows belong to an owner.
    static let owned = [
        "session", "cube", "vector", "pending", "link", "journal", "idempotency", "access_grant", "claim",
        "progress", "export",
    ]

    /// Row-level security: a transaction names the owner whose rows it reads and writes, or `*`.
    private static let policies = owned.flatMap { table in
        [
            "ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY", "ALTER TABLE \(table) FORCE ROW LEVEL SECURITY",
            """
            CREATE POLICY one_owner ON \(table)
                USING ((SELECT current_setting('mneme.owner', true)) IN ('*', owner::text))
            """,
        ]
    }
}
