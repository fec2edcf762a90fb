import Mneme
import MnemeEngine

/// Items of the Responses API: what was said, and calls of tools with their results.
enum ResponseItems {
    /// The items, each with an id, which those of a request need not have.
    ///
    /// - Throws: `InputError` for an item that is no object.
    static func named(_ items: [JSONValue]) throws -> [JSONValue] {
        try items.enumerated().map { i, item in
            guard case .object(var members) = item else {
                throw InputError("'input[\(i)]' must be an object.")
            }
            if members["type"] == nil || members["type"] == .null { members["type"] = "message" }
            if members["id"]?.string == nil { members["id"] = .string(AnswerID.new("msg_")) }
            return .object(members)
        }
    }

    /// Items as the messages of a chat.
    ///
    /// - Throws: `InputError` for items that cannot be read.
    static func messages(_ items: [JSONValue]) throws -> [ChatMessage] {
        var messages: [ChatMessage] = []
        for (i, item) in items.enumerated() {
            let path = "input[\(i)]"
            let fields = JSONFields(item.object ?? [:], path: path)
            switch try fields.text("type") {
            case "message", nil:
                let role = try fields.text("role") ?? ""
                guard ["user", "assistant", "system", "developer"].contains(role) else {
                    throw InputError("'\(path).role' must be user, assistant, system or developer.")
                }
                messages.append(
                    ChatMessage(
                        role: role == "developer" ? "system" : role,
                        content: try text(fields["content"], "\(path).content")))
            case "function_call":
                let call = ToolCall(
                    id: try require(fields, "call_id", path),
                    name: try require(fields, "name", path),
                    arguments: try require(fields, "arguments", path))
                // Calls behind a text are the same message's.
                if messages.last?.role == "assistant" {
                    messages[messages.count - 1].toolCalls.append(call)
                } else {
                    messages.append(ChatMessage(role: "assistant", content: "", toolCalls: [call]))
                }
            case "function_call_output":
                messages.append(
                    ChatMessage(
                        role: "tool", content: try text(fields["output"], "\(path).output"),
                        toolCallID: try require(fields, "call_id", path)))
            // What a model thought is not told to the next one.
            case "reasoning": continue
            case let type?:
                throw InputError("'\(path)' of the type '\(type.prefix(40))' cannot be read here.")
            }
        }
        return messages
    }

    /// A page with all items.
    static func list(_ items: [JSONValue]) -> JSONValue {
        [
            "object": "list", "data": .array(items), "has_more": false,
            "first_id": items.first?["id"] ?? .null, "last_id": items.last?["id"] ?? .null,
        ]
    }

    /// A text that an item must have.
    private static func require(
        _ fields: JSONFields, _ name: String, _ path: String
    ) throws -> String {
        guard let text = try fields.text(name) else {
            throw InputError("'\(path).\(name)' is missing: a text.")
        }
        return text
    }

    /// The text of a content: one text, or parts of the types in which clients send and repeat it.
    /// Images and files are refused: no model here reads them.
    private static func text(_ content: JSONValue?, _ path: String) throws -> String {
        switch content {
        case .string(let text): return text
        case .array(let parts):
            let types = ["input_text", "output_text", "text"]
            return try parts.map { part in
                guard types.contains(part["type"]?.string ?? ""), let text = part["text"]?.string
                else { throw InputError("'\(path)': only text can be read.") }
                return text
            }.joined()
        case nil, .null: return ""
        default: throw InputError("'\(path)' must be a text or a list of texts.")
        }
    }
}
