import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite(.serialized) struct StatusTests {
    @Test func `keys are listed without secrets and revoked by whoever looks after all`()
        async throws
    {
        try await withServer(keys: [
            ("admin", Set(Permission.allCases), nil), ("ana", Set(Permission.allCases), "ana"),
        ]) { base, secrets, _ in
            let keys = base.appendingPathComponent("v1/keys")
            let listed = try await send("GET", keys, key: secrets[0])
            #expect(listed.json["keys"]?.array?.compactMap { $0["name"]?.string } == ["admin", "ana"])
            #expect(!String(decoding: listed.data, as: UTF8.self).lowercased().contains("secret"))
            // A key with all permissions over its own memories does not look after the server.
            for path in ["v1/keys", "v1/engine", "v1/kv"] {
                let url = base.appendingPathComponent(path)
                #expect(try await send("GET", url, key: secrets[1]).status == 403, "\(path)")
                #expect(try await send("GET", url).status == 401, "\(path)")
            }
            let own = keys.appendingPathComponent("ana")
            #expect(try await send("DELETE", own, key: secrets[1]).status == 403)
            #expect(try await send("DELETE", own, key: secrets[0]).status == 200)
            let who = base.appendingPathComponent("v1/whoami")
            #expect(try await send("GET", who, key: secrets[1]).status == 401)
            #expect(try await send("DELETE", own, key: secrets[0]).status == 400)
        }
    }

    @Test func `a server without a model says so, one with a model tells its figures`()
        async throws
    {
        try await withServer { base, _, _ in
            let answer = try await send("GET", base.appendingPathComponent("v1/engine"))
            #expect(answer.status == 200 && answer.json["engine"] == .null)
            let kept = try await send("GET", base.appendingPathComponent("v1/kv"))
            #expect(kept.json["texts"]?.array?.isEmpty == true && kept.json["total"]?.double == 0)
        }
    }

    @Test func `a key learns whose it is, and what it may do`() async throws {
        try await withServer(keys: [("reader", [.read], "ana")], limits: { $0.clearance = .public }) {
            base, secrets, _ in
            let who = try await send(
                "GET", base.appendingPathComponent("v1/whoami"), key: secrets[0]
            ).json
            #expect(who["name"]?.string == "key:reader" && who["user"]?.string == "ana")
            #expect(who["permissions"]?.array?.compactMap(\.string) == ["read"])
            #expect(who["clearance"]?.string == "public" && who["reachesAll"] == false)
        }
    }
}
