import CHiredis
import Foundation
public import MnemeSeal
import NIOConcurrencyHelpers

/// Blocks in a Redis or Valkey server, which several machines share.
///
/// A block is one value under `mneme:kv:<hash>`, the same bytes as a file of ``KVFolder``; with a
/// key it is encrypted and lies under `mneme:kv:<name of the key>:<hash>`;
/// `mneme:kv:source:<memory>` is the set of blocks that were made with a memory. The server's own
/// `maxmemory-policy` decides what goes when it is full. A server that does not answer is left
/// alone for a while: it is a cache, and what is not found is computed. Safe for use from several
/// threads.
public final class RedisTier: KVTier {
    private let address: Address
    private let key: DataKey?
    private let idle = NIOLockedValueBox<
        (connections: [Connection], retry: ContinuousClock.Instant?)
    >(([], nil))
    /// Begins all names. Blocks of another key are others.
    private let prefix: String
    /// Blocks that are asked for in one message.
    private static let batch = 256

    private struct Address: Sendable {
        var host: String, port: Int, user: String?, password: String?, database: Int
    }

    /// A connection; used by one thread at a time.
    private final class Connection: @unchecked Sendable {
        let context: UnsafeMutablePointer<redisContext>
        init(_ context: UnsafeMutablePointer<redisContext>) { self.context = context }
        deinit { redisFree(context) }
    }

    /// Connects, so that a wrong address shows at once.
    ///
    /// - Parameters:
    ///   - url: `redis://[[user]:password@]host[:port][/database]`.
    ///   - key: encrypts the blocks. Machines that share them have the same.
    /// - Throws: ``KVError`` if that is no such address, or the server does not answer.
    public init(url: String, key: EncryptionKey? = nil) throws {
        guard let parts = URLComponents(string: url), parts.scheme == "redis",
            let host = parts.host, !host.isEmpty,
            (1...65535).contains(parts.port ?? 6379),
            let database = parts.path.count < 2 ? 0 : Int(parts.path.dropFirst()), database >= 0
        else {
            throw KVError(
                .unsupported,
                "'\(url.prefix(200))' is not redis://[[user]:password@]host[:port][/database].")
        }
        address = Address(
            host: host, port: parts.port ?? 6379,
            user: parts.user.flatMap { $0.isEmpty ? nil : $0 },
            password: parts.password, database: database)
        let dataKey = key?.derived("remote blocks")
        self.key = dataKey
        prefix = "mneme:kv:" + (dataKey.map { $0.name + ":" } ?? "")
        _ = try command(["PING"])
    }

    /// Blocks that the server has, of all models.
    ///
    /// - Complexity: one pass over the server's keys.
    /// - Throws: ``KVError`` if it does not answer.
    public func blocks() throws -> Int {
        var count = 0
        var cursor = "0"
        repeat {
            guard
                case .array(let parts) = try command([
                    "SCAN", cursor, "MATCH", prefix + "*", "COUNT", "1000",
                ]),
                parts.count == 2,
                case .bytes(let next) = parts[0], case .array(let keys) = parts[1]
            else { throw unclear }
            for case .bytes(let key) in keys
            where KVHash(String(decoding: key, as: UTF8.self).dropFirst(prefix.count)) != nil {
                count += 1
            }
            cursor = String(decoding: next, as: UTF8.self)
        } while cursor != "0"
        return count
    }

    // MARK: KVTier

    /// The number of these blocks that the server has, from the first on without a gap; 0 if it
    /// does not answer.
    ///
    /// - Complexity: one message for 256 blocks.
    public func count(of hashes: [KVHash]) -> Int {
        var found = 0
        for start in stride(from: 0, to: hashes.count, by: Self.batch) {
            let part = hashes[start..<min(start + Self.batch, hashes.count)]
            guard let replies = try? commands(part.map { [Array("EXISTS".utf8), name($0)] }) else {
                return found
            }
            for reply in replies {
                guard case .integer(1) = reply else { return found }
                found += 1
            }
        }
        return found
    }

