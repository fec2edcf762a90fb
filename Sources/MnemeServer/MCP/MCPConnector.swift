import Foundation
import Mneme
import MnemeStore

/// The tools that connectors ask for, ChatGPT's among them: `search` answers ids, titles and
/// addresses, `fetch` one text. Each takes a single text, and answers the same as text and as
/// structure.
/// See https://developers.openai.com/api/docs/mcp.
struct MCPConnector: Sendable {
    /// The tool that answers what fits a question.
    static let searchName = "search"
    /// The tool that answers one memory.
    static let fetchName = "fetch"
    /// Memories that a search answers.
    private static let limit = 10

    /// The memory that is searched.
    let memory: MemoryOS
    /// The context of the caller; what is found is recorded as recall and get.
    let context: OperationContext
    /// The base URL of memories over HTTP, such as `https://memory.example.org`; nil if it has not.
    let base: String?

    /// A tool's definition.
    static func definition(_ name: String) -> JSONValue {
        // No argument but the one: connectors know no other.
        let isSearch = name == searchName
        let text: JSONValue = ["type": "string"]
        let entry: [String: JSONValue] = ["id": text, "title": text, "url": text]
        let output: JSONValue =
            isSearch
            ? .objectSchema(
                properties: ["results": .listSchema(of: .objectSchema(properties: entry, required: nil))],
                required: ["results"])
            : .objectSchema(
                properties: entry.merging([
                    "text": text,
                    "metadata": ["type": "object", "additionalProperties": text],
                ]) { $1 }, required: ["id", "text", "title", "url"])
        let argument = isSearch ? "query" : "id"
        return MCPTool.definition(
            name,
            description: isSearch
                ? "Search memories for a connector; recall says more."
                : "Fetch one memory's text by an id of search.",
            input: .objectSchema(properties: [argument: text], required: [argument]), output: output,
            hints: MCPTool.readingHints)
    }

    /// The answer of a tool.
    ///
    /// - Throws: `InputError`, ``MnemeStore/StoreError``, ``MnemeStore/AccessError``.
    func answer(_ name: String, _ arguments: [String: JSONValue]) async throws -> JSONValue {
        name == Self.searchName ? try await search(arguments) : try await fetch(arguments)
    }

    /// Up to ``limit`` memories as `{id, title, url}`, the best first.
    private func search(_ arguments: [String: JSONValue]) async throws -> JSONValue {
        var arguments = arguments
        // A connector asks again rather than for more.
        arguments["limit"] = .number(Double(Self.limit))
        let found = try await MCPTool.answer(RecallOperation.self, arguments, context)
        let results = (found["memories"]?.array ?? []).compactMap { item -> JSONValue? in
            item["memory"].map { entry($0) }.map { .object($0) }
        }
        return ["results": .array(results)]
    }

    /// One memory as `{id, title, url, text, metadata}`. The metadata are texts, as the protocol has them.
    private func fetch(_ arguments: [String: JSONValue]) async throws -> JSONValue {
        var arguments = arguments
        guard let id = arguments["id"]?.string else {
            throw InputError("'id' is missing: one that search answered.")
        }
        let caller = Caller(
            context.principal, operation: Self.fetchName, request: context.request, time: context.now)
        arguments["id"] = .string(
            try await ShortID.whole(
                id, owner: context.principal.home, memory: memory, by: caller))
        let found = try await MCPTool.answer(GetOperation.self, arguments, context)
        guard let memory = found["memory"] else {
            throw StoreError(.notFound, "There is no memory \(id).")
        }
        var result = entry(memory)
        result["text"] = memory["text"] ?? ""
        var metadata: [String: JSONValue] = [:]
        for name in ["eventTime", "speaker", "type", "validUntil"] {
            metadata[name] = memory[name]
        }
        result["metadata"] = .object(metadata)
        return .object(result)
    }

    /// Members of a memory in the answers of both search and fetch.
    private func entry(_ memory: JSONValue) -> [String: JSONValue] {
        let id = memory["id"]?.string ?? ""
        return [
            "id": .string(id), "title": .string(MemoryText.title(of: memory)),
            "url": .string(address(id)),
        ]
    }

    /// Clients cite only what has an address.
    ///
    /// - Returns: the memory's address over HTTP, or that of its resource.
    private func address(_ id: String) -> String {
        base.map { "\($0)/v1/memories/\(id)" }
            ?? MCPResources.address(of: id, owner: context.principal.home)
    }
}
