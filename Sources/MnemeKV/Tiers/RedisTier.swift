import Foundation
public import MnemeSeal

/// Blocks in a Redis or Valkey server, which several machines share.
///
/// A block is one value under `mneme:kv:<hash>`, the same bytes as a file of ``KVFolder``; with a
/// key it is encrypted and lies under `mneme:kv:<name of the key>:<hash>`;
/// `mneme:kv:source:<memory>` is the set of blocks that were made with a memory. With a limit, an
/// index there (`RedisIndex`) decides what goes when it is reached; without, the server's own
/// `maxmemory-policy`. A server that does not answer is left alone for a while: it is a cache, and
/// what is not found is computed. Safe for use from several threads.
public final class RedisTier: KVTier {
    let client: RedisClient
    let key: DataKey?
    /// Begins all names. Blocks of another key are others.
    let prefix: String
    /// The index of blocks on the server; nil if it has none.
    let index: RedisIndex?
    /// Blocks that are asked for in one message.
    static let batch = 256
    /// The server as messages name it, without a password.
    package var name: String { client.address.publicURL }

    /// Connects, so that a wrong address shows at once.
    ///
    /// - Parameters:
    ///   - url: `redis://[[user]:password@]host[:port][/database]`; `rediss://` for TLS, with
    ///     `?ca=FILE` where the server's certificate is signed by an authority of one's own, and
    ///     `cert=FILE&key=FILE` where the server wants a certificate of its clients.
    ///   - key: encrypts the blocks. Machines that share them have the same.
    ///   - limit: the most bytes that blocks may take there, those of another key not counted; what
    ///     costs least to compute again is evicted beyond. The server keeps it for all machines: nil
    ///     goes by what another one set, 0 ends it.
    /// - Throws: ``KVError`` if that is no such address, a file of it cannot be used, or the server
    ///   does not answer.
    /// - Complexity: one message. The first time that a limit is set, two for each block that is there.
    public init(url: String, key: EncryptionKey? = nil, limit: Int? = nil) throws {
        client = try RedisClient(RedisAddress(url))
        let dataKey = key?.derived("remote blocks")
        self.key = dataKey
        prefix = "mneme:kv:" + (dataKey.map { $0.name + ":" } ?? "")
        _ = try client.command(["PING"])
        let index = RedisIndex(client, prefix: prefix)
        let isKnown = try index.exists()
        if limit == 0, isKnown { try index.drop() }
        self.index = limit.map { $0 > 0 } ?? isKnown ? index : nil
        guard let limit, limit > 0 else { return }
        try index.set(limit: limit)
        if !isKnown { try takeIn() }
        try index.trim()
    }

    /// Calls `body` with the keys of all blocks that the server has, some at a time.
    func forEachBlock(_ body: ([[UInt8]]) throws -> Void) throws {
        var cursor = "0"
        repeat {
            guard
                case .array(let parts) = try client.command([
                    "SCAN", cursor, "MATCH", prefix + "*", "COUNT", "1000",
                ]),
                parts.count == 2,
                case .bytes(let next) = parts[0], case .array(let keys) = parts[1]
            else { throw client.unclear }
            try body(
                keys.compactMap { key in
                    guard case .bytes(let key) = key,
                        KVHash(String(decoding: key, as: UTF8.self).dropFirst(prefix.count)) != nil
                    else { return nil }
                    return key
                })
            cursor = String(decoding: next, as: UTF8.self)
        } while cursor != "0"
    }

    /// Blocks that the server has, of all models.
    ///
    /// - Complexity: one pass over the server's keys.
    /// - Throws: ``KVError`` if it does not answer.
    public func blocks() throws -> Int {
        var count = 0
        try forEachBlock { count += $0.count }
        return count
    }

    /// Bytes of the blocks there, and the most that they may take; nil without a limit.
    ///
    /// - Throws: ``KVError`` if the server does not answer.
    public func size() throws -> (bytes: Int, limit: Int)? { try index?.size() }

    // MARK: KVTier

    /// The number of these blocks that the server has, from the first on without a gap; 0 if it
    /// does not answer.
    ///
    /// - Complexity: one message for 256 blocks.
    public func count(of hashes: [KVHash]) -> Int {
        var found = 0
        for start in stride(from: 0, to: hashes.count, by: Self.batch) {
            let part = hashes[start..<min(start + Self.batch, hashes.count)]
            guard let replies = try? client.commands(part.map { [Array("EXISTS".utf8), name($0)] }) else {
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
            try client.value(name(hash)) { bytes in
                guard let bytes else { throw KVError.absent(hash.description) }
                try KVBlockFile.read(
                    bytes, name: "\(hash) on \(client.address.host)", key: key, request, into: block)
            }
            // The block is there, whether its use is counted or not.
            try? index?.use([hash])
        } catch let error as KVError where error.code == .damaged {
            try? remove(hash)
            throw error
        }
    }

    /// Sends a block unless the server has it, and first adds it to the sets of its memories: a
    /// block that is in no set could not be erased.
    ///
    /// - Throws: ``KVError``: ``KVError/Code/outOfMemory`` if the limit leaves no room for it.
    public func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws {
        var block = block
        let hash = block.hash
        // First the sets: a block without them could not be erased.
        let member = Array(hash.description.utf8)
        _ = try client.commands(block.sources.map { [Array("SADD".utf8), source($0), member] })
        if case .integer(1) = try client.command([Array("EXISTS".utf8), name(hash)]) { return }
        if let index {
            let value = try block.bytes(of: rows, shape: shape, key: key)
            if try index.store(block, bytes: value.count, value: value) { return }
            throw KVError(
                .outOfMemory,
                "The limit of \(client.address.host) leaves no room for another block. Set a higher --kv-remote-memory."
            )
        }
        _ = try client.command([
            Array("SET".utf8), name(hash), block.bytes(of: rows, shape: shape, key: key),
        ])
    }

    /// Deletes one block there.
    ///
    /// - Throws: ``KVError`` if the server does not answer or refuses.
    public func remove(_ hash: KVHash) throws { try remove([hash]) }

    /// Deletes blocks there, some at a time.
    func remove(_ hashes: [KVHash]) throws {
        for start in stride(from: 0, to: hashes.count, by: Self.batch) {
            let part = Array(hashes[start..<min(start + Self.batch, hashes.count)])
            if let index {
                try index.remove(part)
            } else {
                _ = try client.command([Array("DEL".utf8)] + part.map(name))
            }
        }
    }

    func name(_ hash: KVHash) -> [UInt8] { Array((prefix + hash.description).utf8) }
    func source(_ name: String) -> [UInt8] { Array("\(prefix)source:\(name)".utf8) }
}
