import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine

/// The form of an answer of `/v1/messages`, whole or as a stream of events:
/// https://platform.claude.com/docs/en/build-with-claude/streaming
struct MessagesForm: Sendable {
    private let id = AnswerID.new("msg_")
    /// The model's name, as the answer gives it.
    let model: String

    /// - Parameter model: its name.
    init(model: String) { self.model = model }

    /// The answer in one piece.
    ///
    /// - Throws: what ended the answer early, and `JSONError` for a call's arguments that are cut
    ///   off.
    func whole(_ answer: ChatAnswer) async throws -> JSONValue {
        let reply = try await answer.whole()
        var content: [JSONValue] = []
        if !reply.text.isEmpty || reply.toolCalls.isEmpty {
            content.append(["type": "text", "text": .string(reply.text)])
        }
        for call in reply.toolCalls {
            content.append([
                "type": "tool_use", "id": .string(call.id), "name": .string(call.name),
                "input": (try? JSONValue(parsing: Array(call.arguments.utf8))) ?? [:],
            ])
        }
        return message(content, end(reply.reason, reply.usage), usage(reply.usage))
    }

    /// The answer piece by piece: blocks begin, grow and end one behind the other.
    func stream(_ answer: ChatAnswer, _ send: (JSONValue) async throws -> Void) async throws {
        let nothing = usage(GenerationUsage())
        try await send([
            "type": "message_start",
            "message": message([], ["stop_reason": .null, "stop_sequence": .null], nothing),
        ])
        var open: Int?
        var next = 0
        /// Begins a block, where one may still be open.
        func begin(_ block: JSONValue) async throws {
            try await end()
            try await send([
                "type": "content_block_start", "index": .number(Double(next)),
                "content_block": block,
            ])
            (open, next) = (next, next + 1)
        }
        /// Adds to the open block.
        func grow(_ delta: JSONValue) async throws {
            try await send([
                "type": "content_block_delta", "index": .number(Double(open ?? 0)), "delta": delta,
            ])
        }
        /// Ends the open block, if there is one.
        func end() async throws {
            guard let index = open else { return }
            open = nil
            try await send(["type": "content_block_stop", "index": .number(Double(index))])
        }
        for try await event in answer {
            switch event {
            case .text(let text, _):
                guard !text.isEmpty else { continue }
                if open == nil { try await begin(["type": "text", "text": ""]) }
                try await grow(["type": "text_delta", "text": .string(text)])
            case .toolCall(_, let id, let name):
                try await begin([
                    "type": "tool_use", "id": .string(id), "name": .string(name), "input": [:],
                ])
            case .toolArguments(_, let text):
                try await grow(["type": "input_json_delta", "partial_json": .string(text)])
            case .finished(let reason, let usage):
                // An answer without a word is one empty block, as in one piece.
                if next == 0 { try await begin(["type": "text", "text": ""]) }
                try await end()
                try await send([
                    "type": "message_delta", "delta": self.end(reason, usage),
                    "usage": self.usage(usage),
                ])
                try await send(["type": "message_stop"])
            }
        }
    }

    /// The message around its content.
    ///
    /// - Parameter end: why it ended; null members in a stream's beginning.
    private func message(_ content: [JSONValue], _ end: JSONValue, _ usage: JSONValue) -> JSONValue {
        let members: [String: JSONValue] = [
            "id": .string(id), "type": "message", "role": "assistant", "model": .string(model),
            "content": .array(content), "usage": usage,
        ]
        return .object(members.merging(end.object ?? [:]) { $1 })
    }

    /// The reason for the answer's end, in Anthropic's words. A stop string that was met is named;
    /// an end by the model itself is the turn's.
    private func end(_ reason: FinishReason, _ usage: GenerationUsage) -> JSONValue {
        let name: JSONValue =
            switch reason {
            case .length: "max_tokens"
            case .toolCalls: "tool_use"
            case .stop: usage.stopString == nil ? "end_turn" : "stop_sequence"
            }
        return ["stop_reason": name, "stop_sequence": usage.stopString.map { .string($0) } ?? .null]
    }

    /// Tokens that were cached are not counted as input.
    private func usage(_ usage: GenerationUsage) -> JSONValue {
        var members: [String: JSONValue] = [
            "input_tokens": .number(Double(usage.promptTokens - usage.cachedTokens)),
            "cache_read_input_tokens": .number(Double(usage.cachedTokens)),
            "cache_creation_input_tokens": 0,
            "output_tokens": .number(Double(usage.completionTokens)),
        ]
        members.merge(usage.ownMembers) { own, _ in own }
        return .object(members)
    }
}
