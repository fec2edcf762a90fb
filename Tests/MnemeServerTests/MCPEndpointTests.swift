import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite struct MCPEndpointTests {
    private static let meta: JSONValue = [
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": [:],
    ]

    private func post(
        _ base: URL, _ message: String, query: String = "", _ headers: [String: String] = [:],
        key: String? = nil
    ) async throws -> (status: Int, json: JSONValue, data: Data, headers: [AnyHashable: Any]) {
        try await send(
            "POST", URL(string: "\(base)/mcp\(query)")!, Data(message.utf8), key: key,
            headers: headers)
    }

    @Test func `a request that stands for itself is answered with what its revision asks for`()
        async throws
    {
        try await withServer { base, _, _ in
            let message = try MCPFixture.request("tools/list", ["_meta": Self.meta])
            let headers = ["MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"]
            let result = try await post(base, message, headers).json["result"]
            #expect(result?["resultType"] == "complete" && result?["cacheScope"] == "private")
            #expect(result?["ttlMs"]?.double ?? 0 > 0)
            #expect(
                result?["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"] == "mneme")
            let names = (result?["tools"]?.array ?? []).compactMap { $0["name"]?.string }
            #expect(names.contains("recall") && names.contains("search") && !names.contains("erase"))
        }
    }

    @Test func `headers that say something else than the message are refused`() async throws {
        try await withServer { base, _, _ in
            let call = try MCPFixture.request(
                "tools/call",
                ["name": "recall", "arguments": ["query": "x"], "_meta": Self.meta])
            let right = [
                "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "recall",
            ]
            #expect(try await post(base, call, right).status == 200)
            var encoded = right
            encoded["Mcp-Name"] = "=?base64?cmVjYWxs?="
            #expect(try await post(base, call, encoded).status == 200)
            for (name, value) in [
                ("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Method", "tools/list"),
                ("Mcp-Name", "erase"), ("Mcp-Name", "=?base64?!?="), ("Mcp-Name", nil),
                ("Mcp-Method", nil),
            ] {
                var headers = right
                headers[name] = value
                let answer = try await post(base, call, headers)
                #expect(answer.status == 400, "\(name) \(value ?? "")")
                #expect(answer.json["error"]?["code"] == -32020, "\(name) \(value ?? "")")
            }
        }
    }

    @Test func `protocol errors have their codes and status`() async throws {
        try await withServer { base, _, _ in
            func modern(_ method: String, _ more: [String: JSONValue] = [:]) async throws -> (
                Int, JSONValue?
            ) {
                let parameters = more.merging(["_meta": Self.meta]) { $1 }
                let answer = try await post(
                    base, MCPFixture.request(method, .object(parameters)),
                    [
                        "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method,
                        "Mcp-Name": more["uri"]?.string ?? more["name"]?.string ?? "x",
                    ])
                return (answer.status, answer.json["error"]?["code"])
            }
            #expect(try await modern("no/such") == (404, -32601))
            #expect(try await modern("ping") == (404, -32601))
            #expect(try await modern("tools/call", ["name": "x"]) == (400, -32602))
            let gone = "mneme://memories/default/01890000-0000-7000-8000-000000000000"
            #expect(
                try await modern("resources/read", ["uri": .string(gone)]) == (400, -32602))
            // A version that is not spoken, in the message or in the header.
            let future: JSONValue = [
                "_meta": ["io.modelcontextprotocol/protocolVersion": "2099-01-01"]
            ]
            for (parameters, headers) in [
                (future, [:]), ([:] as JSONValue, ["MCP-Protocol-Version": "1999-01-01"]),
            ] {
                let answer = try await post(
                    base, MCPFixture.request("tools/list", parameters), headers)
                #expect(answer.json["error"]?["code"] == -32022)
                #expect(answer.json["error"]?["data"]?["supported"]?.array?.count == 5)
            }
            // A request that names the revision, but not what the client can do.
            let bare = try await post(
                base,
                MCPFixture.request(
                    "tools/list",
                    ["_meta": ["io.modelcontextprotocol/protocolVersion": "2026-07-28"]]),
                ["MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"])
            #expect(bare.status == 400 && bare.json["error"]?["code"] == -32602)
            #expect(try await post(base, "{").status == 400)
            #expect(
                try await post(base, #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
                    .status == 202)
        }
    }

    @Test func `handshakes settle on a revision that has one`() async throws {
        let fixture = try MCPFixture()
        for (wanted, settled) in [
            ("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2024-11-05", "2024-11-05"),
            ("2026-07-28", "2025-11-25"), ("2099-01-01", "2025-11-25"), ("", "2025-11-25"),
        ] {
            let hello = try await fixture.ask("initialize", ["protocolVersion": .string(wanted)])
            #expect(hello["result"]?["protocolVersion"] == .string(settled))
            #expect(hello["result"]?["resultType"] == nil)
        }
        let discovered = try await fixture.ask("server/discover", ["_meta": Self.meta])["result"]
        #expect(discovered?["supportedVersions"]?[0] == "2026-07-28")
    }

    @Test func `the address chooses the tools, and tools know the address`() async throws {
        try await withServer { base, _, _ in
            func names(_ query: String) async throws -> Set<String> {
                let answer = try await post(base, MCPFixture.request("tools/list"), query: query)
                return Set(
                    (answer.json["result"]?["tools"]?.array ?? []).compactMap { $0["name"]?.string })
            }
            #expect(try await names("").isSuperset(of: ["recall", "remember", "search", "fetch"]))
            #expect(try await names("?tools=search,fetch") == ["search", "fetch"])
            #expect(try await names("?tools=all").contains("erase"))
            #expect(try await post(base, MCPFixture.request("ping"), query: "?tools=x").status == 400)
            _ = try await post(base, MCPFixture.call("remember", ["text": "A heron by the pond"]))
            let found = try await post(base, MCPFixture.call("search", ["query": "heron"])).json
            let url = found["result"]?["structuredContent"]?["results"]?[0]?["url"]?.string ?? ""
            let memory = try await send("GET", try #require(URL(string: url)))
            #expect(memory.json["memory"]?["text"] == "A heron by the pond", "\(url)")
        }
    }

    @Test func `a client that asks for progress is answered in events`() async throws {
        try await withServer { base, _, _ in
            let message = try MCPFixture.request(
                "tools/call",
                ["name": "list", "arguments": [:], "_meta": ["progressToken": 9_007_199_254_740_991]])
            let answer = try await post(
                base, message, ["Accept": "application/json, text/event-stream"])
            let events = String(decoding: answer.data, as: UTF8.self)
                .components(separatedBy: "\n").filter { $0.hasPrefix("data: ") }
                .map { try? JSONValue(parsing: Array($0.dropFirst(6).utf8)) }
            // Progress, once or more where it takes long, and the answer.
            #expect(events.count >= 2)
            #expect(events.first??["params"]?["progressToken"] == 9_007_199_254_740_991)
            #expect(events.last??["result"]?["isError"] == false)
            #expect(try await post(base, message, ["Accept": "application/json"]).json["id"] == 1)
        }
    }

    private func challenge(of headers: [AnyHashable: Any]) -> String {
        let named = headers.first { "\($0.key)".lowercased() == "www-authenticate" }
        return named?.value as? String ?? ""
    }

    @Test func `clients learn who issues tokens`() async throws {
        let path = NSTemporaryDirectory() + "mneme-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        // The key of RFC 7517, appendix A.1, for a provider whose tokens nobody has here.
        try Data(
            #"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#
                .utf8
        ).write(to: URL(fileURLWithPath: path))
        for (audience, resource) in [("mneme", nil), ("https://a.example/mcp", "https://a.example/mcp")] {
            let tokens = try await TokenVerifier(
                keySet: path, issuer: "https://idp.example", audience: audience)
            try await withServer(change: { $0.tokens = tokens }) { base, _, _ in
                for (route, metadata) in [("mcp", "/mcp"), ("v1/memories", "")] {
                    let refused = try await send(
                        route == "mcp" ? "POST" : "GET", base.appendingPathComponent(route),
                        route == "mcp" ? Data("{}".utf8) : nil)
                    let challenge = challenge(of: refused.headers)
                    let address = "\(base)/.well-known/oauth-protected-resource\(metadata)"
                    #expect(refused.status == 401)
                    #expect(challenge.contains("resource_metadata=\"\(address)\""), "\(challenge)")
                    #expect(!challenge.contains("error="))
                    let told = try await send("GET", try #require(URL(string: address)))
                    #expect(told.json["resource"]?.string == resource ?? "\(base)\(metadata)")
                    #expect(told.json["authorization_servers"] == ["https://idp.example"])
                }
                let wrong = try await post(base, "{}", key: "x")
                let challenge = challenge(of: wrong.headers)
                #expect(challenge.contains("error=\"invalid_token\""))
                #expect(challenge.contains("scope=\"mneme:read mneme:write\""))
            }
        }
        // Without a provider there is nothing to tell.
        try await withServer { base, _, _ in
            let path = "\(base)/.well-known/oauth-protected-resource"
            let told = try await send("GET", URL(string: path)!)
            #expect(told.status == 404)
        }
    }
}
