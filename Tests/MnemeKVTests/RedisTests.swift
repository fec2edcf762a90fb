import Foundation
import MnemeKV
import MnemeSeal
import Testing

/// Blocks on a server that machines share; a cache is a machine here.
@Suite(.enabled(if: RedisServer.path != nil, "needs redis-server"), .serialized) struct RedisTests {
    private func machine(
        _ tier: (any KVTier)?, folder: KVFolder? = nil, model: String = "m", codec: KVCodec = .f16
    )
        throws -> KVCache
    {
        try KVCache(
            shape: Reference.shape, model: hash(model), modelName: model,
            bytes: 40 * Reference.shape.blockBytes,
            localTier: folder, remoteTier: tier, codec: codec)
    }

    @discardableResult
    private func run(
        _ cache: KVCache, _ tokens: [Int32], sources: Set<String> = [], checks: Bool = true
    ) throws -> Int {
        let session = try cache.open(tokens, positions: tokens.count, sources: sources)
        while session.isLoading { usleep(100) }
        let restored = session.restored
        #expect(restored < tokens.count)
        if checks { #expect(Reference.holds(session, tokens, 0..<restored)) }
        #expect(try session.prepare(positions: tokens.count))
        Reference.compute(session, tokens, restored..<tokens.count)
        try session.publish({ tokens[$0] }, computed: tokens.count)
        session.close({ tokens[$0] }, computed: tokens.count)
        cache.flush()
        return restored
    }

    private let text = (0..<200).map { Int32($0 * 7 % 50) }

    @Test func `what one machine computed another finds`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let path = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = try machine(RedisTier(url: server.url))
        #expect(try run(first, text) == 0)
        #expect(first.statistics.sent == 6 && first.statistics.unsent == 0)
        #expect(try RedisTier(url: server.url).blocks() == 6)
        // Another machine has a folder, too, which holds it afterwards.
        let second = try machine(RedisTier(url: server.url), folder: KVFolder(path: path))
        #expect(try run(second, text) == 192)
        #expect(
            second.statistics.tokensFromRemote == 192 && second.statistics.received == 6
                && second.statistics.tokensFromDisk == 0)
        #expect(try run(machine(nil, folder: KVFolder(path: path)), text) == 199)
        // A part of it on disk, the rest from afar.
        let third = try machine(RedisTier(url: server.url), folder: KVFolder(path: path))
        #expect(try run(third, Array(text.prefix(100))) == 96)
        let longer = try machine(RedisTier(url: server.url))
        #expect(try run(longer, text + [1, 2, 3] + text) == 192)
        let fourth = try machine(RedisTier(url: server.url), folder: KVFolder(path: path))
        #expect(try run(fourth, text + [1, 2, 3] + text) == 402 / 32 * 32)
        #expect(fourth.statistics.tokensFromDisk > 0 && fourth.statistics.tokensFromRemote > 0)
        // Another model finds nothing, another database neither.
        #expect(try run(machine(RedisTier(url: server.url), model: "other"), text) == 0)
        #expect(try run(machine(RedisTier(url: server.url + "/3")), text) == 0)
    }

    @Test func `a server gets encrypted blocks, which only machines with the key can use`() throws {
        let server = try RedisServer()
        let key = EncryptionKey()
        defer { server.stop() }
        #expect(try run(machine(RedisTier(url: server.url, key: key)), text) == 0)
        #expect(try run(machine(RedisTier(url: server.url, key: key)), text) == 192)
        // Neither takes what the other wrote, nor destroys it.
        let other = try machine(RedisTier(url: server.url, key: EncryptionKey()))
        #expect(try run(other, text) == 0 && other.statistics.refused == 0)
        #expect(try run(machine(RedisTier(url: server.url)), text) == 0)
        #expect(try run(machine(RedisTier(url: server.url, key: key)), text) == 192)
        #expect(try RedisTier(url: server.url, key: key).blocks() == 6)
        // What is changed there is refused, and computed again.
        for name in try server.command(["KEYS", "mneme:kv:*:*"]).split(whereSeparator: \.isNewline) {
            try server.command(["SETRANGE", String(name), "700", "x"])
        }
        #expect(try run(machine(RedisTier(url: server.url, key: key)), text) == 0)
    }

    @Test(arguments: ["flip", "cut", "header", "swap", "type"])
    func `what was changed on the server is refused and computed again`(kind: String) throws {
        let server = try RedisServer()
        defer { server.stop() }
        let tier = try RedisTier(url: server.url)
        try run(machine(tier), text)
        var parents = [hash("m")]
        for start in stride(from: 0, to: 192, by: 32) {
            parents.append(
                KVBlockRequest(
                    model: hash("m"), parent: parents.last!, codec: .f16,
                    tokens: Array(text[start..<start + 32]),
                    shape: Reference.shape
                ).hash)
        }
        let key = "mneme:kv:\(parents[3])"
        switch kind {
        case "flip": try server.command(["SETRANGE", key, "700", "x"])
        case "cut": try server.command(["SET", key, "MNEMEKV1"])
        case "header": try server.command(["SETRANGE", key, "40", "xxxx"])
        case "swap": try server.command(["COPY", "mneme:kv:\(parents[1])", key, "REPLACE"])
        default:
            try server.command(["DEL", key])
            try server.command(["LPUSH", key, "a"])
        }
        let cache = try machine(tier)
        #expect(try run(cache, text) == 64, "only what stands before is used")
        #expect(cache.statistics.refused == 1)
        if kind != "swap" && kind != "type" {
            #expect(try run(machine(tier), text) == 192, "it was made anew")
        }
    }

    @Test func `erasing a memory erases it on the server`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let tier = try RedisTier(url: server.url)
        let cache = try machine(tier)
        try run(cache, text, sources: ["a", "b"])
        try run(cache, [9] + text, sources: ["b"])
        try run(cache, [8] + text)
        #expect(try tier.blocks() == 18)
        try cache.erase(sources: ["a"])
        #expect(try tier.blocks() == 12)
        try tier.erase(sources: ["b", "nobody"])
        #expect(try tier.blocks() == 6 && server.command(["KEYS", "mneme:kv:source:a"]).isEmpty)
        #expect(try run(machine(tier), [8] + text) == 192)
    }

    @Test func `a server that is full, gone or back again disturbs nobody`() throws {
        let server = try RedisServer(["--maxmemory", "2mb"])
        defer { server.stop() }
        let tier = try RedisTier(url: server.url)
        let full = try machine(tier)
        for i in 0..<20 { try run(full, [Int32(i)] + text) }
        try server.command(["CONFIG", "SET", "maxmemory", "1"])
        try run(full, [99] + text)
        #expect(full.statistics.unsent > 0)
        server.stop()
        let gone = try machine(tier)
        let start = ContinuousClock().now
        #expect(try run(gone, text) == 0)
        #expect(gone.statistics.unsent == 6 && ContinuousClock().now - start < .seconds(5))
        #expect(throws: KVError.self) { try gone.erase(sources: ["a"]) }
        let back = try RedisServer(port: server.port)
        defer { back.stop() }
        // It is asked again after some seconds.
        usleep(5_500_000)
        try run(machine(tier), text)
        #expect(try tier.blocks() == 6)
    }

    @Test func `a server that hangs is waited for once, and files not at all`() throws {
        let server = try RedisServer()
        let path = temporaryFolder()
        defer {
            server.stop()
            try? FileManager.default.removeItem(atPath: path)
        }
        let tier = try RedisTier(url: server.url)
        let clock = ContinuousClock()
        try run(machine(nil, folder: KVFolder(path: path)), text)
        server.sleep()
        let cache = try machine(tier, folder: KVFolder(path: path))
        var restored = -1
        let first = try clock.measure { restored = try run(cache, [7] + text) }
        #expect(restored == 0)
        #expect(first > .milliseconds(500) && first < .seconds(6))
        let second = try clock.measure { restored = try run(cache, text) }
        #expect(restored == 199 && second < .seconds(1))
        server.wake()
    }

    @Test func `wrong addresses and passwords are said at once`() throws {
        let server = try RedisServer(["--requirepass", "secret word"])
        defer { server.stop() }
        for url in [
            "", "redis:", "http://127.0.0.1", "redis://127.0.0.1/x", "redis://127.0.0.1:1",
            server.url,
            "redis://:wrong@127.0.0.1:\(server.port)",
        ] {
            #expect(throws: KVError.self, "\(url)") { try RedisTier(url: url) }
        }
        try run(machine(RedisTier(url: "redis://:secret%20word@127.0.0.1:\(server.port)/2")), text)
        #expect(
            try RedisTier(url: "redis://default:secret%20word@127.0.0.1:\(server.port)/2").blocks()
                == 6)
    }
}
