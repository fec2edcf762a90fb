import MnemeStore

/// A step of the schema, and which programs may work on beside it.
///
/// Programs of two versions may serve one store while servers are replaced one after the other. A
/// step that only adds what older programs can leave alone is done beside them. One that changes
/// what they use is done when none holds a lease; they are then refused when they open the store, and
/// when they write to it.
package struct PostgresMigration: Sendable {
    /// Its place among the steps, from 1 on without gaps.
    package var number: Int
    /// Its statements.
    package var sql: [String]
    /// The newest step that a program must know to work once this one is done. The step itself, if
    /// it changes tables that programs before it use; an earlier one, if it only adds to them.
    package var leastKnown: Int

    /// A step; one that older programs cannot work with, where nothing else is said.
    package init(_ number: Int, _ sql: [String], leastKnown: Int? = nil) {
        self.number = number
        self.sql = sql
        self.leastKnown = leastKnown ?? number
    }
}

/// Brings a schema up to date with the steps that this program knows.
struct PostgresMigrator {
    let settings: PostgresSettings
    /// The steps that this program knows.
    let migrations: [PostgresMigration]

    /// The newest step that this program knows.
    var known: Int { migrations.last?.number ?? 0 }

    /// Makes the schema and its tables, or brings them up to date. Several processes may be the
    /// first.
    ///
    /// - Returns: the advisory lock of the store's writers.
    /// - Throws: ``StoreError``: `newerVersion` if a program that knows more has made steps which this
    ///   one cannot work with, `conflict` if older servers hold leases and a step cannot be made
    ///   beside them.
    func prepare(_ pool: PGPool) throws -> Int64 {
        do {
            return try pool.lend { db in
                try PGConnection.requireVersion(db.version, settings.name)
                if db.isPooled { try PGPooler.check(db) }
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
                guard try !isCurrent(db) else { return lock }
                try db.run("BEGIN")
                try db.run("SELECT pg_advisory_xact_lock(?)", [lock])
                try migrate(db)
                try db.run("COMMIT")
                try db.sync()
                return lock
            }
        } catch let failure as PGFailure { throw failure.error(settings.name) }
    }

    /// Finds or makes what vectors are compared by, see ``PGHalves/prepare(_:lock:)``.
    ///
    /// - Throws: ``StoreError``.
    func prepareHalves(_ pool: PGPool, lock: Int64) throws -> PGHalves? {
        do { return try pool.lend { try PGHalves.prepare($0, lock: lock) } } catch let failure as PGFailure {
            throw failure.error(settings.name)
        }
    }

    /// Tells whether all steps are done, without a lock.
    ///
    /// - Throws: ``StoreError`` if there are steps that this program cannot work with.
    private func isCurrent(_ db: PGConnection) throws -> Bool {
        guard try hasMigrations(db) else { return false }
        let done = try doneSteps(db)
        try db.sync()
        return migrations.allSatisfy { done.contains("\($0.number)") }
    }

    private func hasMigrations(_ db: PGConnection) throws -> Bool {
        try db.number(
            "SELECT 1 FROM pg_tables WHERE schemaname = ?::text AND tablename = 'mneme_migration'",
            [settings.schema]) != nil
    }

    /// The names of the steps that are done.
    ///
    /// - Throws: ``StoreError`` for one that this program does not know, unless it says that programs
    ///   like this one may go on.
    private func doneSteps(_ db: PGConnection) throws -> Set<String> {
        // The first version's table has no column of that name.
        let rows = try db.rows(
            "SELECT name, (to_jsonb(step) ->> 'least_known')::bigint AS least_known FROM mneme_migration AS step")
        let names = Set(migrations.map { "\($0.number)" })
        return Set(
            try rows.map { row in
                let name: String = try row.value("name")
                let least = try row.integer("least_known")
                guard names.contains(name) || least.map({ $0 <= known }) ?? false else {
                    throw Self.newer(settings.name)
                }
                return name
            })
    }

    /// The error for a store that this program is too old for.
    static func newer(_ name: String) -> StoreError {
        StoreError(.newerVersion, "\(name) was written by a newer Mneme. Update this one.")
    }

    private func migrate(_ db: PGConnection) throws {
        let schema = settings.schema
        if try !hasMigrations(db) {
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
        // Of two that wait for the lock, the second finds the first one's steps.
        let done = try doneSteps(db)
        try db.run("ALTER TABLE mneme_migration ADD COLUMN IF NOT EXISTS least_known BIGINT", isKept: false)
        for migration in migrations where !done.contains("\(migration.number)") {
            try requireNoServer(below: migration.leastKnown, db)
            for statement in migration.sql { try db.run(statement, isKept: false) }
            try db.run(
                "INSERT INTO mneme_migration (name, least_known) VALUES (?, ?)",
                ["\(migration.number)", migration.leastKnown], isKept: false)
        }
    }

    /// - Throws: ``StoreError`` that names the servers which know less than a step wants them to.
    private func requireNoServer(below least: Int, _ db: PGConnection) throws {
        guard
            try db.number(
                "SELECT 1 FROM pg_tables WHERE schemaname = ?::text AND tablename = 'server'", [settings.schema])
                != nil
        else { return }
        let older = try db.texts(
            """
            SELECT coalesce(url, id) || ' (' || version || ')' FROM server
            WHERE expires > clock_timestamp() AND schema_version < ? ORDER BY 1
            """, [least])
        guard older.isEmpty else {
            throw StoreError(
                .conflict,
                "This Mneme changes tables of \(settings.name) that older servers use: "
                    + older.map { TextRules.whole($0) }.joined(separator: ", ")
                    + ". Stop them, and start this one again; a server that has died counts for "
                    + "\(Int(PGListener.lease)) s.")
        }
    }
}
