import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite(.serialized) struct ServerTests {
    @Test func `memories live over HTTP`() async throws {
        try await withServer { base, _, _ in
            let memories = base.appendingPathComponent("v1/memories")
            let made = try await send(
                "POST", memories, json(["text": "Tom sold his guitar", "user": "ana"]))
            #expect(made.status == 200)
            let id = try #require(made.json["memories"]?.array?.first?["id"]?.string)
            let found = try await send(
                "POST", base.appendingPathComponent("v1/memories/search"),
                json(["query": "guitar", "user": "ana"]))
            #expect(found.json["memories"]?.array?.first?["memory"]?["id"]?.string == id)
            #expect(
                try await send("GET", URL(string: "\(memories)/\(id)?user=ana")!).json["memory"]?[
                    "text"]?.string
                    == "Tom sold his guitar")
            #expect(try await send("GET", URL(string: "\(memories)/\(id)?user=bob")!).status == 404)
            #expect(
                try await send(
                    "PATCH", memories.appendingPathComponent(id),
                    json(["text": "Tom sold a cello", "user": "ana"])
                ).json["memory"]?["version"]?
                .double == 2)
            #expect(
                try await send("DELETE", URL(string: "\(memories)/\(id)?user=ana")!).json[
                    "memory"]?["state"]?.string
                    == "archived")
            #expect(
                try await send(
                    "POST", memories.appendingPathComponent("\(id)/restore"), json(["user": "ana"])
                ).status
                    == 200)
            let lines = try await send("GET", URL(string: "\(base)/v1/export?user=ana")!)
            #expect(lines.data.split(separator: 10).count == 1)
            #expect(
                try await send("GET", base.appendingPathComponent("healthz")).json["status"]?.string
                    == "ok")
            let metrics = String(
                decoding: try await send("GET", base.appendingPathComponent("metrics")).data,
                as: UTF8.self)
            #expect(
                metrics.contains("mneme_memories 1")
                    && metrics.contains(
                        #"mneme_requests_total{operation="remember",status="200"} 1"#)
            )
        }
    }

    @Test func `an idempotency key in the header makes a retry harmless`() async throws {
        try await withServer { base, _, memory in
            let url = base.appendingPathComponent("v1/memories")
            for _ in 0..<3 {
                let answer = try await send(
                    "POST", url, json(["text": "once"]), headers: ["Idempotency-Key": "a"])
                #expect(answer.status == 200)
            }
            let count = try await memory.statistics().memories
            #expect(count == 1)
            #expect(
                try await send(
                    "POST", url, json(["text": "twice"]), headers: ["Idempotency-Key": "a"]
                ).status == 409)
        }
    }

    @Test
    func `what is shared is reached with the other's key, and requests are named in the audit log`()
        async throws
    {
        try await withServer(keys: [
            ("ana", [.read, .write, .share], "ana"), ("bob", [.read], "bob"),
        ]) {
            base, secrets, memory in
            let memories = base.appendingPathComponent("v1/memories")
            let grants = base.appendingPathComponent("v1/grants")
            _ = try await send(
                "POST", memories, Data(#"{"text":"The boat is blue"}"#.utf8), key: secrets[0])
            let hers = URL(string: "\(memories)?user=ana")!
            #expect(
                try await send("GET", hers, key: secrets[1], headers: ["X-Request-ID": "try-1"])
                    .status == 403)
            let shared = try await send(
                "POST", grants, Data(#"{"with":"user:bob"}"#.utf8), key: secrets[0])
            #expect(shared.status == 200)
            #expect(
                try await send("GET", hers, key: secrets[1]).json["memories"]?.array?.count == 1)
            #expect(
                try await send("GET", grants, key: secrets[1]).json["received"]?.array?.count == 1)
            let number = try #require(shared.json["grant"]?["id"]?.double)
            #expect(
                try await send(
                    "DELETE", URL(string: "\(grants)/\(Int(number))?user=ana")!, key: secrets[1]
                ).status
                    == 403)
            #expect(
                try await send("DELETE", URL(string: "\(grants)/\(Int(number))")!, key: secrets[0])
                    .status == 200)
            #expect(try await send("GET", hers, key: secrets[1]).status == 403)
            let entries = try memory.store.auditEntries(after: 0, limit: 100, by: .local)
            let first = try #require(entries.first { $0.outcome == .refused })
            #expect(
                first.request == "try-1" && first.principal == "key:bob"
                    && first.operation == "list")
            #expect(entries.allSatisfy { $0.request != nil })
        }
    }

    @Test func `keys are required, scoped and revocable`() async throws {
        try await withServer(keys: [
            ("admin", Set(Permission.allCases), nil), ("reader", [.read], "ana"),
        ]) {
            base, secrets, _ in
            let memories = base.appendingPathComponent("v1/memories")
            let note = try json(["text": "hello", "user": "ana"])
            #expect(try await send("POST", memories, note).status == 401)
            #expect(try await send("POST", memories, note, key: "mn_wrong").status == 401)
            #expect(try await send("POST", memories, note, key: secrets[0]).status == 200)
            #expect(try await send("POST", memories, note, key: secrets[1]).status == 403)
            #expect(
                try await send("GET", memories, key: secrets[1]).json["memories"]?.array?.count == 1
            )
            #expect(
                try await send("GET", URL(string: "\(memories)?user=bob")!, key: secrets[1]).status
                    == 403)
            #expect(
                try await send("GET", base.appendingPathComponent("metrics"), key: secrets[1])
                    .status == 403)
            #expect(try await send("GET", base.appendingPathComponent("healthz")).status == 200)
        }
        var open = ServerConfiguration()
        open.host = "0.0.0.0"
        let store = try SQLiteMemoryStore(
            path: NSTemporaryDirectory() + "mneme-\(UUID().uuidString)/s.db", analyzer: "x")
        #expect(throws: InputError.self) {
            try MemoryServer(memory: MemoryOS(store: store, embedder: nil), configuration: open)
        }
    }

    @Test func `size, rate and origin are limited`() async throws {
        try await withServer(change: {
            $0.maximumBody = 10_000
            $0.requestsPerMinute = 60
        }) { base, _, _ in
            let memories = base.appendingPathComponent("v1/memories")
            #expect(
                try await send(
                    "POST", memories, json(["text": .string(String(repeating: "x", count: 20_000))])
                ).status
                    == 413)
            #expect(
                try await send("GET", memories, headers: ["Origin": "https://evil.example"]).status
                    == 403)
            #expect(
                try await send("GET", memories, headers: ["Origin": "http://localhost:3000"]).status
                    == 200)
            #expect(
                try await send("GET", memories, headers: ["Host": "rebound.example"]).status == 403)
            var statuses: [Int] = []
            for _ in 0..<20 { statuses.append(try await send("GET", memories).status) }
            #expect(statuses.contains(429))
        }
    }

    @Test func `the OpenAPI document describes every operation`() async throws {
        try await withServer { base, _, _ in
            let document = try await send("GET", base.appendingPathComponent("openapi.json")).json
            #expect(document["openapi"]?.string == "3.1.0")
            for operation in OperationTable.all where operation.surfaces.contains(.http) {
                guard let route = operation.route else { continue }
                #expect(
                    document["paths"]?[route.path]?[route.method.rawValue.lowercased()]?[
                        "operationId"]?.string
                        == operation.name)
            }
        }
    }

    @Test func `hostile requests get an error, and the server lives`() async throws {
        try await withServer(change: { $0.requestsPerMinute = 0 }) { base, _, _ in
            var state: UInt64 = 7
            func random(_ bound: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int((state >> 33) % UInt64(bound))
            }
            let seeds = [
                #"{"text":"hello","tag":["a"]}"#, #"{"query":"x","limit":5}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"recall","arguments":{"query":"x"}}}"#,
            ]
            let paths = [
                "v1/memories", "v1/memories/search", "mcp", "v1/import",
                "v1/memories/nonsense/erase", "v1/embeddings",
            ]
            for round in 0..<2000 {
                var bytes = Array(seeds[round % 3].utf8)
                for _ in 0...random(4) {
                    let i = random(bytes.count)
                    switch random(3) {
                    case 0: bytes[i] = UInt8(random(256))
                    case 1: bytes.removeSubrange(i...)
                    default: bytes.insert(contentsOf: bytes[0...i], at: i)
                    }
                    if bytes.isEmpty { bytes = [123] }
                }
                let answer = try await send(
                    "POST", base.appendingPathComponent(paths[random(paths.count)]), Data(bytes))
                #expect(
                    answer.status < 500 || answer.status == 503,
                    "\(answer.status) for \(String(decoding: bytes, as: UTF8.self))")
            }
            #expect(
                try await send("GET", URL(string: "\(base)/v1/memories?limit=999999")!).status
                    == 400)
            #expect(try await send("GET", base.appendingPathComponent("healthz")).status == 200)
            let deep = Data(
                (String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000))
                    .utf8)
            #expect(
                try await send("POST", base.appendingPathComponent("v1/memories"), deep).status
                    == 400)
        }
    }
}

