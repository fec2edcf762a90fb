import Foundation
import Mneme
import MnemeChat
import MnemeEngine

/// The form of an answer of the Responses API, which grows with each piece, and the events that tell
/// of it: https://platform.openai.com/docs/api-reference/responses-streaming
///
/// The response is made of the events, also where none are sent, so that both are the same.
struct ResponsesForm: Sendable {
    /// The response's name, under which it is kept.
    private let id = ResponseStore.newResponse()
    /// The time at which the response was begun, in whole seconds since 1970.
    private let created = Date().timeIntervalSince1970.rounded(.down)
    /// The model's name.
    private let model: String
    /// Members that repeat what the request said, as OpenAI's do.
    private let echo: [String: JSONValue]
    /// Words the tokens' log-probabilities.
    private let logprobs: ChatLogprobs

    /// Items that are complete.
    private var output: [JSONValue] = []
    /// The item that grows now.
    private var open: Item?
    /// The reason for the answer's end and its usage; nil while it goes on.
    private var ending: (reason: FinishReason, usage: GenerationUsage)?
    /// The number of the next event; clients order by it.
    private var sequence = 0

    /// An item that grows: a message's text, or a call's arguments.
    private struct Item: Sendable {
        /// Its own name, the same in all events that tell of it.
        let id: String
        /// The content so far: a message's text, or a call's arguments.
        var text = ""
        /// Log-probabilities of its tokens, if they are told.
        var logprobs: [JSONValue] = []
        /// The call, if it is one.
        var call: (id: String, name: String)?
    }

    /// A response that has not begun.
    ///
    /// - Parameter echo: members that repeat what the request said.
    init(_ model: LanguageModel, _ echo: [String: JSONValue]) {
        self.model = model.name
        self.echo = echo
        logprobs = ChatLogprobs(tokenizer: model.tokenizer)
    }

    /// The first events.
    mutating func begin() -> [JSONValue] {
        let response = response("in_progress")
        return [
            event("response.created", ["response": response]),
            event("response.in_progress", ["response": response]),
        ]
    }

    /// Takes a piece of the answer.
    ///
    /// - Returns: the events that tell of it.
    mutating func take(_ piece: ChatEvent) -> [JSONValue] {
        switch piece {
        case .text(let text, let tokens):
            let entries = tokens.compactMap { token in
                token.logProbability.map { logprobs.entry(token.id, $0, token.alternatives) }
            }
            guard !text.isEmpty || !entries.isEmpty else { return [] }
            var events = open == nil ? beginMessage() : []
            open?.text += text
            open?.logprobs += entries
            events.append(
                event(
                    "response.output_text.delta",
                    place(with: ["delta": .string(text), "logprobs": .array(entries)])))
            return events
        case .toolCall(_, let id, let name):
            var events = endItem()
            open = Item(id: AnswerID.new("fc_"), call: (id, name))
            events.append(event("response.output_item.added", ["item": item("in_progress")]))
            return events
        case .toolArguments(_, let text):
            open?.text += text
            return [
                event(
                    "response.function_call_arguments.delta",
                    place(with: ["delta": .string(text)], inPart: false))
            ]
        case .finished(let reason, let usage):
            ending = (reason, usage)
            // An answer without a word is an empty message.
            var events = open == nil && output.isEmpty ? beginMessage() : []
            events += endItem()
            return events
        }
    }

    /// The response as a whole, once all pieces are taken.
    ///
    /// - Throws: `CancellationError` if the last one did not come.
    func complete() throws -> JSONValue {
        guard let ending else { throw CancellationError() }
        return response(ending.reason == .length ? "incomplete" : "completed")
    }

    /// The last event.
    mutating func end(_ response: JSONValue) -> JSONValue {
        event("response.\(response["status"]?.string ?? "completed")", ["response": response])
    }

    // MARK: Items