    /// Fetches a block and checks it; one that is damaged is deleted there.
    ///
    /// - Throws: ``KVError``.
    public func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        let hash = request.hash
        do {
            try with { connection in
                try send(connection, [Array("GET".utf8), name(hash)])
                let reply = try receive(connection)
                defer { freeReplyObject(reply) }
                guard reply.pointee.type == REDIS_REPLY_STRING else {
                    throw try failure(reply) ?? KVError.absent(hash.description)
                }
                try KVBlockFile.read(
                    UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len)),
                    name: "\(hash) on \(address.host)", key: key, request,
                    into: block)
            }
        } catch let error as KVError where error.code == .damaged {
            try? remove(hash)
            throw error
        }
    }

    /// Sends a block unless the server has it, and first adds it to the sets of its memories: a
    /// block that is in no set could not be erased.
    ///
    /// - Throws: ``KVError``.
    public func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws {
        var block = block
        let hash = block.hash
        // First the sets: a block without them could not be erased.
        let member = Array(hash.description.utf8)
        _ = try commands(block.sources.map { [Array("SADD".utf8), source($0), member] })
        if case .integer(1) = try command([Array("EXISTS".utf8), name(hash)]) { return }
        _ = try command([
            Array("SET".utf8), name(hash), block.bytes(of: rows, shape: shape, key: key),
        ])
    }

    /// Deletes one block there.
    ///
    /// - Throws: ``KVError`` if the server does not answer or refuses.
    public func remove(_ hash: KVHash) throws { _ = try command([Array("DEL".utf8), name(hash)]) }

    /// Deletes all blocks in these memories' sets, and the sets. Blocks of machines with another
    /// key are not reached: their names are others.
    ///
    /// - Throws: ``KVError`` if some may be left.
    public func erase(sources: Set<String>) throws {
        for name in sources.sorted() {
            guard case .array(let members) = try command([Array("SMEMBERS".utf8), source(name)])
            else { throw unclear }
            let hashes = members.compactMap { member -> KVHash? in
                guard case .bytes(let bytes) = member else { return nil }
                return KVHash(String(decoding: bytes, as: UTF8.self))
            }
            for start in stride(from: 0, to: hashes.count, by: Self.batch) {
                _ = try command(
                    [Array("DEL".utf8)]
                        + hashes[start..<min(start + Self.batch, hashes.count)].map {
                            self.name($0)
                        })
            }
            _ = try command([Array("DEL".utf8), source(name)])
        }
    }

    // MARK: Commands

    private enum Reply {
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

    private var unclear: KVError {
        KVError(.inputOutput, "\(address.host) answered what no Redis server does.")
    }
    private func name(_ hash: KVHash) -> [UInt8] { Array((prefix + hash.description).utf8) }
    private func source(_ name: String) -> [UInt8] { Array("\(prefix)source:\(name)".utf8) }

    private func command(_ words: [String]) throws -> Reply {
        try command(words.map { Array($0.utf8) })
    }
    private func command(_ words: [[UInt8]]) throws -> Reply { try commands([words])[0] }

    /// Sends commands in one go, and reads all answers.
    private func commands(_ list: [[[UInt8]]]) throws -> [Reply] {
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
        guard append(words[...], &pointers) == REDIS_OK else { throw broken(connection.context) }
    }

    private func receive(_ connection: Connection) throws -> UnsafeMutablePointer<redisReply> {
        var reply: UnsafeMutableRawPointer?
        guard redisGetReply(connection.context, &reply) == REDIS_OK, let reply else {
            throw broken(connection.context)
        }
        return reply.assumingMemoryBound(to: redisReply.self)
    }

    /// The connection is of no use any more.
    private struct Broken: Error {
        var reason: String
        /// The server ended it, as it may do with one that rested: worth a second attempt.
        var isEnded: Bool
    }

    private func broken(_ context: UnsafeMutablePointer<redisContext>) -> Broken {
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
        guard
            let context = redisConnectWithTimeout(
                address.host, Int32(address.port), timeval(tv_sec: 1, tv_usec: 0))
        else {
            throw Broken(reason: "no memory", isEnded: false)
        }
        let connection = Connection(context)
        guard context.pointee.err == 0 else { throw broken(context) }
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
