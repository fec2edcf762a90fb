import Foundation
import Mneme
import MnemeBase
import MnemeServer
import MnemeStore
import Testing

/// Values that a field does not expect, as JSON texts: a few are no JSON.
private enum Extremes {
    static let small: [String] =
        [
            "null", "true", "false", "0", "-0", "-1", "1", "1.5", "-1.5", "1e-300", "1e300",
            "-1e300", "1e999",
            "0.1e-400",
            "2147483648", "-2147483649", "4294967296", "9007199254740993", "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
            "18446744073709551616",
            "123456789012345678901234567890", "[]", "[[]]", "[null]", "[1e300]",
            "[[[[[[[[1]]]]]]]]", "[\"\"]", "[{}]",
            "{}", "{\"a\":1}", "{\"a\":{\"b\":[{}]}}", "{\"\":\"\"}", "[\"a\",1]", "tru", "[1,",
            "{\"a\"",
        ]
        + [
            #""""#, #"" ""#, #""x""#, #""\u0000""#, #""a\u0000b""#, #""\ud83d""#, #""\ude00x""#,
            #""\ud83d\ude00""#,
            #""\uffff\ufffe""#, #""\u202e\u200d\u0301""#, #""true""#, #""null""#, #""-1""#,
            #""1e300""#, #""nan""#,
            #""inf""#, #""0x7fffffffffffffff""#, #""9223372036854775808""#, #""1.5""#, #""٣""#,
            #""9999999999-01-01""#,
            #""2026-02-31""#, #""0000-00-00""#, #""-62135596801""#, #""99999-12-31T23:59:59Z""#,
            #""../../etc/passwd""#,
            #""'; DROP TABLE cube; --""#, #""%00%ff%zz""#, #""%s%n%x""#, #""a,b,,c""#, #""user:""#,
            #""everyone""#,
            #""00000000-0000-0000-0000-000000000000""#, #""\"^*() AND NEAR/5 OR""#,
            #""in 99999999999 days""#,
            #""99999999999999999999 years ago""#,
        ]

    static let large: [String] = [
        "\"" + String(repeating: "a", count: 1 << 20) + "\"",
        "\"" + String(repeating: "word. ", count: 1 << 17) + "\"",
        "\"" + String(repeating: "e\u{301}", count: 1 << 18) + "\"",
        String(repeating: "[", count: 400) + String(repeating: "]", count: 400),
        String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000),
        String(repeating: #"{"a":"#, count: 300) + "1" + String(repeating: "}", count: 300),
        "[" + Array(repeating: "\"x\"", count: 50_000).joined(separator: ",") + "]",
        "[" + Array(repeating: #"{"content":"x"}"#, count: 1001).joined(separator: ",") + "]",
        "{" + (0..<5000).map { "\"k\($0)\":\"v\"" }.joined(separator: ",") + "}",
        String(repeating: "9", count: 100_000),
    ]

    static func one(_ random: inout SplitMix64) -> String {
        Int.random(in: 0..<25, using: &random) == 0
            ? large.randomElement(using: &random) ?? "" : small.randomElement(using: &random) ?? ""
    }
}

/// The fields of a route or tool, as its own description has them: a new one is tried without a
/// word here.
private struct Taker {
    var method = "POST", path = ""
    /// Fields by their names, `a.b` for `b` of the object `a`, with a value that would do.
    var fields: [(name: String, valid: String)] = []
    /// Those that must be there.
    var required: Set<String> = []
    /// Those that stand in the path.
    var inPath: Set<String> = []

