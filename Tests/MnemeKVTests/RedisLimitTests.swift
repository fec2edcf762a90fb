import Foundation
import MnemeKV
import MnemeSeal
import Testing

/// What a server keeps under a limit that Mneme sets.
@Suite(.enabled(if: RedisServer.path != nil, "needs redis-server"), .serialized) struct RedisLimitTests {
    /// Bytes of a block of `Reference.shape` there, a little more than it takes.
    private static let block = 4700

    private func machine(_ tier: RedisTier) throws -> KVCache {
        try KVCache(
            shape: Reference.shape, model: hash("m"), modelName: "m", bytes: 60 * Reference.shape.blockBytes,
            localTier: nil, remoteTier: tier)
    }

    /// Runs a text to its end on a machine that knows nothing yet.
    @discardableResult
    private func run(_ tier: RedisTier, _ tokens: [Int32], sources: Set<String> = []) throws -> Int {
        let cache = try machine(tier)
        let session = try cache.open(tokens, positions: tokens.count, sources: sources)
        while session.isLoading { usleep(100) }
        let restored = session.restored
        #expect(Reference.holds(session, tokens, 0..<restored))
        #expect(try session.prepare(positions: tokens.count))
        Reference.compute(session, tokens, restored..<tokens.count)
        session.close({ tokens[$0] }, computed: tokens.count)
        cache.flush()
        return restored
    }

    private func text(_ number: Int, blocks: Int) -> [Int32] { (0..<blocks * 32 + 1).map { Int32($0 + number * 1000) } }

    /// The blocks of a text that the server has; fails if one stands behind a gap.
    private func kept(_ tier: RedisTier, _ tokens: [Int32]) throws -> Int {
        let names = try machine(tier).blocks(of: tokens, scope: "")
        let there = names.filter { tier.count(of: [$0]) == 1 }.count
        #expect(tier.count(of: names) == there, "a block stands behind a gap")
        return there
    }

    @Test(arguments: [nil, EncryptionKey()])
    func `the limit holds, whoever writes, and no block stands behind a gap`(key: EncryptionKey?) throws {
        let server = try RedisServer()
        defer { server.stop() }
        let first = try RedisTier(url: server.url, key: key, limit: 20 * Self.block)
        // Another machine says nothing, and goes by what the server knows.
        let second = try RedisTier(url: server.url, key: key)
        let texts = (0..<12).map { text($0, blocks: 1 + $0 % 6) }
        for i in 0..<60 {
            try run(i % 2 == 0 ? first : second, texts[(i * i + i / 5) % texts.count])
            let size = try #require(try second.size())
            #expect(size.limit == 20 * Self.block && size.bytes <= size.limit && size.bytes > 0)
        }
        let left = try texts.map { try kept(first, $0) }.reduce(0, +)
        #expect(try left == first.blocks() && left > 14)
        // All machines go by the limit that was set last; 0 ends it, and leaves the blocks.
        let third = try RedisTier(url: server.url, key: key, limit: 6 * Self.block)
        #expect(try second.size()?.bytes ?? 0 <= 6 * Self.block)
        let few = try third.blocks()
        #expect(few <= 6 && few >= 5)
        #expect(try texts.map { try kept(first, $0) }.reduce(0, +) == few)
        #expect(try RedisTier(url: server.url, key: key, limit: 0).size() == nil)
        #expect(try RedisTier(url: server.url, key: key).size() == nil)
        #expect(try RedisTier(url: server.url, key: key).blocks() == few)
    }

    @Test func `ends that cost much to compute again outlive younger ones that cost little`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let tier = try RedisTier(url: server.url, limit: 26 * Self.block)
        let long = text(0, blocks: 20)
        try run(tier, long)
        // Five texts of a block each; then as many again, where there is no room for more.
        for i in 1...6 { try run(tier, text(i, blocks: 1)) }
        #expect(try kept(tier, long) == 20)
        for i in 7...12 { try run(tier, text(i, blocks: 1)) }
        #expect(try kept(tier, long) == 20, "a server by itself would have evicted its beginning")
        // What is used is worth more than what is new.
        #expect(try run(tier, text(12, blocks: 1)) == 32)
        for i in 13...16 { try run(tier, text(i, blocks: 1)) }
        #expect(try kept(tier, text(12, blocks: 1)) == 1)
        // In the end all that rests goes, from its end on.
        for i in 20..<60 {
            try run(tier, text(i, blocks: 2))
            try run(tier, text(i, blocks: 2))
        }
        #expect(try kept(tier, long) < 20)
    }

    @Test func `blocks that are there are taken in, those erased are taken out`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let plain = try RedisTier(url: server.url)
        for i in 0..<4 { try run(plain, text(i, blocks: 3), sources: i == 0 ? ["a"] : []) }
        #expect(try plain.blocks() == 12 && plain.size() == nil)
        let tier = try RedisTier(url: server.url, limit: 100 * Self.block)
        let all = try #require(try tier.size()).bytes
        #expect(all > 12 * 4096 && all < 12 * Self.block)
        try tier.erase(sources: ["a"])
        #expect(try tier.blocks() == 9)
        let left = try #require(try tier.size()).bytes
        #expect(left < all * 10 / 12 && left > all * 8 / 12)
        // A block that the server lost by itself is written again, and counted once.
        let name = try machine(tier).blocks(of: text(1, blocks: 3), scope: "")[2]
        try server.command(["DEL", "mneme:kv:\(name)"])
        let before = try #require(try tier.size()).bytes
        try run(tier, text(1, blocks: 3))
        #expect(try tier.size()?.bytes == before && tier.blocks() == 9)
        for i in 1..<4 {
            for block in try machine(tier).blocks(of: text(i, blocks: 3), scope: "") { try tier.remove(block) }
        }
        #expect(try tier.size()?.bytes == 0 && tier.blocks() == 0)
        // A server that was started anew has no scripts: they are sent again.
        try server.command(["SCRIPT", "FLUSH"])
        try run(tier, text(1, blocks: 3))
        #expect(try tier.blocks() == 3)
        // A limit below a block keeps nothing, and says so.
        let none = try RedisTier(url: server.url, limit: 1000)
        let cache = try machine(none)
        let session = try cache.open(text(5, blocks: 1), positions: 33)
        while session.isLoading { usleep(100) }
        #expect(try session.prepare(positions: 33))
        session.close({ self.text(5, blocks: 1)[$0] }, computed: 33)
        cache.flush()
        #expect(cache.statistics.unsent == 1 && cache.statistics.sent == 0)
    }
}