    /// Begins a message with one part of text.
    private mutating func beginMessage() -> [JSONValue] {
        open = Item(id: AnswerID.new("msg_"))
        return [
            event("response.output_item.added", ["item": item("in_progress", isEmpty: true)]),
            event("response.content_part.added", place(with: ["part": Self.part("", [])])),
        ]
    }

    /// Ends the item that grows: each of its parts is told whole once more, as clients that missed
    /// pieces read it there.
    private mutating func endItem() -> [JSONValue] {
        guard let done = open else { return [] }
        var events: [JSONValue] = []
        let text = JSONValue.string(done.text)
        if done.call == nil {
            events = [
                event(
                    "response.output_text.done",
                    place(with: ["text": text, "logprobs": .array(done.logprobs)])),
                event(
                    "response.content_part.done",
                    place(with: ["part": Self.part(done.text, done.logprobs)])),
            ]
        } else {
            events = [
                event(
                    "response.function_call_arguments.done",
                    place(with: ["arguments": text], inPart: false))
            ]
        }
        let item = item(ending?.reason == .length ? "incomplete" : "completed")
        events.append(event("response.output_item.done", ["item": item]))
        output.append(item)
        open = nil
        return events
    }

    /// The item that grows, as it is now.
    private func item(_ status: String, isEmpty: Bool = false) -> JSONValue {
        guard let open else { return .null }
        if let call = open.call {
            return [
                "type": "function_call", "id": .string(open.id), "call_id": .string(call.id),
                "name": .string(call.name), "arguments": .string(open.text),
                "status": .string(status),
            ]
        }
        return [
            "type": "message", "id": .string(open.id), "role": "assistant",
            "status": .string(status),
            "content": isEmpty ? [] : [Self.part(open.text, open.logprobs)],
        ]
    }

    /// A message's part of text. There are no annotations: nothing is cited.
    private static func part(_ text: String, _ logprobs: [JSONValue]) -> JSONValue {
        [
            "type": "output_text", "text": .string(text), "annotations": [],
            "logprobs": .array(logprobs),
        ]
    }

    // MARK: Events

    /// An event. Those of an item say at which place of the output it stands.
    private mutating func event(_ type: String, _ members: [String: JSONValue]) -> JSONValue {
        defer { sequence += 1 }
        var common: [String: JSONValue] = [
            "type": .string(type), "sequence_number": .number(Double(sequence)),
        ]
        if members["response"] == nil {
            common["output_index"] = .number(Double(output.count))
        }
        return .object(common.merging(members) { $1 })
    }

    /// The position of an event in the item that grows.
    private func place(
        with members: [String: JSONValue], inPart: Bool = true
    ) -> [String: JSONValue] {
        var place = members
        place["item_id"] = open.map { .string($0.id) }
        if inPart { place["content_index"] = 0 }
        return place
    }

    /// The response as it is now.
    private func response(_ status: String) -> JSONValue {
        var response: [String: JSONValue] = [
            "id": .string(id), "object": "response", "created_at": .number(created),
            "status": .string(status), "model": .string(model), "output": .array(output),
            "error": .null, "incomplete_details": .null, "usage": .null,
        ]
        if status == "incomplete" {
            response["incomplete_details"] = ["reason": "max_output_tokens"]
        }
        if let usage = ending?.usage {
            var members: [String: JSONValue] = [
                "input_tokens": .number(Double(usage.promptTokens)),
                "input_tokens_details": [
                    "cached_tokens": .number(Double(usage.cachedTokens)), "cache_write_tokens": 0,
                ],
                "output_tokens": .number(Double(usage.completionTokens)),
                "output_tokens_details": ["reasoning_tokens": 0],
                "total_tokens": .number(Double(usage.promptTokens + usage.completionTokens)),
            ]
            members.merge(usage.ownMembers) { own, _ in own }
            response["usage"] = .object(members)
        }
        return .object(response.merging(echo) { own, _ in own })
    }
}