    /// Reads `properties` of a schema.
    mutating func take(_ schema: JSONValue, under prefix: String = "") {
        let needed = Set((schema["required"]?.array ?? []).compactMap(\.string))
        for (name, member) in (schema["properties"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            fields.append((prefix + name, Self.valid(member)))
            if prefix.isEmpty, needed.contains(name) { required.insert(name) }
            guard prefix.isEmpty else { continue }
            for choice in (member["oneOf"]?.array ?? []) + [member]
            where choice["properties"] != nil {
                take(choice, under: name + ".")
            }
        }
    }

    static func valid(_ schema: JSONValue) -> String {
        if let choice = schema["enum"]?.array?.first?.string { return "\"\(choice)\"" }
        // Over MCP an id may be short.
        if schema["format"]?.string == "uuid" || schema["maxLength"] == 36 { return "ID" }
        return switch schema["type"]?.string {
        case "integer", "number": "1"
        case "boolean": "true"
        case "array":
            schema["items"]?["type"]?.string == "object"
                ? #"[{"role":"user","content":"x"}]"# : #"["read"]"#
        case "object": "{}"
        default:
            (schema["description"]?.string ?? "").contains("user:NAME")
                ? #""user:bob""# : #""2026-03-01""#
        }
    }

    /// An object with what must be there, and one field with a value of ours.
    func object(_ field: String, _ value: String, id: String) -> String {
        var members = fields.filter {
            required.contains($0.name) && $0.name != field && !inPath.contains($0.name)
        }
        .map { "\"\($0.name)\":\($0.valid)" }
        let parts = field.split(separator: ".")
        members.append(
            parts.count == 2
                ? "\"\(parts[0])\":{\"\(parts[1])\":\(value)}" : "\"\(field)\":\(value)")
        return "{\(members.joined(separator: ","))}".replacing("ID", with: "\"\(id)\"")
    }
}

@Suite(.serialized) struct FuzzTests {
    private static let seed: UInt64 = 30

    private func takers(_ document: JSONValue) -> [Taker] {
        var takers: [Taker] = []
        for (path, methods) in (document["paths"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            for (method, operation) in (methods.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                var taker = Taker(method: method.uppercased(), path: path)
                for parameter in operation["parameters"]?.array ?? [] {
                    guard let name = parameter["name"]?.string else { continue }
                    taker.fields.append((name, Taker.valid(parameter["schema"] ?? .null)))
                    if parameter["required"] == true { taker.required.insert(name) }
                    if parameter["in"]?.string == "path" { taker.inPath.insert(name) }
                }
                taker.take(
                    operation["requestBody"]?["content"]?["application/json"]?["schema"] ?? .null)
                takers.append(taker)
            }
        }
        return takers
    }

    /// The text of a value as a path or query carries it.
    private func encoded(_ value: String) -> String {
        let text = (try? JSONValue(parsing: Array(value.utf8)))?.string ?? value
        return text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "x"
    }

    private func request(_ taker: Taker, _ field: String, _ value: String, _ base: URL, id: String)
        -> (URL, String?)?
    {
        var path = taker.path
        var query: [String] = []
        for one in taker.fields where taker.inPath.contains(one.name) {
            let text =
                one.name == field ? encoded(value) : one.valid == "ID" ? id : encoded(one.valid)
            path = path.replacing("{\(one.name)}", with: text.isEmpty ? "%20" : text)
        }
        let hasBody = ["POST", "PATCH", "PUT"].contains(taker.method)
        if !hasBody, !taker.inPath.contains(field) { query = ["\(field)=\(encoded(value))"] }
        let text = "\(base)\(path)" + (query.isEmpty ? "" : "?" + query.joined())
        // Longer ones do not pass as a header.
        guard text.utf8.count < 8192, let url = URL(string: text) else { return nil }
        let body = taker.inPath.contains(field) ? "{}" : taker.object(field, value, id: id)
        return (url, hasBody ? body : nil)
    }

    @Test func `no value in any field of any route ends the server, breaks it or holds it up`()
        async throws
    {
        try await withServer(embedder: ToyEmbedder(), change: { $0.requestsPerMinute = 0 }) {
            base, _, memory in
            let takers = takers(
                try await send("GET", base.appendingPathComponent("openapi.json")).json)
            let places = takers.flatMap { taker in taker.fields.map { (taker, $0.name) } }
            #expect(takers.count > 25 && places.count > 120)
            var random = SplitMix64(seed: Self.seed)
            var id = ""
            for turn in 0..<1500 {
                if turn % 10 == 0 {
                    let made = try await send(
                        "POST", base.appendingPathComponent("v1/memories"),
                        json(["text": .string("Note \(turn)")]))
                    id = made.json["memories"]?.array?.first?["id"]?.string ?? id
                }
                // A multiplier without a common divisor visits every place before any a second time.
                let (taker, field) = places[turn * 7919 % places.count]
                let value = Extremes.one(&random)
                guard let (url, body) = request(taker, field, value, base, id: id) else { continue }
                func ask() async throws -> (Int, Duration) {
                    let start = ContinuousClock.now
                    let answer = try await send(taker.method, url, body.map { Data($0.utf8) })
                    return (answer.status, ContinuousClock.now - start)
                }
                var (status, time) = try await ask()
                // Other tests may have the machine: what holds the server up takes minutes.
                if time > .seconds(2) { (status, time) = try await ask() }
                #expect(
                    status < 500 && time < .seconds(20),
                    "\(taker.method) \(taker.path) \(field) = \(value.prefix(60)): \(status) in \(time)"
                )
            }
            for body in [
                "", "null", "[]", "3", "\"x\"", "{", "\u{0}",
                String(repeating: "[", count: 1 << 20),
            ] {
                for taker in takers where taker.method == "POST" {
                    let url = URL(string: "\(base)\(taker.path.replacing("{id}", with: id))")!
                    #expect(
                        try await send("POST", url, Data(body.utf8)).status < 500,
                        "\(taker.path) with \(body.prefix(9))")
                }
            }
            #expect(try await send("GET", base.appendingPathComponent("healthz")).status == 200)
            let findings = try memory.store.check(repair: false, by: .local)
            #expect(findings.allSatisfy { $0.sound }, "\(findings.filter { !$0.sound })")
        }
    }

