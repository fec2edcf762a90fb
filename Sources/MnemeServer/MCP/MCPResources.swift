import Foundation
import Mneme
import MnemeStore

/// Memories as resources, for hosts that let their user choose what a model reads:
/// `mneme://memories/USER/ID`.
struct MCPResources: Sendable {
    /// Memories of a page.
    private static let page = 50
    /// The prefix of a memory's address.
    private static let scheme = "mneme://memories/"

    /// The context of the caller; what is listed and read is recorded as list and get.
    let context: OperationContext
    /// Whose memories they are.
    let memory: MemoryOS

    /// The address of a memory.
    ///
    /// - Returns: such as `mneme://memories/ana/01a2230c-56a5-7000-9db6-714d7a470a34`.
    static func address(of id: String, owner: Owner) -> String {
        let user = owner.user.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
        return "\(scheme)\(user ?? "")/\(id)"
    }

    /// `resources/templates/list`.
    static let templates = MCPResult(
        [
            "resourceTemplates": [
                [
                    "uriTemplate": "mneme://memories/{user}/{id}", "name": "memory",
                    "title": "A memory", "description": "One memory of a user, by its id.",
                    "mimeType": "text/plain",
                ]
            ]
        ], lifetime: MCPResult.listLifetime)

    /// `resources/list`: the caller's own memories, the newest first, page by page.
    ///
    /// - Parameter cursor: what the page before said; nil for the first.
    /// - Throws: ``MCPError`` for a cursor that is none, and what reading throws.
    func list(after cursor: JSONValue?) async throws -> MCPResult {
        var arguments: [String: JSONValue] = ["limit": .number(Double(Self.page))]
        if let cursor, cursor != .null {
            guard let id = cursor.string, CubeID(id) != nil else {
                throw MCPError(
                    .invalidParams, "'cursor' is none that a page ended with. Begin without one.")
            }
            // Ids order by time: what is remembered meanwhile does not shift the page.
            arguments["after"] = .string(id)
        }
        let found = try await MCPTool.answer(ListOperation.self, arguments, context)
        var members: [String: JSONValue] = [
            "resources": .array((found["memories"]?.array ?? []).map(resource))
        ]
        members["nextCursor"] = found["next"]
        return MCPResult(members, lifetime: .zero)
    }

    /// `resources/read`: a memory's text.
    ///
    /// - Throws: ``MCPError`` for an address that is none, and what reading throws.
    func read(_ address: String?) async throws -> MCPResult {
        guard let address, address.hasPrefix(Self.scheme),
            case let parts = address.dropFirst(Self.scheme.count).split(separator: "/"),
            parts.count == 2, let user = parts[0].removingPercentEncoding
        else {
            throw MCPError(
                .invalidParams,
                "'uri' is no memory's. Addresses look like \(Self.scheme)USER/ID; resources/list names them."
            )
        }
        // Of the caller's own tenant: no address leads to another.
        let owner = try context.principal.owner(tenant: nil, user: user)
        let caller = Caller(
            context.principal, operation: GetOperation.name, request: context.request, time: context.now)
        let id = try await ShortID.whole(
            String(parts[1]), owner: owner, memory: memory, by: caller)
        let found = try await MCPTool.answer(
            GetOperation.self, ["id": .string(id), "user": .string(user)], context)
        return MCPResult(
            [
                "contents": [
                    [
                        "uri": .string(address), "mimeType": "text/plain",
                        "text": found["memory"]?["text"] ?? "",
                    ]
                ]
            ], lifetime: .zero)
    }

    /// A memory as lists show it: its id, first words, day and kind.
    private func resource(_ memory: JSONValue) -> JSONValue {
        let id = memory["id"]?.string ?? ""
        let owner = context.principal.home
        let about = [memory["eventTime"]?.string.map { String($0.prefix(10)) }, memory["type"]?.string]
        return [
            "uri": .string(Self.address(of: id, owner: owner)), "name": .string(ShortID.of(id)),
            "title": .string(MemoryText.title(of: memory)),
            "description": .string(about.compactMap(\.self).joined(separator: ", ")),
            "mimeType": "text/plain",
            "size": .number(Double(memory["text"]?.string?.utf8.count ?? 0)),
            "annotations": ["lastModified": memory["updatedTime"] ?? ""],
        ]
    }
}