@Suite struct MCPTests {
    private func session() throws -> (MCPSession, MemoryOS) {
        let path = NSTemporaryDirectory() + "mneme-\(UUID().uuidString)/store.db"
        let memory = MemoryOS(
            store: try SQLiteMemoryStore(path: path, analyzer: MemoryOS.analyzerVersion),
            embedder: nil)
        return (MCPSession(memory: memory, principal: .local, version: "test"), memory)
    }

    private func ask(_ session: MCPSession, _ text: String) async throws -> JSONValue {
        let answer = try #require(await session.answer(Array(text.utf8)))
        return try JSONDecoder().decode(JSONValue.self, from: Data(answer.utf8))
    }

    @Test func `tools come from the table and work`() async throws {
        let (session, _) = try session()
        let hello = try await ask(
            session,
            #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#
        )
        #expect(hello["result"]?["protocolVersion"]?.string == "2025-06-18")
        #expect(
            await session.answer(
                Array(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.utf8)) == nil)
        let tools = try await ask(session, #"{"jsonrpc":"2.0","id":"t","method":"tools/list"}"#)[
            "result"]?["tools"]?
            .array
        // The two more are those of connectors.
        #expect(tools?.count == OperationTable.all.count { $0.surfaces.contains(.mcp) } + 2)
        let made = try await ask(
            session,
            #"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"remember","arguments":{"text":"A heron by the pond"}}}"#
        )
        #expect(made["result"]?["isError"] == false)
        let found = try await ask(
            session,
            #"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"recall","arguments":{"query":"heron"}}}"#
        )
        #expect(found["result"]?["structuredContent"]?["memories"]?.array?.count == 1)
        let wrong = try await ask(
            session,
            #"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"recall","arguments":{"limit":3}}}"#
        )
        #expect(wrong["result"]?["isError"] == true)
    }

    @Test(arguments: [
        "", "{", "null", "[]", "3", #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        #"{"jsonrpc":"2.0","id":1}"#,
        #"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#,
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm -rf"}}"#,
        #"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#,
    ])
    func `broken messages are answered with an error`(message: String) async throws {
        let (session, _) = try session()
        #expect(try await ask(session, message)["error"]?["message"]?.string?.isEmpty == false)
    }
}
