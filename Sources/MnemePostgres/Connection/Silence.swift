import MnemeStore

/// The process of the database that serves a connection.
struct PGBackend {
    /// Its number, and when it began: numbers are given again.
    let number: Int64, began: String

    /// Asks for the process that answers, and for the database's time.
    static let own = """
        SELECT pid, backend_start::text AS began,
            extract(epoch FROM clock_timestamp())::double precision AS time
        FROM pg_stat_activity WHERE pid = pg_backend_pid()
        """

    /// - Parameter row: the answer to ``own``.
    init(_ row: PGRow?) throws {
        guard let number = try row?.integer("pid"), let began = try row?.text("began") else {
            throw PGFailure.connectionLost("the database does not name its process")
        }
        (self.number, self.began) = (number, began)
    }

    /// True if it works on something: it neither rests nor waits for its client, to whom it would
    /// say what it has, or who would have more to say.
    func isRunning(_ db: PGConnection) throws -> Bool {
        try db.number(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE pid::bigint = ? AND backend_start::text = ? AND state NOT LIKE 'idle%'
                AND wait_event_type IS DISTINCT FROM 'Client'
            """, [number, began]) == 1
    }

    /// Ends it, so that it holds no locks for a client who is gone.
    func end(_ db: PGConnection) throws {
        _ = try db.rows(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid::bigint = ? AND backend_start::text = ?
            """, [number, began])
    }
}

/// A connection from which nothing comes: either the database works on a long statement, or the
/// network lost what was said, without a sign of it to either side.
///
/// Time alone cannot tell the two apart, and the kernel's own checks (keep-alives, user time-outs)
/// see no further than a proxy or a load balancer in between. So another connection asks the
/// database whether the process behind this one runs something. If it does not, and nothing comes
/// for another second either, the connection is broken: the process is ended, whose locks would
/// keep others waiting, and the caller connects anew.
struct Silence {
    private let settings: PostgresSettings
    private let backend: PGBackend?
    /// When the next question is due.
    private(set) var end: ContinuousClock.Instant
    /// True if nothing ran when it was asked last.
    private var wasIdle = false
    /// Seconds that an answer may be under way after the process that gave it rests.
    private static let grace = Duration.seconds(1)

    /// Begins to listen.
    ///
    /// - Parameter backend: nil where there is nobody to ask about; then only the caller's own end
    ///   counts.
    init(_ settings: PostgresSettings, _ backend: PGBackend?) {
        (self.settings, self.backend) = (settings, backend)
        end = .now + .seconds(backend == nil ? settings.connectTimeout : settings.silence)
    }

    /// Something came.
    mutating func heard() {
        wasIdle = false
        end = .now + .seconds(backend == nil ? settings.connectTimeout : settings.silence)
    }

    /// Asks, when the time has come.
    ///
    /// - Returns: true if nothing will come any more.
    /// - Throws: ``PGFailure`` if the database cannot be asked: the network, or it, is gone.
    mutating func isBroken() throws -> Bool {
        guard let backend else {
            heard()
            return false
        }
        // A question about the question's own connection would never end.
        var other = settings
        (other.silence, other.statementTimeout) = (86_400, settings.connectTimeout)
        other.connectTimeout = min(settings.connectTimeout, 5)
        let db: PGConnection
        do { db = try PGConnection(other) } catch PGFailure.refused {
            // It is there, and takes no further connection now: nothing is known.
            heard()
            return false
        }
        if try backend.isRunning(db) {
            heard()
            return false
        }
        guard wasIdle else {
            wasIdle = true
            end = .now + Self.grace
            return false
        }
        try backend.end(db)
        return true
    }
}
