import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite struct MCPMessageTests {
    private func session() throws -> MCPSession {
        let path = NSTemporaryDirectory() + "mneme-\(UUID().uuidString)/store.db"
        let store = try SQLiteMemoryStore(path: path, analyzer: MemoryOS.analyzerVersion)
        return MCPSession(
            memory: MemoryOS(store: store, embedder: nil), principal: .local, version: "test")
    }

    @Test(arguments: [
        "0", "-5", "1774232524389", "9007199254740993", "1915883588174806058",
        "18446744073709551616",
        "-123456789012345678901234567890", "1.50", "1E2", #""7""#, #""f2c59d63-a7a7""#,
        #""ünï \" \\ \n""#, #""""#,
    ])
    func `an id comes back as it was sent`(id: String) async throws {
        let session = try session()
        for method in ["ping", "tools/list", "no/such", "initialize"] {
            let text = #"{"method":"\#(method)","id":\#(id),"jsonrpc":"2.0"}"#
            let answer = try #require(await session.answer(Array(text.utf8)))
            #expect(answer.hasPrefix(#"{"id":\#(id),"#), "\(answer.prefix(80))")
        }
        let ping = #"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#
        let batch = try #require(await session.answer(Array("[\(ping), \(ping)]".utf8)))
        #expect(
            batch
                == #"[{"id":\#(id),"jsonrpc":"2.0","result":{}},{"id":\#(id),"jsonrpc":"2.0","result":{}}]"#
        )
    }

    @Test(arguments: ["1e999", "-1e999", "null", "{}", "[1]", "true"])
    func `an id that a client could not read back is refused`(id: String) async throws {
        let text = #"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#
        let answer = try #require(await session().answer(Array(text.utf8)))
        let json = try JSONValue(parsing: Array(answer.utf8))
        #expect(json["error"]?["code"] == -32600 && json["id"] == .null)
    }

    @Test func `every parameter of every tool has a type`() async throws {
        let answer = try #require(
            await session().answer(Array(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.utf8)))
        let tools = try JSONValue(parsing: Array(answer.utf8))["result"]?["tools"]?.array ?? []
        #expect(tools.count > 10)
        func check(_ schema: JSONValue, _ name: String) {
            let type = schema["type"]?.string
            #expect(type != nil, "\(name) has no type")
            if type == "array" {
                #expect(schema["items"] != nil, "\(name) has no items")
                if let items = schema["items"] { check(items, name + "[]") }
            }
            if schema["enum"] != nil { #expect(type == "string", "\(name) chooses from no texts") }
            for (member, schema) in schema["properties"]?.object ?? [:] {
                check(schema, "\(name).\(member)")
            }
        }
        for tool in tools { check(tool["inputSchema"] ?? .null, tool["name"]?.string ?? "?") }
    }

    @Test(arguments: [600, 100_000, 2_000_000])
    func `deep nesting is an error at once`(depth: Int) async throws {
        let session = try session()
        let inner = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        for text in [
            inner, #"{"jsonrpc":"2.0","id":1,"method":"ping","params":\#(inner)}"#,
            String(repeating: #"{"a":"#, count: depth),
        ] {
            let start = ContinuousClock.now
            let answer = try #require(await session.answer(Array(text.utf8)))
            #expect(try JSONValue(parsing: Array(answer.utf8))["error"]?["code"] != nil)
            #expect(ContinuousClock.now - start < .seconds(2))
        }
    }

    @Test func `a message that is too long is an error`() async throws {
        let text =
            #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#
            + String(repeating: " ", count: MCPSession.maximumMessage)
        let answer = try #require(await session().answer(Array(text.utf8)))
        #expect(try JSONValue(parsing: Array(answer.utf8))["error"]?["code"] == -32600)
    }
}
