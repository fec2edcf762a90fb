import Foundation
import NIOConcurrencyHelpers

/// The index that Mneme keeps of the blocks on a Redis server, so that they take no more than a
/// limit, and those go first that cost least to compute again, from the ends of texts on.
///
/// Redis alone evicts what was used longest ago: of a text its beginning, which was read first, and
/// without which the rest is worthless. The index is on the server, so that all machines that share
/// it see the same; see ``RedisIndexScript`` for what it holds. Safe for use from several threads.
struct RedisIndex: Sendable {
    private let client: RedisClient
    /// Begins all names of blocks.
    private let prefix: String
    /// Names of scripts that the server has.
    private let loaded = NIOLockedValueBox<[RedisIndexScript: [UInt8]]>([:])

    init(_ client: RedisClient, prefix: String) {
        (self.client, self.prefix) = (client, prefix)
    }

    private var keys: [[UInt8]] { ["index", "ends", "totals"].map { Array((prefix + $0).utf8) } }

    /// Whether the server has one.
    ///
    /// - Throws: ``KVError`` if it does not answer.
    func exists() throws -> Bool {
        guard case .integer(1) = try client.command([Array("EXISTS".utf8), keys[2]]) else { return false }
        return true
    }

    /// Bytes of the blocks that it knows, and their limit.
    ///
    /// - Throws: ``KVError`` if the server does not answer.
    func size() throws -> (bytes: Int, limit: Int) {
        let reply = try client.command([Array("HMGET".utf8), keys[2], Array("bytes".utf8), Array("limit".utf8)])
        guard case .array(let values) = reply, values.count == 2 else { throw client.unclear }
        let numbers = values.map { value -> Int in
            guard case .bytes(let digits) = value else { return 0 }
            return Int(String(decoding: digits, as: UTF8.self)) ?? 0
        }
        return (numbers[0], numbers[1])
    }

    /// Sets the limit for all machines.
    func set(limit: Int) throws {
        _ = try client.command([Array("HSET".utf8), keys[2], Array("limit".utf8), Array("\(limit)".utf8)])
    }

    /// Ends the index: blocks stay, and the server alone decides what goes.
    func drop() throws { _ = try client.command([Array("DEL".utf8)] + keys) }

    /// Makes room for a block and writes it, or takes in one that is there.
    ///
    /// - Parameters:
    ///   - block: the block.
    ///   - bytes: of its value.
    ///   - value: nil if the server has it.
    /// - Returns: whether the server has it now: not if the limit leaves no room.
    /// - Throws: ``KVError`` if the server does not answer or refuses.
    func store(_ block: KVBlockFile, bytes: Int, value: [UInt8]?) throws -> Bool {
        let cost = CostAware().cost(position: block.position, tokens: block.tokens.count)
        let words = [
            block.hash.description, block.parent.description, "\(bytes)", "\(cost)",
            block.position == 0 ? "1" : "0",
        ]
        let reply = try run(.store, words.map { Array($0.utf8) } + (value.map { [$0] } ?? []))
        guard case .integer(1) = reply else { return false }
        return true
    }

    /// Counts a use of blocks, those before others first.
    ///
    /// - Throws: ``KVError`` if the server does not answer or refuses.
    func use(_ hashes: [KVHash]) throws {
        if !hashes.isEmpty { _ = try run(.use, hashes.map { Array($0.description.utf8) }) }
    }

    /// Deletes blocks, and takes them out.
    ///
    /// - Throws: ``KVError`` if the server does not answer or refuses.
    func remove(_ hashes: [KVHash]) throws {
        if !hashes.isEmpty { _ = try run(.remove, hashes.map { Array($0.description.utf8) }) }
    }

    /// Evicts what is over the limit.
    ///
    /// - Throws: ``KVError`` if the server does not answer or refuses.
    func trim() throws { _ = try run(.trim, []) }

    /// Runs a script, which is sent once; again to a server that was started anew.
    private func run(_ script: RedisIndexScript, _ arguments: [[UInt8]]) throws -> RedisClient.Reply {
        func call(_ name: [UInt8]) throws -> RedisClient.Reply {
            try client.command(
                [Array("EVALSHA".utf8), name, Array("3".utf8)] + keys + [Array(prefix.utf8)] + arguments)
        }
        if let name = loaded.withLockedValue({ $0[script] }) {
            do { return try call(name) } catch let error as KVError where error.message.contains("NOSCRIPT") {}
        }
        guard case .bytes(let name) = try client.command(["SCRIPT", "LOAD", script.source]) else {
            throw client.unclear
        }
        loaded.withLockedValue { $0[script] = name }
        return try call(name)
    }
}