    @Test func `no value in any argument of any tool ends the session or breaks it`() async throws {
        let path = NSTemporaryDirectory() + "mneme-\(UUID().uuidString)/store.db"
        let store = try SQLiteMemoryStore(path: path, analyzer: MemoryOS.analyzerVersion)
        let session = MCPSession(
            memory: MemoryOS(store: store, embedder: nil), principal: .local, version: "test")
        func ask(_ text: String) async throws -> JSONValue {
            try JSONValue(parsing: Array(try #require(await session.answer(Array(text.utf8))).utf8))
        }
        let list = try await ask(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
        let takers = (list["result"]?["tools"]?.array ?? []).map { tool in
            var taker = Taker(path: tool["name"]?.string ?? "")
            taker.take(tool["inputSchema"] ?? .null)
            return taker
        }
        let places = takers.flatMap { taker in taker.fields.map { (taker, $0.name) } }
        #expect(places.count > 80)
        var random = SplitMix64(seed: Self.seed)
        var id = ""
        for turn in 0..<600 {
            if turn % 10 == 0 {
                let text = #"{"name":"remember","arguments":{"text":"Note \#(turn)"}}"#
                let made = try await ask(
                    #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":\#(text)}"#)
                id =
                    made["result"]?["structuredContent"]?["memories"]?.array?.first?["id"]?.string
                    ?? id
            }
            let (taker, field) = places[turn * 7919 % places.count]
            let value = Extremes.one(&random)
            let call =
                #"{"name":"\#(taker.path)","arguments":\#(taker.object(field, value, id: id))}"#
            let answer = try await ask(
                #"{"jsonrpc":"2.0","id":\#(turn),"method":"tools/call","params":\#(call)}"#)
            let text = answer["result"]?["content"]?.array?.first?["text"]?.string ?? ""
            #expect(
                !text.contains("The server failed")
                    && (answer["result"] != nil || answer["error"] != nil),
                "\(taker.path) \(field) = \(value.prefix(60)): \(text.prefix(200))")
        }
        for value in Extremes.small {
            for message in [
                value, #"{"jsonrpc":"2.0","id":1,"method":\#(value)}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"ping","params":\#(value)}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":\#(value)}}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"recall","arguments":\#(value)}}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":\#(value)}}"#,
                #"{"jsonrpc":\#(value),"id":1,"method":"ping"}"#,
                #"{"jsonrpc":"2.0","id":\#(value),"method":"ping"}"#,
            ] {
                if let answer = await session.answer(Array(message.utf8)) {
                    _ = try JSONValue(parsing: Array(answer.utf8))
                }
            }
        }
    }
}
