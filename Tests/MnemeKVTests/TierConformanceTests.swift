import Foundation
import MnemeKV
import MnemeSeal
import MnemeTesting
import Testing

/// What every KV tier must do, on each that there is.
@Suite struct TierConformanceTests {
    @Test(arguments: KVTierConformance.all, [false, true])
    func `a folder conforms, encrypted too`(check: KVTierConformance, isEncrypted: Bool) async throws {
        let path = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let key = isEncrypted ? EncryptionKey() : nil
        try await check.run(KVFolder(path: path, key: key))
    }

    @Test(
        .enabled(if: RedisServer.path != nil, "needs redis-server"), arguments: [false, true], [nil, 1 << 24])
    func `a Redis server conforms, with a limit too`(isEncrypted: Bool, limit: Int?) async throws {
        let server = try RedisServer()
        defer { server.stop() }
        let key = isEncrypted ? EncryptionKey() : nil
        for check in KVTierConformance.all {
            do { try await check.run(RedisTier(url: server.url, key: key, limit: limit)) } catch {
                Issue.record("\(check): \(error)")
            }
            try server.command(["FLUSHALL"])
        }
    }
}
