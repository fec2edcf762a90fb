import Foundation
import MnemeBase
import MnemeServer
import MnemeStore
import Testing

@Suite struct KeyFileTests {
    private static func folder() throws -> String {
        let path = NSTemporaryDirectory() + "mneme-keys-\(UUID().uuidString)"
        try Privacy.makeFolder(path)
        return path
    }

    @Test func `of many that make keys in one new file at once, none is lost`() async throws {
        let folder = try Self.folder()
        let path = folder + "/home/keys.json"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for i in 0..<8 {
                group.addTask {
                    // As another process would: nothing is shared but the file.
                    let file = try KeyFile(path: path)
                    for j in 0..<5 {
                        _ = try file.create(
                            name: "key-\(i)-\(j)", permissions: [.read], user: nil, tenant: nil,
                            expires: nil)
                    }
                    try file.revoke("key-\(i)-0")
                }
            }
            try await group.waitForAll()
        }
        let keys = try KeyFile(path: path).keys
        #expect(
            Set(keys.map(\.name)) == Set((0..<8).flatMap { i in (0..<5).map { "key-\(i)-\($0)" } }))
        #expect(keys.filter { $0.revoked != nil }.count == 8)
        let mode =
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder + "/home") == ["keys.json"])
    }

    @Test func `revoking the last key closes a server, on any address`() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for host in ["127.0.0.1", "0.0.0.0"] {
            let keys = try KeyFile(path: "\(folder)/\(host).json")
            var configuration = ServerConfiguration()
            configuration.host = host
            configuration.keys = keys
            #expect(configuration.requiresKey == (host == "0.0.0.0") && !configuration.hasKeys)
            _ = try keys.create(
                name: "only", permissions: [.read], user: nil, tenant: nil, expires: nil)
            #expect(configuration.requiresKey && configuration.hasKeys)
            try keys.revoke("only")
            #expect(configuration.requiresKey && !configuration.hasKeys)
        }
    }

    @Test func `a name is made once, whoever asks at the same time`() async throws {
        let folder = try Self.folder()
        let path = folder + "/keys.json"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let made = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    (try? KeyFile(path: path).create(
                        name: "one", permissions: [.read], user: nil, tenant: nil, expires: nil))
                        != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(try made == 1 && KeyFile(path: path).keys.count == 1)
    }

    @Test func `a file that cannot be read leaves the keys that were known`() throws {
        let folder = try Self.folder()
        let path = folder + "/keys.json"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = try KeyFile(path: path)
        #expect(file.keys.isEmpty)
        _ = try file.create(name: "one", permissions: [.read], user: nil, tenant: nil, expires: nil)
        for broken in ["", "[", "{}", "null"] {
            try Data(broken.utf8).write(to: URL(fileURLWithPath: path))
            #expect(
                file.keys.map(\.name) == ["one"], "a server with keys must not become one without")
            #expect(throws: (any Error).self) { try KeyFile(path: path) }
            #expect(throws: (any Error).self) {
                try file.create(
                    name: "two", permissions: [.read], user: nil, tenant: nil, expires: nil)
            }
        }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(file.keys.map(\.name) == ["one"])
        // Taken away on purpose, it is gone.
        try FileManager.default.removeItem(atPath: path)
        #expect(file.keys.isEmpty)
    }

    @Test(arguments: ["a\0b", "a\nb", "\u{1b}[2J", "a\u{85}b", "\u{7f}"])
    func `names hold no control characters`(
        bad: String
    ) throws {
        let folder = try Self.folder()
        let file = try KeyFile(path: folder + "/keys.json")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func refused(
            _ name: String = "n", user: String? = nil, tenant: String? = nil,
            _ limits: (inout APIKey) -> Void = { _ in }
        ) -> Bool {
            (try? file.create(
                name: name, permissions: [.read], user: user, tenant: tenant, expires: nil,
                limits: limits)) == nil
        }
        #expect(refused(bad) && refused(user: bad) && refused(tenant: bad))
        #expect(refused(user: "u") { $0.agent = bad } && refused { $0.roles = [bad] })
        #expect(file.keys.isEmpty)
        _ = try file.create(
            name: "Zoë 日本", permissions: [.read], user: "u", tenant: nil, expires: nil)
    }
}
