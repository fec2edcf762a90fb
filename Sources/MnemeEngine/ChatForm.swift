import MnemeModels

/// A chat template, and which messages it takes: found by rendering it when the model is loaded,
/// whatever the model is called.
///
/// Some templates refuse a system message, or leave it out; some demand that roles alternate. What
/// they would not take is told in the messages that they do take.
package struct ChatForm: Sendable {
    /// Where a template takes system messages.
    package enum System: Sendable { case anywhere, first, nowhere }

    private let template: ChatTemplate
    private let begin: String, end: String
    /// Where it takes system messages.
    package let system: System
    /// Whether messages of one role may follow each other.
    package let takesRuns: Bool

    /// - Parameters:
    ///   - begin: the name of the token that begins a text.
    ///   - end: the name of the token that ends an answer.
    /// - Throws: ``MnemeText/TemplateError`` if the template cannot be read.
    package init(_ text: String, begin: String, end: String) throws {
        let template = try ChatTemplate(text)
        /// Whether all messages of such a conversation come into the prompt.
        func takes(_ roles: String...) -> Bool {
            let messages = roles.enumerated().map {
                ChatMessage(role: $1, content: "probe\($0)probe")
            }
            guard let prompt = try? Self.render(template, messages, begin, end) else {
                return false
            }
            return messages.allSatisfy { prompt.contains($0.content) }
        }
        (self.template, self.begin, self.end) = (template, begin, end)
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
    /// - Throws: ``MnemeText/TemplateError`` with the template's own words if it refuses the
    ///   messages.
    package func prompt(_ messages: [ChatMessage]) throws -> String {
        try Self.render(template, fitted(messages), begin, end)
    }

    private static func render(
        _ template: ChatTemplate, _ messages: [ChatMessage], _ begin: String, _ end: String
    )
        throws -> String
    {
        let values = messages.map { message -> JinjaValue in
            ["role": .string(message.role), "content": .string(message.content)]
        }
        return try template.render([
            "messages": .list(values), "add_generation_prompt": true, "bos_token": .string(begin),
            "eos_token": .string(end),
        ])
    }

    /// The messages as the template takes them: what a system message says stands before what the
    /// user says next, and neighbours of one role are one message.
    func fitted(_ messages: [ChatMessage]) -> [ChatMessage] {
        var result: [ChatMessage] = [], told: [String] = [], hasBegun = false
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
            && messages.last?.role == message.role
        if merges {
            messages[messages.count - 1].content += Self.gap + message.content
        } else {
            messages.append(message)
        }
    }
}
