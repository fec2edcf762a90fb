import Mneme
import MnemeBase
import MnemeEngine

/// Messages of Anthropic's API, whose content is a text or a list of blocks, as the messages of a
/// chat: a call's result is a message of its own here.
enum MessagesContent {
    /// The messages of a chat that one message of the API stands for: results of calls come first,
    /// each as a message of its own, then what was said.
    ///
    /// - Parameters:
    ///   - written: the same message with its members in their order, as a call's input is shown to
    ///     the model as it was written.
    ///   - path: names the message in errors.
    /// - Throws: `InputError`.
    static func messages(
        _ message: JSONValue, written: OrderedJSON, _ path: String
    ) throws -> [ChatMessage] {
        guard let role = message["role"]?.string, ["user", "assistant", "system"].contains(role)
        else { throw InputError("'\(path).role' must be user, assistant or system.") }
        if let text = message["content"]?.string { return [ChatMessage(role: role, content: text)] }
        guard let blocks = message["content"]?.array else {
            throw InputError("'\(path).content' must be a text or a list of blocks.")
        }
        var results: [ChatMessage] = []
        var said = ChatMessage(role: role, content: "")
        for (i, block) in blocks.enumerated() {
            let name = "\(path).content[\(i)]"
            let fields = JSONFields(block.object ?? [:], path: name)
            switch (role, block["type"]?.string) {
            case (_, "text"): said.content += try require(fields.text("text"), "\(name).text")
            // What a model thought is not told to the next one.
            case ("assistant", "thinking"), ("assistant", "redacted_thinking"): continue
            case ("assistant", "tool_use"):
                let input = written["content"]?[i]?["input"]
                guard let input, input.members != nil else {
                    throw InputError("'\(name).input' must be an object.")
                }
                said.toolCalls.append(
                    ToolCall(
                        id: try require(fields.text("id"), "\(name).id"),
                        name: try require(fields.text("name"), "\(name).name"),
                        arguments: input.text))
            case ("user", "tool_result"):
                results.append(
                    ChatMessage(
                        role: "tool",
                        content: try fields["content"].map { try text($0, "\(name).content") } ?? "",
                        toolCallID: try require(fields.text("tool_use_id"), "\(name).tool_use_id")))
            default:
                throw InputError(
                    "'\(name)' of the type '\(block["type"]?.string?.prefix(40) ?? "")' cannot be read in a message of the \(role); text can."
                )
            }
        }
        let isSilent = said.content.isEmpty && said.toolCalls.isEmpty
        return results + (isSilent && !results.isEmpty ? [] : [said])
    }

    /// The text of a content that holds nothing else: a text, or blocks of it.
    ///
    /// - Throws: `InputError`.
    static func text(_ content: JSONValue, _ path: String) throws -> String {
        if let text = content.string { return text }
        guard let blocks = content.array else {
            throw InputError("'\(path)' must be a text or a list of text blocks.")
        }
        return try blocks.map { block in
            guard block["type"]?.string == "text", let text = block["text"]?.string else {
                throw InputError("'\(path)' must hold blocks of the type text alone.")
            }
            return text
        }.joined(separator: "\n")
    }

    /// A text that must be there.
    private static func require(_ text: String?, _ name: String) throws -> String {
        guard let text else { throw InputError("'\(name)' is missing: a text.") }
        return text
    }
}

/// Tools as Anthropic's clients define them.
enum MessagesTool {
    /// A tool's definition: one of the caller's own, or the memory tool, whose schema is known.
    ///
    /// - Parameter written: the definition with its members in their order.
    /// - Returns: nil for a tool that Anthropic runs itself, such as web search, or that has another
    ///   form.
    /// - Throws: `InputError`, `EngineError`.
    static func definition(
        _ tool: JSONValue, written: OrderedJSON, _ path: String
    ) throws -> ToolDefinition? {
        let fields = JSONFields(tool.object ?? [:], path: path)
        let name = try fields.text("name")
        switch try fields.text("type") {
        case nil, "custom": break
        case MemoryToolFields.type:
            return try ToolDefinition(
                name: name ?? "memory", description: MemoryToolFields.description,
                parameters: try OrderedJSON(MemoryToolFields.schema))
        default: return nil
        }
        guard let name, let schema = written["input_schema"], schema.members != nil else {
            throw InputError("'\(path)' must have a 'name' and an 'input_schema'.")
        }
        return try ToolDefinition(
            name: name, description: try fields.text("description") ?? "", parameters: schema,
            isStrict: try fields.flag("strict") ?? false)
    }
}
