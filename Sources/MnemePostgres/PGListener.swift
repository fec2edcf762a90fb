import Foundation
import MnemeStore

/// A connection of its own on which this process hears what others commit, and by which it keeps its
/// server's lease: one thread.
///
/// A connection that is lost is made anew, after a pause that doubles up to ``longestPause``; until
/// then, and once it stands again, followers are told that anything may have changed. So they are
/// when half a minute has passed without it, and every five seconds behind a pooler that lends
/// connections by the transaction, where no notices come.
final class PGListener: Sendable {
    /// Seconds that a server counts as alive after it was last heard of.
    static let lease = 30.0
    /// Seconds between two signs of life; each also finds out whether the connection still stands.
    private static let heartbeat = 5.0
    /// Seconds between two attempts to connect, at most.
    private static let longestPause = 5.0
    /// Seconds after which followers look by themselves.
    private static let lookAnyway = 30.0
    /// Seconds within which the thread sees that it is to end.
    private static let slice = 0.2

    private let settings: PostgresSettings
    private let notices: PGNotices
    private let handler: @Sendable (StoreNotice) -> Void
    private let state = State()

    /// What other threads see. Guarded by the condition.
    private final class State: @unchecked Sendable {
        let condition = NSCondition()
        var isStopped = false, hasEnded = false, isListening = false
        /// The server whose lease is kept, and the newest step of the schema that it knows.
        var member: (server: ServerIdentity, known: Int)?

        func with<T>(_ body: (State) -> T) -> T {
            condition.lock()
            defer { condition.unlock() }
            return body(self)
        }
    }

    /// - Parameter handler: called on the listener's thread.
    init(
        _ settings: PostgresSettings, _ notices: PGNotices,
        _ handler: @escaping @Sendable (StoreNotice) -> Void
    ) {
        var settings = settings
        // A connection that hangs is given up while the lease still holds.
        settings.statementTimeout = min(settings.statementTimeout, 5)
        settings.connectTimeout = min(settings.connectTimeout, 5)
        self.settings = settings
        self.notices = notices
        self.handler = handler
    }

    /// True while the connection stands.
    var isListening: Bool { state.with(\.isListening) }

    /// Begins to listen. Called once.
    func start() {
        let thread = Thread { [self] in
            run()
            state.with {
                $0.hasEnded = true
                $0.condition.broadcast()
            }
        }
        thread.name = "mneme.listener"
        thread.start()
    }

    /// Renews a server's lease from now on.
    func keep(_ server: ServerIdentity, known: Int) { state.with { $0.member = (server, known) } }

    /// Ends the thread, which gives the lease back if it can; returns when it has ended.
    func stop() {
        state.with {
            $0.isStopped = true
            while !$0.hasEnded { $0.condition.wait() }
        }
    }

    private var isStopped: Bool { state.with(\.isStopped) }

    private func run() {
        var pause = 0.2
        while !isStopped {
            if let db = try? PGConnection(settings) {
                do {
                    // Who is lent another process for each transaction hears nothing, and would leave the
                    // process that heard for it to somebody else.
                    let process = try db.isPooled && PGPooler.lendsByTransaction(db) ? nil : db.process()
                    if process != nil {
                        try db.run("LISTEN \(notices.channel)", isKept: false)
                        try db.sync()
                    }
                    pause = 0.2
                    state.with { $0.isListening = process != nil }
                    try follow(db, process)
                } catch {
                    // Lost, or refused: the loop comes again. Whoever calls the store learns why.
                }
                state.with { $0.isListening = false }
            }
            let end = ContinuousClock.now + .seconds(pause * .random(in: 0.5...1))
            while !isStopped, .now < end { Thread.sleep(forTimeInterval: min(Self.slice, pause)) }
            if !isStopped { handler(.everything) }
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// Hands on what is heard, until the connection is lost or the listener stopped.
    ///
    /// - Parameter process: that of the database which hears for this connection; nil if none does.
    private func follow(_ db: PGConnection, _ process: Int64?) throws {
        // What was committed before the listening began is caught up with now.
        handler(.everything)
        var owners: [Int64: Owner] = [:]
        // By a clock that nobody sets: a lease is kept whatever becomes of the time of day.
        var beat = ContinuousClock.now
        let pause = process == nil ? Self.heartbeat : Self.lookAnyway
        var look = beat + .seconds(pause)
        var beats = 0
        while !isStopped {
            if .now >= beat {
                try renew(db, tidies: beats % 12 == 0)
                // A pooler that was busy at first is found out now.
                if let process, db.isPooled, try db.process() != process {
                    throw PGFailure.connectionLost("another process serves this connection")
                }
                beats += 1
                beat = .now + .seconds(Self.heartbeat)
            }
            if .now >= look {
                handler(.everything)
                look = .now + .seconds(pause)
            }
            // Each once, however often it was heard.
            var known: Set<PGNotices.Heard> = []
            for heard in try db.notices(within: Self.slice).compactMap(notices.read)
            where known.insert(heard).inserted {
                switch heard {
                case .jobs: handler(.jobs)
                case .owner(let id):
                    if owners.count > 10_000 { owners = [:] }
                    if owners[id] == nil { owners[id] = try Self.owner(id, db) }
                    if let owner = owners[id] { handler(.changed(owner)) }
                }
            }
        }
        if let server = state.with(\.member)?.server {
            try db.run("DELETE FROM server WHERE id = ?", [server.id])
            try db.sync()
        }
    }

    private static func owner(_ id: Int64, _ db: PGConnection) throws -> Owner? {
        let row = try db.together([("SELECT tenant, \"user\" AS name FROM owner WHERE id = ?", [id])]).first
        return try row.map { Owner(tenant: try $0.value("tenant"), user: try $0.value("name")) }
    }

    /// Renews the lease, if there is one, and asks for an answer in any case.
    ///
    /// - Parameter tidies: also removes what nobody needs any more.
    private func renew(_ db: PGConnection, tidies: Bool) throws {
        let asked = ContinuousClock.now
        var statements = state.with(\.member).map { [Self.renewal(of: $0.server, known: $0.known)] } ?? []
        statements.append(("SELECT extract(epoch FROM clock_timestamp())::double precision AS time", []))
        if let now = try db.together(statements).first?.real("time") {
            settings.clock.learn(now, asked: asked)
        }
        guard tidies else { return }
        // A bucket that nobody has asked for so long is full.
        _ = try db.together([
            ("DELETE FROM server WHERE expires < clock_timestamp() - interval '1 day'", []),
            ("DELETE FROM request_bucket WHERE time < clock_timestamp() - interval '5 minutes'", []),
        ])
    }

    /// The statement that makes or renews a lease, by the database's clock.
    static func renewal(of server: ServerIdentity, known: Int) -> (sql: String, arguments: PGArguments) {
        (
            """
            INSERT INTO server (id, url, version, schema_version, started, expires)
            VALUES (?, ?, ?, ?, clock_timestamp(), clock_timestamp() + ?::double precision * interval '1 second')
            ON CONFLICT (id) DO UPDATE SET url = excluded.url, expires = excluded.expires
            """, [server.id, server.url, server.version, known, lease]
        )
    }
}
