import MnemeModels

/// A chat template, and which messages it takes: found by rendering it when the model is loaded,
/// whatever the model is called.
///
/// Some templates refuse a system message, or leave it out; some demand that roles alternate. What
/// they would not take is told in the messages that they do take.
package struct ChatForm: Sendable {
    /// A template's rule for system messages.
    package enum System: Sendable { case anywhere, first, nowhere }

    private let template: ChatTemplate
    private let begin: String, end: String
    /// The rule for system messages.
    package let system: System
    /// True if messages of one role may follow each other.
    package let takesRuns: Bool
    /// The template's way with tools; nil if it does not know them.
    private let tools: ToolTemplate?

    /// The format of tool calls of a model with this template.
    package var toolFormat: ToolFormat { tools?.format ?? .hermes }

    /// - Parameters:
    ///   - begin: the name of the token that begins a text.
    ///   - end: the name of the token that ends an answer.
    /// - Throws: ``MnemeText/TemplateError`` if the template cannot be read.
    package init(_ text: String, begin: String, end: String) throws {
        let template = try ChatTemplate(text)
        /// True if all messages of such a conversation come into the prompt.
        func takes(_ roles: String...) -> Bool {
            let messages = roles.enumerated().map {
                ChatMessage(role: $1, content: "probe\($0)probe")
            }
            guard
                let prompt = try? Self.render(
                    template, messages.map(Self.value), tools: [], begin, end)
            else {
                return false
            }
            return messages.allSatisfy { prompt.contains($0.content) }
        }
        (self.template, self.begin, self.end) = (template, begin, end)
        tools = ToolTemplate(text) {
            try? Self.render(template, $0, tools: $1, begin, end)
        }
        // What fails with a plain question says nothing about roles.
        guard takes("user") else {
            (system, takesRuns) = (.anywhere, true)
            return
        }
        takesRuns = takes("user", "user", "assistant", "assistant", "user")
        system =
            !takes("system", "user")
            ? .nowhere
            : takes("system", "system", "user", "assistant", "system", "user") ? .anywhere : .first
    }

    /// The prompt.
    ///
    /// - Parameters:
    ///   - tools: what the model may call.
    ///   - guarded: makes a text of the client's safe to stand in a prompt.
    /// - Throws: ``MnemeText/TemplateError`` with the template's own words if it refuses the
    ///   messages.
    package func prompt(
        _ messages: [ChatMessage], tools offered: [ToolDefinition] = [],
        guarded: (String) -> String = { $0 }
    ) throws -> String {
        var messages = messages.map { message in
            var message = message
            message.content = guarded(message.content)
            for i in message.toolCalls.indices {
                message.toolCalls[i].name = guarded(message.toolCalls[i].name)
                message.toolCalls[i].arguments = guarded(message.toolCalls[i].arguments)
            }
            return message
        }
        guard let tools else {
            messages = messages.map(ToolPrompt.asText)
            if !offered.isEmpty {
                let text = ToolPrompt.system(offered, guarded)
                if messages.first?.role == "system" {
                    messages[0].content += Self.gap + text
                } else {
                    messages.insert(ChatMessage(role: "system", content: text), at: 0)
                }
            }
            return try Self.render(template, values(fitted(messages)), tools: [], begin, end)
        }
        return try Self.render(
            template, values(fitted(messages), tools), tools: offered.map { $0.value(guarded) },
            begin, end)
    }

    private func values(_ messages: [ChatMessage]) -> [JinjaValue] { messages.map(Self.value) }

    private static func value(_ message: ChatMessage) -> JinjaValue {
        ["role": .string(message.role), "content": .string(message.content)]
    }

    /// The messages with calls and results as a template takes them.
    private func values(_ messages: [ChatMessage], _ tools: ToolTemplate) -> [JinjaValue] {
        var values: [[(key: String, value: JinjaValue)]] = []
        var names: [String: String] = [:]
        for message in messages {
            var value: [(key: String, value: JinjaValue)] = [
                ("role", .string(message.role)), ("content", .string(message.content)),
            ]
            func id(_ id: String) -> String { tools.takesAnyID ? id : ToolCall.shortID(id) }
            if !message.toolCalls.isEmpty {
                let calls = message.toolCalls.map { call in
                    names[call.id] = call.name
                    var call = call
                    call.id = id(call.id)
                    return call.value(asObject: tools.takesObjects)
                }
                value.append(("tool_calls", .list(calls)))
            }
            if message.role == "tool" {
                let name = message.toolCallID.flatMap { names[$0] } ?? ""
                if tools.takesResponses, let last = values.indices.last {
                    Self.add(response: message.content, of: name, to: &values[last])
                    continue
                }
                value.append(("tool_call_id", .string(id(message.toolCallID ?? ""))))
                value.append(("name", .string(name)))
            }
            values.append(value)
        }
        return values.map { .object($0) }
    }

    /// Adds a result to the message with its call.
    private static func add(
        response: String, of name: String, to message: inout [(key: String, value: JinjaValue)]
    ) {
        let value: JinjaValue = ["name": .string(name), "response": .string(response)]
        if let i = message.firstIndex(where: { $0.key == "tool_responses" }),
            case .list(let others) = message[i].value
        {
            message[i].value = .list(others + [value])
        } else {
            message.append(("tool_responses", [value]))
        }
    }

    private static func render(
        _ template: ChatTemplate, _ messages: [JinjaValue], tools: [JinjaValue], _ begin: String,
        _ end: String
    ) throws -> String {
        var variables: [String: JinjaValue] = [
            "messages": .list(messages), "add_generation_prompt": true,
            "bos_token": .string(begin), "eos_token": .string(end),
        ]
        if !tools.isEmpty { variables["tools"] = .list(tools) }
        return try template.render(variables)
    }

    /// The messages as the template takes them: what a system message says stands before what the
    /// user says next, and neighbours of one role are one message.
    func fitted(_ messages: [ChatMessage]) -> [ChatMessage] {
        var result: [ChatMessage] = []
        var told: [String] = []
        var hasBegun = false
        for message in messages {
            defer { hasBegun = hasBegun || message.role != "system" }
            if message.role == "system", system == .nowhere || system == .first && hasBegun {
                told.append(message.content)
            } else if message.role == "system", system == .first, let first = result.indices.first {
                result[first].content += Self.gap + message.content
            } else if message.role == "user", !told.isEmpty {
                append(
                    ChatMessage(
                        role: "user",
                        content: (told + [message.content]).joined(separator: Self.gap)),
                    to: &result)
                told = []
            } else {
                append(message, to: &result)
            }
        }
        // Nobody said anything after it.
        if !told.isEmpty {
            append(
                ChatMessage(role: "user", content: told.joined(separator: Self.gap)), to: &result)
        }
        return result
    }

    private static let gap = "\n\n"

    private func append(_ message: ChatMessage, to messages: inout [ChatMessage]) {
        let merges =
            !takesRuns && (message.role == "user" || message.role == "assistant")
            && messages.last?.role == message.role && message.toolCalls.isEmpty
            && messages.last?.toolCalls.isEmpty == true
        if merges {
            messages[messages.count - 1].content += Self.gap + message.content
        } else {
            messages.append(message)
        }
    }
}
