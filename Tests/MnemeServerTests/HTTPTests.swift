import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite(.serialized) struct HTTPTests {
    @Test func `a plus in a query is a space`() async throws {
        try await withServer { base, _, _ in
            let memories = base.appendingPathComponent("v1/memories")
            func found(_ query: String) async throws -> Int? {
                try await send("GET", URL(string: "\(memories)?\(query)")!).json["memories"]?.array?
                    .count
            }
            for (text, user) in [
                ("The canoe is green", "Ana Maria"), ("One and one", "1+1"), ("Odd", "a&b=c#d %2B"),
            ] {
                _ = try await send(
                    "POST", memories,
                    json([
                        "text": .string(text), "user": .string(user), "tag": ["boat trip", "x+y"],
                    ]))
            }
            #expect(try await found("user=Ana%20Maria") == 1)
            #expect(try await found("user=Ana+Maria") == 1)
            #expect(try await found("user=Ana+Maria&tag=boat+trip") == 1)
            #expect(try await found("user=Ana+Maria&tag=x%2By&limit=5") == 1)
            #expect(try await found("user=1%2B1") == 1)
            #expect(try await found("user=1+1") == 0)
            #expect(try await found("user=a%26b%3Dc%23d+%252B") == 1)
            for query in ["user=%ff", "limit=1&limit=2", "limit=1e300", "limit=1.5", "limit="] {
                #expect(
                    try await send("GET", URL(string: "\(memories)?\(query)")!).status == 400,
                    "\(query)")
            }
        }
    }

    @Test func `wrong methods and unknown paths are explained`() async throws {
        try await withServer { base, _, _ in
            func ask(_ method: String, _ path: String) async throws -> (Int, String, String) {
                let answer = try await send(method, base.appendingPathComponent(path))
                let allow = answer.headers["Allow"] as? String ?? ""
                return (answer.status, answer.json["error"]?["code"]?.string ?? "", allow)
            }
            #expect(try await ask("GET", "v1/memory") == (404, "not_found", ""))
            #expect(try await ask("POST", "nothing/at/all") == (404, "not_found", ""))
            #expect(try await ask("OPTIONS", "nothing") == (404, "not_found", ""))
            let put = try await ask("PUT", "v1/memories")
            #expect(put.0 == 405 && put.1 == "method_not_allowed")
            #expect(Set(put.2.components(separatedBy: ", ")) == ["GET", "HEAD", "OPTIONS", "POST"])
            #expect(try await ask("GET", "mcp") == (405, "method_not_allowed", "POST, OPTIONS"))
            #expect(
                try await ask("POST", "v1/memories/0198c0de-0000-7000-8000-000000000000").0 == 405)
            #expect(
                try await ask("GET", "v1/memories/search") == (
                    405, "method_not_allowed", "POST, OPTIONS"
                ))
            #expect(try await ask("DELETE", "healthz").2 == "GET, HEAD, OPTIONS")
            #expect(try await ask("OPTIONS", "v1/grants").0 == 204)
        }
    }

    @Test func `HEAD answers where GET does, without a body`() async throws {
        try await withServer(keys: [("reader", [.read], "ana")]) { base, secrets, _ in
            for path in [
                "healthz", "openapi.json", "v1/memories", "v1/stats", "v1/models", "v1/export",
            ] {
                let url = base.appendingPathComponent(path)
                let answer = try await send("HEAD", url, key: secrets[0])
                #expect(answer.status == 200 && answer.data.isEmpty, "\(path)")
            }
            #expect(
                try await send("HEAD", base.appendingPathComponent("v1/memories")).status == 401)
            #expect(try await send("HEAD", base.appendingPathComponent("mcp")).status == 405)
            #expect(try await send("HEAD", base.appendingPathComponent("nothing")).status == 404)
        }
    }

    @Test func `pages of this machine may call, others only if they are named`() async throws {
        try await withServer(change: { $0.origins = ["https://Chat.example.org"] }) { base, _, _ in
            let memories = base.appendingPathComponent("v1/memories")
            let port = try #require(base.port)
            let local = [
                "http://localhost:3000", "http://127.0.0.1", "http://127.0.0.9:5173",
                "https://localhost",
                "http://[::1]:8080", "http://LOCALHOST:1", "https://chat.example.org",
                "http://127.0.0.1:\(port)",
            ]
            for origin in local {
                let answer = try await send("GET", memories, headers: ["Origin": origin])
                #expect(answer.status == 200, "\(origin)")
                #expect(answer.headers["Access-Control-Allow-Origin"] as? String == origin)
                #expect(answer.headers["Vary"] as? String == "Origin")
                let made = try await send(
                    "POST", memories, json(["text": "hello"]), headers: ["Origin": origin])
                #expect(made.status == 200, "\(origin)")
            }
            let foreign = [
                "http://evil.example", "null", "file://", "http://localhost.evil.example",
                "http://127.evil.example",
                "http://localhost@evil.example", "https://chat.example.org.evil.example",
                "http://chat.example.org",
                "http://0x7f.1", "http://127.0.0.1.evil.example", "nonsense", "http://",
                "http://10.0.0.1",
            ]
            let routes = [
                ("GET", "v1/memories"), ("POST", "v1/memories"), ("POST", "mcp"),
                ("PATCH", "v1/policy"),
                ("DELETE", "v1/grants/1"), ("POST", "v1/doctor"), ("OPTIONS", "v1/memories"),
                ("HEAD", "v1/memories"),
                ("POST", "v1/chat/completions"),
            ]
            for (i, origin) in foreign.enumerated() {
                let (method, path) = routes[i % routes.count]
                for type in ["application/json", "text/plain"] {
                    let answer = try await send(
                        method, base.appendingPathComponent(path),
                        method == "POST" ? json(["text": "x"]) : nil,
                        headers: ["Origin": origin, "Content-Type": type])
                    #expect(answer.status == 403, "\(method) \(path) of '\(origin)'")
                    #expect(answer.headers["Access-Control-Allow-Origin"] == nil)
                }
            }
        }
    }

    @Test func `a browser that asks first is told what a page may do`() async throws {
        try await withServer(keys: [("all", Set(Permission.allCases), nil)]) { base, _, _ in
            let answer = try await send(
                "OPTIONS", base.appendingPathComponent("v1/memories/x"),
                headers: [
                    "Origin": "http://localhost:3000", "Access-Control-Request-Method": "PATCH",
                    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
                ])
            #expect(answer.status == 204 && answer.data.isEmpty)
            #expect(
                answer.headers["Access-Control-Allow-Origin"] as? String == "http://localhost:3000")
            let methods = answer.headers["Access-Control-Allow-Methods"] as? String ?? ""
            #expect(
                methods.contains("PATCH") && methods.contains("DELETE") && !methods.contains("PUT"))
            let headers = answer.headers["Access-Control-Allow-Headers"] as? String
            #expect(headers == "authorization,content-type,x-stainless-os")
            // The page may read why it was refused.
            let refused = try await send(
                "GET", base.appendingPathComponent("v1/memories"),
                headers: ["Origin": "http://localhost:3000"])
            #expect(refused.status == 401)
            #expect(
                refused.headers["Access-Control-Allow-Origin"] as? String == "http://localhost:3000"
            )
        }
    }

    @Test func `pages send JSON as JSON`() async throws {
        try await withServer { base, _, memory in
            let memories = base.appendingPathComponent("v1/memories")
            let page = ["Origin": "http://localhost:3000"]
            func status(_ type: String, _ headers: [String: String]) async throws -> Int {
                try await send(
                    "POST", memories, json(["text": .string("said as '\(type)'")]),
                    headers: headers.merging(["Content-Type": type]) { $1 }
                ).status
            }
            let others = [
                "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                "application/jsonx",
            ]
            for type in others {
                #expect(try await status(type, page) == 415, "\(type)")
            }
            let count = try await memory.statistics().memories
            #expect(count == 0)
            for type in [
                "application/json", "Application/JSON; charset=utf-8",
                "application/merge-patch+json",
            ] {
                #expect(try await status(type, page) == 200, "\(type)")
            }
            // Command lines leave the type to chance; no page can do without an origin.
            #expect(try await status("application/x-www-form-urlencoded", [:]) == 200)
        }
    }

    @Test(arguments: [
        "rebound.example", "127.evil.example", "localhost.evil.example:80", "[", "",
        "user@evil.example",
    ])
    func `a server without keys goes by names of this machine alone`(host: String) async throws {
        try await withServer { base, _, _ in
            let port = UInt16(try #require(base.port))
            let connection = try RawConnection(port: port)
            connection.put(
                "GET /v1/memories HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
            let answer = await connection.received(within: 10)
            #expect(
                answer.hasPrefix("HTTP/1.1 403") || answer.hasPrefix("HTTP/1.1 400"),
                "\(answer.prefix(80))")
            for name in ["localhost", "LocalHost:\(port)", "127.0.0.1:\(port)", "[::1]:1"] {
                #expect(
                    try await send(
                        "GET", base.appendingPathComponent("v1/stats"), headers: ["Host": name]
                    ).status
                        == 200)
            }
        }
    }

    @Test func `models are listed, found and explained`() async throws {
        try await withServer(embedder: ToyEmbedder()) { base, _, _ in
            let models = base.appendingPathComponent("v1/models")
            #expect(
                try await send("GET", models).json["data"]?.array?.map { $0["id"]?.string } == [
                    "toy"
                ])
            #expect(
                try await send("GET", models.appendingPathComponent("toy")).json["object"]?.string
                    == "model")
            let unknown = try await send("GET", models.appendingPathComponent("gpt-4o"))
            #expect(
                unknown.status == 404 && unknown.json["error"]?["code"]?.string == "model_not_found"
            )
            let chat = try await send(
                "POST", base.appendingPathComponent("v1/chat/completions"),
                json(["model": "gpt-4o", "messages": []]))
            #expect(chat.status == 404 && chat.json["error"]?["code"]?.string == "model_not_found")
        }
    }

    @Test(arguments: ["tenant", "user", "agent", "session"])
    func `a name with a NUL character is refused before anything is sent`(name: String) async throws {
        try await withServer { base, _, _ in
            for path in ["export", "memories", "stats", "package", "tiers", "grants"] {
                let answer = try await send("GET", URL(string: "\(base)/v1/\(path)?\(name)=3%00x")!)
                #expect(answer.status == 400 && answer.json["error"] != nil, "\(path)")
            }
            let answer = try await send(
                "POST", base.appendingPathComponent("v1/memories"),
                json(.object(["text": "x", name: "a\0b"])))
            #expect(answer.status == 400)
        }
    }
}
