import CHiredis
import Foundation
import NIOConcurrencyHelpers

/// Connections to a Redis server, over TLS or not: commands, their answers, and what becomes of a
/// server that does not answer. Safe for use from several threads.
final class RedisClient: Sendable {
    let address: RedisAddress
    private let tls: RedisTunnel.Context?
    private let idle = NIOLockedValueBox<
        (connections: [Connection], retry: ContinuousClock.Instant?)
    >(([], nil))

    /// A connection; used by one thread at a time.
    private final class Connection: @unchecked Sendable {
        let context: UnsafeMutablePointer<redisContext>
        let tunnel: RedisTunnel?
        init(_ context: UnsafeMutablePointer<redisContext>, _ tunnel: RedisTunnel?) {
            (self.context, self.tunnel) = (context, tunnel)
        }
        deinit { redisFree(context) }
    }

    /// Nothing is connected yet.
    ///
    /// - Throws: ``KVError`` if a file of the address cannot be used.
    init(_ address: RedisAddress) throws {
        self.address = address
        tls = try address.tls.map { try RedisTunnel.Context($0) }
    }

    /// An answer.
    enum Reply {
        case bytes([UInt8])
        case integer(Int)
        case array([Reply])
        case nothing

        init(_ reply: UnsafePointer<redisReply>) {
            switch reply.pointee.type {
            case REDIS_REPLY_STRING, REDIS_REPLY_STATUS:
                self = .bytes(
                    Array(
                        UnsafeRawBufferPointer(
                            start: reply.pointee.str, count: Int(reply.pointee.len))))
            case REDIS_REPLY_INTEGER: self = .integer(Int(reply.pointee.integer))
            case REDIS_REPLY_ARRAY:
                self = .array(
                    (0..<Int(reply.pointee.elements)).compactMap {
                        reply.pointee.element[$0].map { Reply($0) }
                    })
            default: self = .nothing
            }
        }
    }

    /// For an answer that makes no sense.
    var unclear: KVError {
        KVError(.inputOutput, "\(address.host) answered what no Redis server does.")
    }

    /// Sends a command, and reads its answer.
    func command(_ words: [String]) throws -> Reply {
        try command(words.map { Array($0.utf8) })
    }
    /// As the other, with words that need not be text.
    func command(_ words: [[UInt8]]) throws -> Reply { try commands([words])[0] }

