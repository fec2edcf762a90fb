import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// Responses and conversations that are kept: documents in the caller's own store, so that nobody
/// else's key finds them. Responses are kept for 30 days, conversations until they are erased.
struct ResponseStore: Sendable {
    /// A kept response.
    struct Kept: Sendable {
        /// As it was answered.
        let json: JSONValue
        /// The items that it answered.
        let input: [JSONValue]
        /// The response before it.
        let previous: String?

        /// Items that it adds to those that a later response follows.
        var items: [JSONValue] { input + (json["output"]?.array ?? []) }
    }

    /// Days for which a response is kept that belongs to no conversation, and prefixes of names.
    private static let days = 30.0, responsePrefix = "resp_", conversationPrefix = "conv_"
    /// The longest row of responses that is followed back.
    private static let longest = 1000

    /// Documents in the caller's store.
    private let documents: Documents
    /// The call's time, from which responses expire.
    private let now: Date

    /// The store as a caller sees it.
    init(_ memory: MemoryOS, _ caller: Caller) {
        documents = Documents(memory, of: caller.principal.home, by: caller)
        now = caller.time
    }

    /// A new response's name.
    static func newResponse() -> String { AnswerID.new(responsePrefix) }

    // MARK: Responses

    /// Keeps a response.
    ///
    /// - Parameter conversation: the one that it belongs to.
    /// - Throws: `InputError` if it is larger than a memory may be, and errors of the store.
    func add(_ response: JSONValue, input: [JSONValue], conversation: String?) async throws {
        guard let id = Self.id(response["id"]?.string ?? "", Self.responsePrefix) else { return }
        let text = try OperationTable.encode(
            JSONValue.object(["response": response, "input": .array(input)]))
        try await documents.add(
            text, id: id, tags: conversation.map { [$0] } ?? [],
            expires: conversation == nil ? now.addingTimeInterval(Self.days * 86_400) : nil)
    }

    /// A kept response.
    ///
    /// - Throws: ``ClientError`` if there is none of that id, or it has expired.
    func response(_ id: String) async throws -> Kept {
        guard let cube = Self.id(id, Self.responsePrefix),
            let document = try await documents.find(cube),
            let kept = Self.kept(document), kept.json["id"] != nil
        else { throw Self.missing("response", id) }
        return kept
    }

    /// Erases a kept response. Those that follow it can then not be followed back.
    ///
    /// - Throws: as ``response(_:)``.
    func deleteResponse(_ id: String) async throws {
        _ = try await response(id)
        if let cube = Self.id(id, Self.responsePrefix) { try await documents.erase([cube]) }
    }

    /// All items up to and with a response, the first first.
    ///
    /// - Throws: as ``response(_:)``.
    func items(upTo response: String) async throws -> [JSONValue] {
        var rows: [[JSONValue]] = []
        var next: String? = response
        while let id = next {
            let kept = try await self.response(id)
            rows.append(kept.items)
            next = rows.count < Self.longest ? kept.previous : nil
        }
        return rows.reversed().flatMap { $0 }
    }

    // MARK: Conversations

    /// Begins a conversation.
    func createConversation(
        metadata: [String: JSONValue], items: [JSONValue]
    ) async throws -> JSONValue {
        let id = AnswerID.new(Self.conversationPrefix)
        guard let cube = Self.id(id, Self.conversationPrefix) else { return .null }
        let conversation: JSONValue = [
            "id": .string(id), "object": "conversation",
            "created_at": .number(now.timeIntervalSince1970.rounded(.down)),
            "metadata": .object(metadata),
        ]
        let named = try ResponseItems.named(items)
        _ = try ResponseItems.messages(named)
        let text = try OperationTable.encode(
            JSONValue.object(["conversation": conversation, "input": .array(named)]))
        try await documents.add(text, id: cube, tags: [id])
        return conversation
    }

    /// A conversation without its items.
    ///
    /// - Throws: ``ClientError`` if there is none of that id.
    func conversation(_ id: String) async throws -> JSONValue {
        guard let cube = Self.id(id, Self.conversationPrefix),
            let document = try await documents.find(cube),
            let conversation = try? JSONValue(parsing: Array(document.text.utf8))["conversation"]
        else { throw Self.missing("conversation", id) }
        return conversation
    }

    /// All items of a conversation, the first first.
    ///
    /// - Throws: as ``conversation(_:)``.
    func items(of conversation: String) async throws -> [JSONValue] {
        _ = try await self.conversation(conversation)
        return try await documents.all(tagged: conversation).flatMap {
            Self.kept($0)?.items ?? []
        }
    }

    /// Adds items to a conversation.
    ///
    /// - Returns: the items, each with its id.
    /// - Throws: as ``conversation(_:)``, and `InputError` for items that cannot be read.
    func add(_ items: [JSONValue], to conversation: String) async throws -> [JSONValue] {
        _ = try await self.conversation(conversation)
        let named = try ResponseItems.named(items)
        _ = try ResponseItems.messages(named)
        let text = try OperationTable.encode(JSONValue.object(["input": .array(named)]))
        try await documents.add(text, id: CubeID(), tags: [conversation])
        return named
    }

    /// Erases a conversation with its items and responses.
    ///
    /// - Throws: as ``conversation(_:)``.
    func deleteConversation(_ id: String) async throws {
        _ = try await conversation(id)
        try await documents.erase(try await documents.all(tagged: id).map(\.id))
    }

    // MARK: Names and forms

    /// The document of a name such as `resp_0193…`; nil for any other form.
    private static func id(_ name: String, _ prefix: String) -> CubeID? {
        let digits = Array(name.dropFirst(prefix.count))
        guard name.hasPrefix(prefix), digits.count == 32 else { return nil }
        var text = ""
        for (i, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(i) { text += "-" }
            text.append(digit)
        }
        return CubeID(text)
    }

    /// The response in a document; nil for a document that is not JSON.
    private static func kept(_ document: Documents.Document) -> Kept? {
        guard let json = try? JSONValue(parsing: Array(document.text.utf8)) else { return nil }
        let response = json["response"] ?? [:]
        return Kept(
            json: response, input: json["input"]?.array ?? [],
            previous: response["previous_response_id"]?.string)
    }

    /// The error for a name that leads nowhere; it does not tell expired from never made.
    private static func missing(_ kind: String, _ id: String) -> ClientError {
        ClientError(.notFound, "There is no \(kind) '\(id.prefix(80))' any more, or never was.")
    }
}
