import Foundation
import MnemeEngine
import MnemeKV
import NIOConcurrencyHelpers

/// What full caches still find: a trace's requests one after the other, with equal room and different
/// rules for what is evicted. No model runs; blocks hold nothing of use.
public struct EvictionBenchmark: Sendable {
    /// A rule.
    public struct Row: Sendable, Codable {
        /// `lru-blocks`, `lru`, `cost-aware` or `redis-index`.
        public var rule: String
        /// The share of the prompts' tokens that was found, and of the computing that they take.
        public var found: Double, saved: Double
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// Requests of the trace, tokens of their prompts, and tokens that there is room for.
        public var requests: Int, tokens: Int, room: Int
        /// A row a rule.
        public var rows: [Row]
    }

    /// Whole blocks of a request, each with the cost of computing it.
    private struct Asked {
        var arrival: Double
        var tokens: [Int32], prompt: Int
        var files: [KVBlockFile]
        var names: [KVHash]
    }

    private static let block = KVShape.blockTokens
    /// Small, as what it holds does not matter, and large beside what a server keeps of each.
    private static let shape = KVShape(layers: 1, heads: 1, dimension: 64)

    /// Replays a trace.
    ///
    /// - Parameters:
    ///   - path: a file of `mneme serve replay`'s formats.
    ///   - room: tokens that each cache holds.
    ///   - server: the URL of a Redis server whose database is empty, to ask it, too; it is left empty.
    /// - Throws: `InputError` and `FileError` for the trace, ``MnemeKV/KVError`` of the server, and if
    ///   its database has blocks.
    /// - Complexity: O(blocks of all requests), a pass over what is kept for each block evicted.
    public static func run(trace path: String, room: Int, server: String? = nil) throws -> Report {
        guard let model = KVHash(String(repeating: "e", count: 64)) else {
            preconditionFailure("64 digits are a hash.")
        }
        let asked = try TraceFile.read(path).map { request -> Asked in
            let tokens = (0..<request.promptTokens + request.completionTokens).map(request.token)
            var files: [KVBlockFile] = []
            for start in stride(from: 0, through: tokens.count - block, by: block) {
                files.append(
                    KVBlockFile(
                        model: model, parent: files.last?.hash ?? model, position: start, shape: shape,
                        tokens: Array(tokens[start..<start + block]), modelName: "trace", sources: []))
            }
            return Asked(
                arrival: request.arrival, tokens: tokens, prompt: request.promptTokens, files: files,
                names: files.map(\.hash))
        }
        var rows = [
            row("lru-blocks", asked, blocks(asked, room: room / block)),
            row("lru", asked, try tree(asked, room: room / block, LeastRecentlyUsed())),
            row("cost-aware", asked, try tree(asked, room: room / block, CostAware())),
        ]
        if let server {
            rows.append(row("redis-index", asked, try remote(asked, room: room / block, server)))
        }
        return Report(
            requests: asked.count, tokens: asked.reduce(0) { $0 + $1.prompt }, room: room, rows: rows)
    }

    /// The figures of a rule, from the blocks that each request found.
    private static func row(_ rule: String, _ asked: [Asked], _ found: [Int]) -> Row {
        var (tokens, all, cost, allCost) = (0, 0, 0.0, 0.0)
        for (request, found) in zip(asked, found) {
            (tokens, all) = (tokens + found * block, all + request.prompt)
            cost += CostAware().cost(position: 0, tokens: found * block)
            allCost += CostAware().cost(position: 0, tokens: request.prompt)
        }
        return Row(rule: rule, found: Double(tokens) / Double(max(1, all)), saved: cost / max(1, allCost))
    }

    /// Blocks of a prompt that could be found.
    private static func most(_ request: Asked) -> Int { max(0, request.prompt - 1) / block }

    /// A cache that knows of no texts, as a server's `allkeys-lru` would do if it knew all ages: each
    /// block goes by its own last use.
    private static func blocks(_ asked: [Asked], room: Int) -> [Int] {
        var lastUse: [KVHash: Int] = [:]
        var time = 0
        return asked.map { request in
            let found = request.names.prefix(most(request)).prefix { lastUse[$0] != nil }.count
            for name in request.names {
                time += 1
                if lastUse[name] == nil, lastUse.count >= room,
                    let oldest = lastUse.min(by: { $0.value < $1.value })
                {
                    lastUse[oldest.key] = nil
                }
                lastUse[name] = time
            }
            return found
        }
    }

    /// The cache of a process, and by the same rules that of a disk: ends of texts go first.
    private static func tree(_ asked: [Asked], room: Int, _ evictor: any Evictor) throws -> [Int] {
        let now = NIOLockedValueBox(0.0)
        guard let model = asked.first?.files.first?.model else { return asked.map { _ in 0 } }
        let cache = try KVCache(
            shape: shape, model: model, modelName: "trace", bytes: room * shape.blockBytes, localTier: nil,
            evictor: evictor, addressing: .table,
            clock: {
                now.withLockedValue {
                    // What is used first is older.
                    $0 += 1e-9
                    return $0
                }
            })
        return try asked.map { request in
            now.withLockedValue { $0 = max($0, request.arrival) }
            let session = try cache.open(request.tokens, positions: request.tokens.count)
            let found = min(session.restored / block, most(request))
            // One that is longer than the whole room keeps nothing.
            let fits = try session.prepare(positions: request.tokens.count)
            session.close({ request.tokens[$0] }, computed: fits ? request.tokens.count : session.restored)
            return found
        }
    }

    /// A server with the index that Mneme keeps there.
    private static func remote(_ asked: [Asked], room: Int, _ url: String) throws -> [Int] {
        guard try RedisTier(url: url).blocks() == 0, try RedisTier(url: url).size() == nil else {
            throw KVError(
                .unsupported,
                "The database of this server has blocks, which a benchmark would evict. Name an empty one: …/5.")
        }
        guard var file = asked.lazy.compactMap(\.files.first).first else { return asked.map { _ in 0 } }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: shape.blockBytes, alignment: 64)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 1, count: shape.blockBytes)
        let bytes = try file.bytes(of: memory, shape: shape, key: nil).count
        let tier = try RedisTier(url: url, limit: room * bytes)
        defer {
            for hash in Set(asked.flatMap(\.names)) { try? tier.remove(hash) }
            _ = try? RedisTier(url: url, limit: 0)
        }
        return try asked.map { request in
            let found = tier.count(of: Array(request.names.prefix(most(request))))
            for file in request.files[..<found] {
                try tier.read(
                    KVBlockRequest(
                        model: file.model, parent: file.parent, codec: file.codec, tokens: file.tokens, shape: shape),
                    into: memory)
            }
            // One that finds no room, as a text is longer than it all, is not kept.
            for file in request.files[found...] { try? tier.write(file, from: memory, shape: shape) }
            return found
        }
    }
}
