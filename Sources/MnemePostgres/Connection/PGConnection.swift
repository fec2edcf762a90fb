import CLibPQ
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
    /// The process of the database that serves this connection; nil while it is set up.
    private var backend: PGBackend?
    /// What answers will come for, in order.
    private var pending: [Pending] = []
    /// Names of prepared statements, by their SQL.
    private var prepared: [String: String] = [:]
    /// How many were ever prepared: names are not used twice.
    private var preparedCount = 0
    /// The failure of a statement whose answer was read while nobody asked for it.
    private var failure: PGFailure?
    /// The last use, for connections that wait in the pool.
    var lastUse = ContinuousClock.now

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
        // What stands before the URL can be set by it; what stands behind cannot.
        let options: [(String, String)] = [
            ("connect_timeout", String(Int(settings.connectTimeout))),
            ("fallback_application_name", "mneme"), ("keepalives_idle", "15"),
            ("keepalives_interval", "5"), ("keepalives_count", "3"), ("tcp_user_timeout", "30000"),
            ("dbname", settings.url), ("client_encoding", "UTF8"),
        ]
        let keys = options.map { strdup($0.0) }
        let values = options.map { strdup($0.1) }
        defer { for text in keys + values { free(text) } }
        let started = PQconnectStartParams(
            keys.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
        guard let started else { throw PGFailure.connectionLost("there is no memory for a connection") }
        handle = started
        try connect()
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            throw PGFailure.connectionLost(message)
        }
        let milliseconds = { (seconds: Double) in String(Int(seconds * 1_000)) }
        // A server of ours that hangs within a transaction must not keep the others from writing for
        // longer than this.
        for (name, value) in [
            ("search_path", settings.schema), ("lock_timeout", milliseconds(settings.lockTimeout)),
            ("statement_timeout", milliseconds(settings.statementTimeout)),
            ("idle_in_transaction_session_timeout", milliseconds(2 * settings.lockTimeout)),
            // The database, too, finds out that nobody is there any more.
            ("tcp_keepalives_idle", "15"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
        ] { try run("SELECT set_config(?, ?, false)", [name, value]) }
        // What is acknowledged is on the disk, whatever the database's own default is.
        try run(
            """
            SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') = 'off'
            """)
        let own = try first(PGBackend.own)
        try sync()
        backend = try PGBackend(own)
    }

    deinit { PQfinish(handle) }

    /// libpq's last message.
    private var message: String { String(cString: PQerrorMessage(handle)) }

    private func connect() throws {
        let end = ContinuousClock.now + .seconds(settings.connectTimeout)
        var next = PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            guard next != PGRES_POLLING_FAILED else { throw refusedLogin() }
            try wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until: end)
            next = PQconnectPoll(handle)
        }
    }

    /// Why a connection was not made. A wrong password passes no more the second time.
    private func refusedLogin() -> PGFailure {
        let text = message
        let isFinal =
            PQconnectionNeedsPassword(handle) == 1 || PQconnectionUsedPassword(handle) == 1
            || text.contains("does not exist") || text.contains("authentication")
        return isFinal
            ? .refused(state: "28000", message: text) : .connectionLost(text)
    }

    /// True if the connection can be used again: nothing is under way, and the other side has not
    /// closed it.
    var isSound: Bool {
        guard PQstatus(handle) == CONNECTION_OK, pending.isEmpty, failure == nil,
            PQtransactionStatus(handle) == PQTRANS_IDLE
        else { return false }
        var look = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        // What can be read from a connection that waits is its end, or a notice of it.
        guard poll(&look, 1, 0) == 0 || PQconsumeInput(handle) == 1 else { return false }
        return PQstatus(handle) == CONNECTION_OK
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
        preparedCount += 1
        let name = "c\(preparedCount)"
        try run("DECLARE \(name) NO SCROLL CURSOR FOR " + sql, arguments, isKept: false)
        pages: while true {
            let rows = try query("FETCH 1000 FROM \(name)", isKept: false).rows
            for row in rows where try !body(row) { break pages }
            if rows.count < 1_000 { break }
        }
        try run("CLOSE \(name)", isKept: false)
    }

    private func send(_ sql: String, _ arguments: PGArguments, isKept: Bool) throws {
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
    private func prepare(_ sql: String) throws -> String {
        if let name = prepared[sql] { return name }
        if prepared.count >= Self.preparedLimit {
            try run("DEALLOCATE ALL", isKept: false)
            prepared = [:]
        }
        preparedCount += 1
        let name = "s\(preparedCount)"
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
    private func receive() throws -> PGResult? {
        guard PQsendFlushRequest(handle) == 1 else { throw PGFailure.connectionLost(message) }
        let last = try answers()
        if failure != nil { try sync() }
        return last
    }

    /// Reads all answers that are due, once the other side has been asked to send them; keeps the
    /// first failure in ``failure``.
    private func answers() throws -> PGResult? {
        var last: PGResult?
        while !pending.isEmpty {
            let expected = pending.removeFirst()
            while let result = try next() {
                let status = PQresultStatus(result)
                switch status {
                case PGRES_COMMAND_OK, PGRES_TUPLES_OK: last = PGResult(result)
                default:
                    if status != PGRES_PIPELINE_ABORTED, failure == nil { failure = PGFailure(result) }
                    if case .prepare(let sql) = expected { prepared[sql] = nil }
                    PQclear(result)
                }
            }
        }
        return last
    }

    /// Runs statements as one transaction, with one way to the database and back: all are sent, and
    /// their end with them, before anything is read.
    ///
    /// - Returns: the rows of the last one.
    /// - Throws: ``PGFailure`` of the first statement that failed; none has any effect then.
    func together(_ statements: [(sql: String, arguments: PGArguments)]) throws -> [PGRow] {
        for statement in statements { try send(statement.sql, statement.arguments, isKept: true) }
        guard PQpipelineSync(handle) == 1 else { throw PGFailure.connectionLost(message) }
        let last = try answers()
        try awaitSync()
        return last?.rows ?? []
    }

    /// Ends the pipeline, reads all that is due, and makes the connection ready for more, also after
    /// an error.
    ///
    /// - Throws: ``PGFailure`` of the first statement that failed.
    package func sync() throws {
        if failure == nil, !pending.isEmpty {
            _ = try receive()
        }
        guard PQpipelineSync(handle) == 1 else { throw PGFailure.connectionLost(message) }
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
            guard try isReady(unsent == 1 ? POLLIN | POLLOUT : POLLIN, until: min(end, silence.end)) else {
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
        guard backend != nil else { return settings.connectTimeout }
        return isPatient ? 7 * 86_400 : settings.statementTimeout + 10
    }
    /// True while a statement runs that takes as long as it takes.
    var isPatient = false

    func lost() -> PGFailure {
        pending = []
        return .connectionLost(message)
    }

    /// Waits until the socket can be read or written.
    private func wait(_ events: Int32, until end: ContinuousClock.Instant) throws {
        guard try isReady(events, until: end) else { throw PGFailure.silent }
    }

    /// As ``wait(_:until:)``; false if it cannot by then.
    private func isReady(_ events: Int32, until end: ContinuousClock.Instant) throws -> Bool {
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
