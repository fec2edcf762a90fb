import MnemeBase
import MnemeModels

/// The way in which a chat template writes tools: found by rendering it when the model is loaded.
struct ToolTemplate: Sendable {
    /// The format of calls, in the prompt and from the model.
    let format: ToolFormat
    /// True if the template takes arguments as objects, false if as their JSON text.
    let takesObjects: Bool
    /// True if ids of any length are taken, false if only nine letters and digits.
    let takesAnyID: Bool
    /// True if results stand in the message with the calls, as `tool_responses`.
    let takesResponses: Bool

    /// Name of the tool with which the template is tried.
    private static let probe = "probe_tool"

    /// Tries a template; nil if it does not know tools.
    ///
    /// - Parameters:
    ///   - template: the template's text.
    ///   - render: renders messages and tools, nil for what the template refuses.
    init?(_ template: String, _ render: (_ messages: [JinjaValue], _ tools: [JinjaValue]) -> String?) {
        let question: JinjaValue = ["role": "user", "content": "probe"]
        guard
            let offered = try? ToolDefinition(
                name: Self.probe, description: "probe_description",
                parameters: OrderedJSON(
                    #"{"type":"object","properties":{"probe_key":{"type":"string","description":"x"}},"required":["probe_key"]}"#
                )),
            case let tools = [offered.value { $0 }],
            let prompt = render([question], tools), prompt.contains(Self.probe),
            prompt.contains("probe_description")
        else { return nil }
        let takesResponses = template.contains("tool_responses")
        func history(objects: Bool, id: String) -> String? {
            let call = ToolCall(id: id, name: Self.probe, arguments: #"{"probe_key":"probe_value"}"#)
            return render(
                [
                    question,
                    ["role": "assistant", "content": "", "tool_calls": [call.value(asObject: objects)]],
                    [
                        "role": "tool", "content": "probe_result", "tool_call_id": .string(id),
                        "name": .string(Self.probe),
                    ],
                ], tools)
        }
        let id = "probe0000"
        let object = history(objects: true, id: id)
        // Python's notation of a dictionary says that the template wanted text.
        takesObjects =
            object?.contains("probe_value") == true && object?.contains("'probe_key'") == false
        let text = takesObjects ? object : history(objects: false, id: id)
        guard
            let format = ToolFormat.find(
                history: text ?? "", name: Self.probe, template: template + prompt)
        else { return nil }
        self.format = format
        takesAnyID =
            text == nil || history(objects: takesObjects, id: "probe_of_a_longer_id") != nil
        self.takesResponses = takesResponses
    }
}

extension ToolDefinition {
    /// The tool as templates expect it.
    func value(_ guarded: (String) -> String) -> JinjaValue {
        [
            "type": "function",
            "function": [
                "name": .string(name), "description": .string(guarded(description)),
                "parameters": JinjaValue(parameters, guarded),
            ],
        ]
    }
}

extension ToolCall {
    /// The call as templates expect it.
    func value(asObject: Bool) -> JinjaValue {
        let object = try? OrderedJSON(arguments)
        return [
            "id": .string(id), "type": "function",
            "function": [
                "name": .string(name),
                "arguments": asObject
                    ? object.map { JinjaValue($0) { $0 } } ?? .string(arguments)
                    : .string(arguments),
            ],
        ]
    }

    /// The id, or nine letters and digits that stand for it.
    static func shortID(_ id: String) -> String {
        let isShort =
            id.utf8.count == idLength
            && id.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
            }
        guard !isShort else { return id }
        // FNV-1a.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let text = String(hash, radix: 36)
        return String((String(repeating: "0", count: idLength) + text).suffix(idLength))
    }
}

extension JinjaValue {
    /// A JSON value, its texts changed by `guarded`.
    init(_ json: OrderedJSON, _ guarded: (String) -> String) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .number(let text):
            self = Int(text).map { .integer($0) } ?? .float(Double(text) ?? 0)
        case .string(let text): self = .string(guarded(text))
        case .array(let items): self = .list(items.map { JinjaValue($0, guarded) })
        case .object(let members):
            self = .object(
                members.map { (key: guarded($0.key), value: JinjaValue($0.value, guarded)) })
        }
    }
}

/// The form that models are asked for whose template knows no tools: ``ToolFormat/hermes``, told in
/// the system message.
enum ToolPrompt {
    /// The system message's text about tools.
    static func system(_ tools: [ToolDefinition], _ guarded: (String) -> String) -> String {
        let list = tools.map { tool in
            let description = OrderedJSON.object([
                .init(key: "name", value: .string(tool.name)),
                .init(key: "description", value: .string(tool.description)),
                .init(key: "parameters", value: tool.parameters),
            ])
            return guarded(description.text)
        }
        return """
            You can call these functions, each described by a JSON schema:
            <tools>
            \(list.joined(separator: "\n"))
            </tools>
            To call a function, answer with a JSON object in tags, and nothing else:
            <tool_call>
            {"name": "the function's name", "arguments": {"a parameter": "its value"}}
            </tool_call>
            The result comes in <tool_response> tags; answer the user from it.
            """
    }

    /// The message with its calls and results as text.
    static func asText(_ message: ChatMessage) -> ChatMessage {
        if message.role == "tool" {
            return ChatMessage(
                role: "user",
                content: "<tool_response>\n" + message.content + "\n</tool_response>")
        }
        guard !message.toolCalls.isEmpty else { return message }
        let calls = message.toolCalls.map { call in
            var name = ""
            OrderedJSON.quote(call.name, to: &name)
            return "<tool_call>\n{\"name\": \(name), \"arguments\": \(call.arguments)}\n</tool_call>"
        }
        let text = message.content.isEmpty ? [] : [message.content]
        return ChatMessage(
            role: message.role, content: (text + calls).joined(separator: "\n"))
    }
}
