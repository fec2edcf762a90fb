import MnemeStore

/// What holds for the statements of a connection: where the tables are, bounds of time, and that what
/// is acknowledged lies on the disk.
///
/// Behind a pooler each transaction may be given another process of the database, and what was set for
/// a session stays with the former one (PgBouncer, "SQL feature map for pooling modes"). There each
/// transaction sets it for itself.
struct PGSession {
    /// One statement, and its parameters.
    let sql: String, arguments: PGArguments

    /// - Parameter isLocal: for one transaction alone.
    init(_ settings: PostgresSettings, isLocal: Bool) {
        let milliseconds = { (seconds: Double) in String(Int(seconds * 1_000)) }
        var values: [(name: String, value: String)] = [
            ("search_path", settings.schema), ("lock_timeout", milliseconds(settings.lockTimeout)),
            ("statement_timeout", milliseconds(settings.statementTimeout)),
            // A server of ours that hangs within a transaction must not keep the others from writing
            // for longer than this.
            ("idle_in_transaction_session_timeout", milliseconds(2 * settings.lockTimeout)),
        ]
        if !isLocal {
            // The database, too, finds out that nobody is there any more. A pooler's connections to it
            // are the pooler's own affair.
            values += [
                ("tcp_keepalives_idle", "15"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "30000"),
                // A plan for all values: to plan each of the store's short statements anew for its values
                // takes longer than to run it. Plans are made anew now and then, which a pooler's
                // connections cannot be asked for.
                ("plan_cache_mode", "force_generic_plan"),
            ]
        }
        let each = values.map { _ in "set_config(?, ?, \(isLocal))" }.joined(separator: ", ")
        // What is acknowledged is on the disk, whatever the database's own default is.
        sql = """
            SELECT \(each), CASE WHEN current_setting('synchronous_commit') = 'off'
                THEN set_config('synchronous_commit', 'on', \(isLocal)) END
            """
        arguments = values.flatMap { [$0.name, $0.value] }
    }
}

/// A pooler between this process and the database.
enum PGPooler {
    /// Statements that no other may stand before in their transaction.
    private static let alone = ["ROLLBACK", "VACUUM", "LISTEN"]

    /// Tells whether a transaction that begins with a statement needs what a session has.
    static func needsSettings(_ sql: String) -> Bool { !alone.contains { sql.hasPrefix($0) } }

    /// Refuses a pooler that the store cannot work behind, before anything is written.
    ///
    /// - Throws: `StoreError`, ``PGFailure``.
    static func check(_ db: PGConnection) throws {
        _ = try lendsByTransaction(db)
        do {
            // Left open for a moment, which a pooler that lends by the statement ends the connection for.
            for statement in ["BEGIN", "ROLLBACK"] {
                try db.run(statement)
                try db.sync()
            }
        } catch PGFailure.connectionLost {
            throw StoreError(
                .unavailable,
                "\(db.settings.name) is reached through a pooler that allows no transactions. "
                    + "Set its pool_mode to session or transaction.")
        }
    }

    /// Tells whether it lends a process of the database for a transaction alone: another connection
    /// is then served by the one that served this connection last. Where others keep the pooler busy,
    /// this can be missed.
    ///
    /// - Throws: ``PGFailure``, also where prepared statements are not kept: the second connection finds
    ///   those of the first under the same names.
    static func lendsByTransaction(_ db: PGConnection) throws -> Bool {
        let own = try db.process()
        do { return try PGConnection(db.settings).process() == own } catch PGFailure.silent {
            throw PGFailure.refused(
                state: "53300", message: "the pooler lends no second connection, as its default_pool_size is in use")
        }
    }
}