    /// Reads a value without a copy of it; nil if there is none.
    func value(_ key: [UInt8], _ body: (UnsafeRawBufferPointer?) throws -> Void) throws {
        try with { connection in
            try send(connection, [Array("GET".utf8), key])
            let reply = try receive(connection)
            defer { freeReplyObject(reply) }
            if let refusal = try failure(reply) { throw refusal }
            guard reply.pointee.type == REDIS_REPLY_STRING else { return try body(nil) }
            try body(UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len)))
        }
    }

    /// Sends commands in one go, and hands out the bytes of each answer as it comes, without a copy of
    /// them; nil for one that is none.
    ///
    /// - Throws: ``KVError`` if the server does not answer or refuses one, and the first error of
    ///   `body`, which is not called behind it.
    func values(
        _ list: [[[UInt8]]], _ body: (_ index: Int, _ bytes: UnsafeRawBufferPointer?) throws -> Void
    ) throws {
        try with { connection in
            for words in list { try send(connection, words) }
            var failure: (any Error)?
            // All answers are read, whatever is wrong with one: the connection is used again.
            for i in list.indices {
                let reply = try receive(connection)
                defer { freeReplyObject(reply) }
                if failure != nil { continue }
                do {
                    if let refusal = try self.failure(reply) { throw refusal }
                    let isText = reply.pointee.type == REDIS_REPLY_STRING
                    try body(
                        i,
                        isText
                            ? UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len)) : nil)
                } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }

    /// Sends commands in one go, and reads all answers.
    ///
    /// - Throws: ``KVError`` if the server does not answer, or refuses one.
    func commands(_ list: [[[UInt8]]]) throws -> [Reply] {
        if list.isEmpty { return [] }
        return try with { connection in
            for words in list { try send(connection, words) }
            var replies: [Reply] = []
            var refusal: KVError?
            for _ in list {
                let reply = try receive(connection)
                defer { freeReplyObject(reply) }
                refusal = try refusal ?? failure(reply)
                replies.append(Reply(reply))
            }
            if let refusal { throw refusal }
            return replies
        }
    }

    /// The refusal that an answer is, if it is one.
    private func failure(_ reply: UnsafePointer<redisReply>) throws -> KVError? {
        guard reply.pointee.type == REDIS_REPLY_ERROR else { return nil }
        return KVError(
            .inputOutput,
            "\(address.host) refused: \(String(cString: reply.pointee.str).prefix(200))")
    }

    private func send(_ connection: Connection, _ words: [[UInt8]]) throws {
        let lengths = words.map(\.count)
        func append(_ rest: ArraySlice<[UInt8]>, _ pointers: inout [UnsafePointer<CChar>?]) -> Int32 {
            guard let word = rest.first else {
                return redisAppendCommandArgv(
                    connection.context, Int32(words.count), &pointers, lengths)
            }
            return word.withUnsafeBytes { bytes in
                pointers.append(bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
                return append(rest.dropFirst(), &pointers)
            }
        }
        var pointers: [UnsafePointer<CChar>?] = []
        guard append(words[...], &pointers) == REDIS_OK else { throw broken(connection) }
    }

    private func receive(_ connection: Connection) throws -> UnsafeMutablePointer<redisReply> {
        var reply: UnsafeMutableRawPointer?
        var (status, code) = (REDIS_ERR, Int32(0))
        Self.withoutBrokenPipes {
            status = redisGetReply(connection.context, &reply)
            code = errno
        }
        guard status == REDIS_OK, let reply else {
            errno = code
            throw broken(connection)
        }
        return reply.assumingMemoryBound(to: redisReply.self)
    }

    /// Runs `body` with SIGPIPE held back from this thread: hiredis writes to a connection whose other
    /// end may be closed, which ends a program that has not ignored the signal. It gets an error then.
    private static func withoutBrokenPipes(_ body: () -> Void) {
        var (signal, former, pending) = (sigset_t(), sigset_t(), sigset_t())
        sigemptyset(&signal)
        sigaddset(&signal, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signal, &former)
        body()
        guard sigismember(&former, SIGPIPE) == 0 else { return }
        // What came meanwhile is taken; it would come as soon as the signal is let through.
        sigpending(&pending)
        var number: Int32 = 0
        if sigismember(&pending, SIGPIPE) == 1 { sigwait(&signal, &number) }
        pthread_sigmask(SIG_SETMASK, &former, nil)
    }

    /// The connection is of no use any more.
    private struct Broken: Error {
        var reason: String
        /// The server ended it, as it may do with one that rested: worth a second attempt.
        var isEnded: Bool
    }

    private func broken(_ connection: Connection) -> Broken {
        let context = connection.context
        // What the tunnel knows is why; hiredis sees the end alone.
        if let reason = connection.tunnel?.reason { return Broken(reason: reason, isEnded: false) }
        let isEnded =
            context.pointee.err == REDIS_ERR_EOF
            || context.pointee.err == REDIS_ERR_IO && [EPIPE, ECONNRESET].contains(errno)
        return Broken(
            reason: withUnsafePointer(to: &context.pointee.errstr) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            },
            isEnded: isEnded)
    }

    /// Lends a connection. If the server does not answer it is left alone for some seconds.
    private func with<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        while true {
            let known = idle.withLockedValue { idle in
                if let retry = idle.retry, retry > ContinuousClock().now {
                    return nil as Connection??
                }
                return .some(idle.connections.popLast())
            }
            guard let known else {
                throw KVError(
                    .inputOutput,
                    "\(address.host) did not answer a moment ago; it is asked again soon.")
            }
            do {
                let connection = try known ?? connect()
                // What the server refused leaves the connection sound.
                defer {
                    if connection.context.pointee.err == 0 {
                        idle.withLockedValue { $0.connections.append(connection) }
                    }
                }
                let result = try body(connection)
                idle.withLockedValue { $0.retry = nil }
                return result
            } catch let error as Broken {
                let isStale = known != nil && error.isEnded
                idle.withLockedValue { idle in
                    idle.connections = []
                    if !isStale { idle.retry = ContinuousClock().now + .seconds(5) }
                }
                if isStale { continue }
                throw KVError(
                    .inputOutput,
                    "Redis at \(address.host):\(address.port) does not answer: \(error.reason).")
            }
        }
    }

    private func connect() throws -> Connection {
        let tunnel: RedisTunnel?
        do { tunnel = try tls.map { try RedisTunnel(to: address, $0) } } catch let error as KVError {
            throw Broken(reason: error.message, isEnded: false)
        }
        let opened: UnsafeMutablePointer<redisContext>?
        if let tunnel {
            opened = redisConnectFd(tunnel.descriptor)
        } else {
            opened = redisConnectWithTimeout(
                address.host, Int32(address.port), timeval(tv_sec: 1, tv_usec: 0))
        }
        guard let context = opened else {
            if let tunnel { close(tunnel.descriptor) }
            throw Broken(reason: "no memory", isEnded: false)
        }
        let connection = Connection(context, tunnel)
        guard context.pointee.err == 0 else { throw broken(connection) }
        redisSetTimeout(context, timeval(tv_sec: 2, tv_usec: 0))
        var greetings: [[String]] = []
        if let password = address.password {
            greetings.append(["AUTH"] + (address.user.map { [$0] } ?? []) + [password])
        }
        if address.database > 0 { greetings.append(["SELECT", String(address.database)]) }
        for words in greetings {
            try send(connection, words.map { Array($0.utf8) })
            let reply = try receive(connection)
            defer { freeReplyObject(reply) }
            if let refusal = try failure(reply) { throw refusal }
        }
        return connection
    }
}
