import CLibPQ
import Crypto
import Foundation
import MnemeStore

/// A connection to the database, in libpq's pipeline mode: statements whose answers nobody waits for
/// are sent one behind the other, and their answers are read with those of the next that is asked
/// for (PostgreSQL documentation, 32.5 "Pipeline Mode"). One thread uses it at a time.
///
/// The socket does not block. Waiting is `poll` with an end, so that a half-open connection becomes
/// an error: where no byte comes for some seconds, another connection asks what the database does,
/// see ``Silence``. Callers are threads of the stores' work queues, never Swift's cooperative ones.
package final class PGConnection {
    let settings: PostgresSettings
    let handle: OpaquePointer
    /// The process of the database that serves this connection; nil while it is set up, and behind a
    /// pooler, where it may be another for each transaction.
    private var backend: PGBackend?
    /// True if a pooler stands between this process and the database.
    private(set) var isPooled = false
    /// True once it is set up.
    private var isReady = false
    /// True if nothing was sent since the last end of the pipeline.
    private var isAtStart = true
    /// What answers will come for, in order.
    private var pending: [Pending] = []
    /// Names of prepared statements, by their SQL.
    private var prepared: [String: String] = [:]
    /// How often all were dropped: their names are new then.
    private var generation = 0
    /// How many cursors there were: names are not used twice.
    private var cursorCount = 0
    /// The failure of a statement whose answer was read while nobody asked for it.
    private var failure: PGFailure?
    /// True once an answer told that another connection is needed, though this one stands.
    private var isUsedUp = false
    /// The last use, for connections that wait in the pool.
    var lastUse = ContinuousClock.now
    /// The age at which the plans of prepared statements are made anew, and when that is.
    private var planAge = Duration.seconds(10), plansEnd = ContinuousClock.now + .seconds(10)

    /// An answer that is due.
    private enum Pending {
        /// A statement was prepared.
        case prepare(sql: String)
        /// A statement was run.
        case run
    }

    /// Statements whose answers are not read yet at most: both sides have bounded buffers.
    private static let window = 256
    /// Prepared statements of a connection at most; all are dropped then.
    private static let preparedLimit = 400

    /// Connects, and names the schema and the bounds of time.
    ///
    /// - Throws: ``PGFailure``.
    package init(_ settings: PostgresSettings) throws {
        self.settings = settings
        // What stands before the URL can be set by it; what stands behind cannot. Of several servers
        // one takes writes; the time-out is each one's.
        let options: [(String, String)] = [
            ("connect_timeout", String(max(2, Int(settings.connectTimeout) / settings.hosts))),
            ("target_session_attrs", "read-write"),
            ("fallback_application_name", "mneme"), ("keepalives_idle", "15"),
            ("keepalives_interval", "5"), ("keepalives_count", "3"), ("tcp_user_timeout", "30000"),
            ("dbname", settings.url), ("client_encoding", "UTF8"),
        ]
        let keys = options.map { strdup($0.0) }
        let values = options.map { strdup($0.1) }
        defer { for text in keys + values { free(text) } }
        // libpq waits here by itself, as it alone can go on to the next server of a list.
        let opened = PQconnectdbParams(
            keys.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
        guard let opened else { throw PGFailure.connectionLost("there is no memory for a connection") }
        handle = opened
        guard PQstatus(handle) == CONNECTION_OK else { throw refusedLogin() }
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            throw PGFailure.connectionLost(message)
        }
        let asked = ContinuousClock.now
        let own = try first(PGBackend.own)
        if let time = try own?.real("time") { settings.clock.learn(time, asked: asked) }
        try sync()
        let process = try PGBackend(own)
        // A pooler gives its clients numbers of its own to cancel by.
        isPooled = Int64(PQbackendPID(handle)) != process.number
        if !isPooled {
            let session = PGSession(settings, isLocal: false)
            try run(session.sql, session.arguments)
            try sync()
            backend = process
        }
        isReady = true
    }

    deinit { PQfinish(handle) }

    /// libpq's last message.
    private var message: String { String(cString: PQerrorMessage(handle)) }

    /// Why a connection was not made. A wrong password passes no more the second time; that there is
    /// no primary may pass, as a standby may be about to take over.
    private func refusedLogin() -> PGFailure {
        let text = message
        // What libpq says of servers that answer and are not wanted (target_session_attrs), a line for
        // each server of the list.
        let unwanted = ["session is read-only", "server is in hot standby mode"]
        if let line = text.split(whereSeparator: \.isNewline).last(where: { line in
            unwanted.contains { line.contains($0) }
        }) {
            return .readOnly(String(line))
        }
        let isFinal =
            PQconnectionNeedsPassword(handle) == 1 || PQconnectionUsedPassword(handle) == 1
            || text.contains("does not exist") || text.contains("authentication")
        return isFinal
            ? .refused(state: "28000", message: text) : .connectionLost(text)
    }

    /// The process of the database that serves this connection now.
    func process() throws -> Int64? {
        let process = try number("SELECT pg_backend_pid()")
        try sync()
        return process
    }

    /// The database's version, such as 150004; as a pooler tells it, if there is one.
    var version: Int { Int(PQserverVersion(handle)) }
    /// The least version of PostgreSQL.
    private static let leastVersion = 14

    /// - Throws: `StoreError` for a database that is too old.
    package static func requireVersion(_ version: Int, _ name: String) throws {
        guard version >= leastVersion * 10_000 else {
            throw StoreError(
                .unavailable,
                "\(name) is PostgreSQL \(version / 10_000). Mneme needs \(leastVersion) or later.")
        }
    }

    /// True if the connection can be used again: nothing is under way, and the other side has not
    /// closed it.
    var isSound: Bool {
        guard PQstatus(handle) == CONNECTION_OK, !isUsedUp, pending.isEmpty, failure == nil,
            PQtransactionStatus(handle) == PQTRANS_IDLE
        else { return false }
        var look = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        // What can be read from a connection that waits is its end, or a notice of it.
        guard poll(&look, 1, 0) == 0 || PQconsumeInput(handle) == 1 else { return false }
        return PQstatus(handle) == CONNECTION_OK
    }

    // MARK: Plans

    /// The greatest age of plans.
    private static let longestPlanAge = Duration.seconds(60)

    /// Has plans made anew that are old: they were made once for all values (``PGSession``), for tables
    /// as large as they were then. At first soon, as tables grow from nothing; then once a minute.
    ///
    /// - Returns: false if the connection is lost.
    func renewPlans() -> Bool {
        guard !isPooled, .now >= plansEnd else { return true }
        planAge = min(planAge * 2, Self.longestPlanAge)
        plansEnd = .now + planAge
        do {
            try run("DISCARD PLANS", isKept: false)
            try sync()
            return true
        } catch { return false }
    }

    // MARK: Statements

    /// Sends a statement. Its answer is read later: an error shows with the next answer that is
    /// waited for, at the latest at the end of the transaction.
    package func run(_ sql: String, _ arguments: PGArguments = [], isKept: Bool = true) throws {
        if pending.count >= Self.window { _ = try receive() }
        try send(sql, arguments, isKept: isKept)
    }

    /// Runs a statement, and waits for its answer.
    ///
    /// - Parameter isKept: the statement is prepared, and run again by its name; false for one that
    ///   was put together for this call.
    func query(_ sql: String, _ arguments: PGArguments = [], isKept: Bool = true) throws -> PGResult {
        try send(sql, arguments, isKept: isKept)
        guard let result = try receive() else {
            throw PGFailure.connectionLost("an answer is missing")
        }
        return result
    }

    /// The rows of a statement.
    func rows(_ sql: String, _ arguments: PGArguments = []) throws -> [PGRow] {
        try query(sql, arguments).rows
    }
    /// The first row of a statement; nil if there is none.
    func first(_ sql: String, _ arguments: PGArguments = []) throws -> PGRow? {
        try rows(sql, arguments).first
    }
    /// The number in the first row and column; nil if there is none.
    func number(_ sql: String, _ arguments: PGArguments = []) throws -> Int64? {
        try first(sql, arguments)?.integer(at: 0)
    }
    /// The first column of all rows.
    package func texts(_ sql: String, _ arguments: PGArguments = []) throws -> [String] {
        try rows(sql, arguments).compactMap { try $0.text(at: 0) }
    }
    /// Runs a statement, and counts the rows that it touched.
    package func changes(_ sql: String, _ arguments: PGArguments = []) throws -> Int {
        try query(sql, arguments).changes
    }

    /// Hands the rows of a statement over in pieces, as memory has no room for all; in a
    /// transaction.
    ///
    /// - Parameter body: returns false to end.
    func forEach(_ sql: String, _ arguments: PGArguments, _ body: (PGRow) throws -> Bool) throws {
        cursorCount += 1
        let name = "c\(cursorCount)"
        try run("DECLARE \(name) NO SCROLL CURSOR FOR " + sql, arguments, isKept: false)
        pages: while true {
            let rows = try query("FETCH 1000 FROM \(name)", isKept: false).rows
            for row in rows where try !body(row) { break pages }
            if rows.count < 1_000 { break }
        }
        try run("CLOSE \(name)", isKept: false)
    }

    /// Sends a statement; behind a pooler, what a session has with the first of each transaction.
    private func send(_ sql: String, _ arguments: PGArguments, isKept: Bool) throws {
        guard isPooled, isAtStart, PQtransactionStatus(handle) == PQTRANS_IDLE, PGPooler.needsSettings(sql)
        else { return try transmit(sql, arguments, isKept: isKept) }
        // The isolation of a transaction can be named before its first statement only.
        let begins = sql.hasPrefix("BEGIN")
        if begins { try transmit(sql, arguments, isKept: isKept) }
        let session = PGSession(settings, isLocal: true)
        try transmit(session.sql, session.arguments, isKept: true)
        if !begins { try transmit(sql, arguments, isKept: isKept) }
    }

    private func transmit(_ sql: String, _ arguments: PGArguments, isKept: Bool) throws {
        isAtStart = false
        let values = arguments.map { $0?.encoded }
        let name: String? = isKept ? try prepare(sql) : nil
        let sent = withParameters(values) { pointers, lengths, formats -> Int32 in
            let count = Int32(values.count)
            guard let name else {
                return PQsendQueryParams(
                    handle, Self.numbered(sql), count, nil, pointers, lengths, formats, 1)
            }
            return PQsendQueryPrepared(handle, name, count, pointers, lengths, formats, 1)
        }
        guard sent == 1 else { throw PGFailure.connectionLost(message) }
        pending.append(.run)
    }

    /// The name of a prepared statement; it is sent for preparation where it is new.
    ///
    /// The same statement has the same name on all connections: behind a pooler that mixes up those of
    /// its clients nothing else is run by mistake, and the database says what is wrong
    /// (``PGFailure/error(_:)``).
    private func prepare(_ sql: String) throws -> String {
        if let name = prepared[sql] { return name }
        if prepared.count >= Self.preparedLimit {
            try run("DEALLOCATE ALL", isKept: false)
            prepared = [:]
            generation += 1
        }
        let digest = SHA256.hash(data: Data(sql.utf8)).prefix(16)
        let name = "mneme_\(generation)_" + Data(digest).base64EncodedString()
        guard PQsendPrepare(handle, name, Self.numbered(sql), 0, nil) == 1 else {
            throw PGFailure.connectionLost(message)
        }
        pending.append(.prepare(sql: sql))
        prepared[sql] = name
        return name
    }

    /// Parameters as libpq takes them: three arrays.
    private func withParameters(
        _ values: [PGParameter?],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Int32
    ) -> Int32 {
        let lengths = values.map { Int32($0?.bytes.count ?? 0) }
        let formats = values.map { Int32($0?.isBinary ?? true ? 1 : 0) }
        // One buffer for all; each ends with a zero, as texts do.
        var buffer: [UInt8] = []
        let starts = values.map { value -> Int? in
            guard let value else { return nil }
            defer {
                buffer += value.bytes
                buffer.append(0)
            }
            return buffer.count
        }
        return buffer.withUnsafeBytes { bytes in
            let base = bytes.bindMemory(to: CChar.self).baseAddress
            return body(starts.map { start in start.map { base! + $0 } }, lengths, formats)
        }
    }

    /// SQL with `$1`, `$2` in place of question marks: the form that PostgreSQL numbers parameters
    /// in. None of the store's statements has one in a text.
    private static func numbered(_ sql: String) -> String {
        var number = 0
        var result = ""
        for character in sql.utf8.split(separator: UInt8(ascii: "?"), omittingEmptySubsequences: false) {
            if number > 0 { result += "$\(number)" }
            result += String(Substring(character))
            number += 1
        }
        return result
    }

    // MARK: Answers

    /// Reads all answers that are due.
    ///
    /// - Returns: the last one's result.
    /// - Throws: ``PGFailure`` of the first statement that failed; those behind it were not run.
    private func receive() throws -> PGResult? { try receive(last: 1).last }

    /// As ``receive()``, with the results of the last statements, in their order.
    private func receive(last count: Int) throws -> [PGResult] {
        guard PQsendFlushRequest(handle) == 1 else { throw PGFailure.connectionLost(message) }
        let results = try answers(last: count)
        if failure != nil { try sync() }
        return results
    }

    /// Reads all answers that are due, once the other side has been asked to send them; keeps the
    /// first failure in ``failure``.
    ///
    /// - Returns: the results of the last statements; fewer where one has failed.
    private func answers(last count: Int) throws -> [PGResult] {
        var results: [PGResult] = []
        while !pending.isEmpty {
            let expected = pending.removeFirst()
            while let result = try next() {
                let status = PQresultStatus(result)
                switch (status, expected) {
                case (PGRES_COMMAND_OK, .run), (PGRES_TUPLES_OK, .run):
                    results.append(PGResult(result))
                    if results.count > count { results.removeFirst() }
                case (PGRES_COMMAND_OK, .prepare): PQclear(result)
                default:
                    if status != PGRES_PIPELINE_ABORTED, failure == nil {
                        let first = PGFailure(result)
                        failure = first
                        isUsedUp = isUsedUp || first.isLoss
                    }
                    if case .prepare(let sql) = expected { prepared[sql] = nil }
                    PQclear(result)
                }
            }
        }
        return results
    }

    /// Runs statements as one transaction, with one way to the database and back: all are sent, and
    /// their end with them, before anything is read.
    ///
    /// - Returns: the rows of the last one.
    /// - Throws: ``PGFailure`` of the first statement that failed; none has any effect then.
    func together(_ statements: [(sql: String, arguments: PGArguments)]) throws -> [PGRow] {
        try together(statements, last: 1).last ?? []
    }

    /// As ``together(_:)``, with the rows of the last statements, in their order. What was sent and not
    /// waited for before is of the same transaction.
    func together(_ statements: [(sql: String, arguments: PGArguments)], last count: Int) throws -> [[PGRow]] {
        for statement in statements { try send(statement.sql, statement.arguments, isKept: true) }
        guard PQpipelineSync(handle) == 1 else { throw PGFailure.connectionLost(message) }
        let results = try answers(last: count)
        try awaitSync()
        return results.map(\.rows)
    }

    /// Sends statements one behind the other, and waits for all their answers at once; the transaction
    /// goes on.
    ///
    /// - Returns: the rows of each.
    /// - Throws: ``PGFailure`` of the first statement that failed; those behind it were not run.
    func each(_ statements: [(sql: String, arguments: PGArguments)]) throws -> [[PGRow]] {
        for statement in statements { try send(statement.sql, statement.arguments, isKept: true) }
        let results = try receive(last: statements.count)
        guard results.count == statements.count else { throw PGFailure.connectionLost("an answer is missing") }
        return results.map(\.rows)
    }

    /// Ends the pipeline, reads all that is due, and makes the connection ready for more, also after
    /// an error: one way to the database and back.
    ///
    /// - Throws: ``PGFailure`` of the first statement that failed.
    package func sync() throws {
        guard PQpipelineSync(handle) == 1 else { throw PGFailure.connectionLost(message) }
        _ = try answers(last: 0)
        try awaitSync()
    }

    /// Reads up to the pipeline's end, which was sent.
    ///
    /// - Throws: ``PGFailure`` of the first statement that failed.
    private func awaitSync() throws {
        var isSynced = false
        while !isSynced {
            guard let result = try next() else { continue }
            isSynced = PQresultStatus(result) == PGRES_PIPELINE_SYNC
            PQclear(result)
        }
        isAtStart = true
        if let failure {
            self.failure = nil
            throw failure
        }
    }

    /// The next result; nil at the end of a statement's.
    private func next() throws -> OpaquePointer? {
        let end = ContinuousClock.now + .seconds(patience)
        var silence = Silence(settings, backend)
        while true {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw lost() }
            if unsent == 0, PQisBusy(handle) == 0 { break }
            guard try isReady(for: unsent == 1 ? POLLIN | POLLOUT : POLLIN, until: min(end, silence.end)) else {
                do {
                    guard ContinuousClock.now < end else { throw PGFailure.silent }
                    if try silence.isBroken() {
                        throw PGFailure.connectionLost("the connection was silent, and nothing ran behind it")
                    }
                } catch {
                    // Nobody waits for this one again: what is tried on it fails at once.
                    shutdown(PQsocket(handle), Int32(SHUT_RDWR))
                    pending = []
                    throw error
                }
                continue
            }
            silence.heard()
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
        let result = PQgetResult(handle)
        guard result != nil || PQstatus(handle) == CONNECTION_OK else { throw lost() }
        return result
    }

    /// Seconds that an answer is waited for: the database itself gives up before.
    var patience: Double {
        guard isReady else { return settings.connectTimeout }
        return isPatient ? 7 * 86_400 : settings.statementTimeout + 10
    }
    /// True while a statement runs that takes as long as it takes.
    var isPatient = false

    func lost() -> PGFailure {
        pending = []
        return .connectionLost(message)
    }

    /// Waits until the socket can be read or written; false if it cannot by then.
    private func isReady(for events: Int32, until end: ContinuousClock.Instant) throws -> Bool {
        var look = pollfd(fd: PQsocket(handle), events: Int16(events), revents: 0)
        while true {
            let left = (end - .now).components
            let milliseconds = left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { return false }
            let ready = poll(&look, 1, Int32(min(milliseconds + 1, 60_000)))
            if ready > 0 { return true }
            guard ready == 0 || errno == EINTR else {
                throw PGFailure.connectionLost(String(cString: strerror(errno)))
            }
        }
    }
}
