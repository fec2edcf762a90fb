import Foundation
import Mneme
import MnemeBase
import MnemeServer
import MnemeStore
import Testing

/// A session on a store of its own, asked as a client asks.
struct MCPFixture {
    let memory: MemoryOS
    let session: MCPSession

    init(
        permissions: Set<Permission> = Set(Permission.allCases), user: String? = nil,
        tools: MCPToolSet = .all, embedder: (any TextEmbedder)? = nil
    ) throws {
        let path = NSTemporaryDirectory() + "mneme-\(UUID().uuidString)/store.db"
        memory = MemoryOS(
            store: try SQLiteMemoryStore(path: path, analyzer: MemoryOS.analyzerVersion),
            embedder: embedder)
        session = MCPSession(
            memory: memory, principal: Principal(name: "t", permissions: permissions, user: user),
            version: "test", tools: tools)
    }

    static func request(_ method: String, _ parameters: JSONValue = [:], id: Int = 1) throws -> String {
        try OperationTable.encode(
            [
                "jsonrpc": "2.0", "id": .number(Double(id)), "method": .string(method),
                "params": parameters,
            ] as JSONValue)
    }

    static func call(_ tool: String, _ arguments: JSONValue, id: Int = 1) throws -> String {
        try request("tools/call", ["name": .string(tool), "arguments": arguments], id: id)
    }

    /// The answer to a request.
    func ask(_ method: String, _ parameters: JSONValue = [:]) async throws -> JSONValue {
        let text = try Self.request(method, parameters)
        let answer = try #require(await session.answer(Array(text.utf8)))
        return try JSONValue(parsing: Array(answer.utf8))
    }

    /// The answer of a tool.
    func call(_ tool: String, _ arguments: JSONValue = [:]) async throws -> (
        text: String, structure: JSONValue, isError: Bool
    ) {
        let answer = try await ask(
            "tools/call", ["name": .string(tool), "arguments": arguments])
        let result = try #require(answer["result"], "\(answer)")
        return (
            result["content"]?[0]?["text"]?.string ?? "", result["structuredContent"] ?? .null,
            result["isError"] == true
        )
    }

    /// Remembers a text and answers its id.
    func remember(_ text: String, _ more: [String: JSONValue] = [:]) async throws -> String {
        let arguments = more.merging(["text": .string(text)]) { $1 }
        let made = try await call("remember", .object(arguments))
        return try #require(made.structure["memories"]?[0]?["id"]?.string, "\(made)")
    }

    /// The definitions of the tools that are offered, by name.
    func tools() async throws -> [String: JSONValue] {
        let list = try await ask("tools/list")["result"]?["tools"]?.array ?? []
        return Dictionary(uniqueKeysWithValues: list.map { ($0["name"]?.string ?? "", $0) })
    }
}

/// The places of a value that break a JSON schema: the keywords that our own schemas use.
func violations(of schema: JSONValue, in value: JSONValue, at place: String = "$") -> [String] {
    var found: [String] = []
    let isRight =
        switch schema["type"]?.string {
        case "object": value.object != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "number": value.double != nil
        case "integer": value.double.map { Int(exactly: $0) != nil } ?? false
        case "boolean": value == true || value == false
        default: false
        }
    if !isRight { found.append("\(place) is no \(schema["type"]?.string ?? "type at all")") }
    for name in schema["required"]?.array ?? [] where value[name.string ?? ""] == nil {
        found.append("\(place) lacks \(name.string ?? "")")
    }
    for (name, member) in value.object ?? [:] {
        if let known = schema["properties"]?[name] ?? schema["additionalProperties"],
            known.object != nil
        {
            found += violations(of: known, in: member, at: "\(place).\(name)")
        }
    }
    if let items = schema["items"] {
        for (i, element) in (value.array ?? []).enumerated() {
            found += violations(of: items, in: element, at: "\(place)[\(i)]")
        }
    }
    return found
}
