public import Foundation
import MnemeBase

/// The body of a whole chat completion, in the form of OpenAI's API: whether it may be kept, how it comes of a stream's pieces,
/// and how a stream is made of it.
public struct ChatAnswer: Sendable, Equatable {
    /// The body, a `chat.completion`.
    public let body: String
    /// The text of the answer.
    public let text: String
    /// The mean probability of its tokens, if the endpoint told: from 0 to 1.
    public let confidence: Double?

    /// An answer that may be given again: complete, a text, made of no memories. Nil for any other,
    /// such as an error, a call of a tool, or one that was cut off.
    ///
    /// An answer that ended for another reason than its own end (`length`, `content_filter`) would
    /// be cut off for whoever gets it next, and a call of a tool may do something twice.
    ///
    /// - Parameter data: the body that an endpoint sent with status 200.
    public init?(whole data: Data) {
        guard let value = try? data.withUnsafeBytes({ try OrderedJSON(bytes: $0) }) else { return nil }
        self.init(value)
    }

    private init?(_ value: OrderedJSON) {
        guard value["error"] == nil, let choices = value["choices"]?.elements, choices.count == 1,
            let message = choices[0]["message"], choices[0]["finish_reason"]?.string == "stop",
            let text = message["content"]?.string, !text.isEmpty,
            (message["tool_calls"]?.elements ?? []).isEmpty, message["function_call"] == nil,
            message["refusal"]?.string == nil, (value["memories"]?.elements ?? []).isEmpty
        else { return nil }
        (body, self.text) = (value.text, text)
        let tokens = (choices[0]["logprobs"]?["content"]?.elements ?? []).compactMap { $0["logprob"]?.double }
        let sum = tokens.reduce(0) { $0 + Foundation.exp($1) }
        confidence = tokens.isEmpty ? nil : sum / Double(tokens.count)
    }

    /// The answer that a stream's events make up; nil if the stream did not end as it should, or
    /// its answer may not be kept.
    ///
    /// - Parameter data: server-sent events, whole.
    public init?(stream data: Data) {
        var envelope: [(String, OrderedJSON)] = []
        var text = ""
        var reason: OrderedJSON?
        var usage: OrderedJSON?
        var isDone = false
        for line in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline) {
            guard line.hasPrefix("data:") else { continue }
            let content = line.dropFirst(5).drop { $0 == " " }
            if content == "[DONE]" {
                isDone = true
                break
            }
            guard let event = try? OrderedJSON(String(content)), event["error"] == nil else { return nil }
            if envelope.isEmpty {
                envelope = ["id", "created", "model", "system_fingerprint"].compactMap { name in
                    event[name].map { (name, $0) }
                }
            }
            if let cost = event["usage"], cost != .null { usage = cost }
            if event["memories"]?.elements?.isEmpty == false { return nil }
            guard let choice = event["choices"]?.elements?.first else { continue }
            guard choice["index"]?.integer ?? 0 == 0, choice["delta"]?["tool_calls"] ?? .null == .null,
                choice["delta"]?["refusal"] ?? .null == .null, choice["logprobs"] ?? .null == .null
            else { return nil }
            text += choice["delta"]?["content"]?.string ?? ""
            if let ended = choice["finish_reason"], ended != .null { reason = ended }
        }
        guard isDone, let reason else { return nil }
        func object(_ members: [(String, OrderedJSON)]) -> OrderedJSON {
            .object(members.map { .init(key: $0.0, value: $0.1) })
        }
        let message = object([("role", .string("assistant")), ("content", .string(text))])
        let choice = object([("index", .number("0")), ("message", message), ("finish_reason", reason)])
        var members = envelope + [("object", .string("chat.completion")), ("choices", .array([choice]))]
        if let usage { members.append(("usage", usage)) }
        self.init(object(members))
    }

    /// The answer as the events of a stream, `[DONE]` among them.
    ///
    /// - Parameter includesUsage: whether an event tells what it cost.
    public func events(includesUsage: Bool) -> [String] {
        let value = (try? OrderedJSON(body)) ?? .null
        func chunk(_ choices: String, _ usage: String? = nil) -> String {
            var members: [String] = []
            for name in ["id", "created", "model", "system_fingerprint"] {
                if let member = value[name] { members.append("\"\(name)\":\(member.text)") }
            }
            members.append("\"object\":\"chat.completion.chunk\"")
            members.append("\"choices\":\(choices)")
            if let usage { members.append("\"usage\":\(usage)") }
            return "data: {\(members.joined(separator: ","))}\n\n"
        }
        func delta(_ delta: String, _ reason: String = "null") -> String {
            "[{\"index\":0,\"delta\":\(delta),\"finish_reason\":\(reason)}]"
        }
        var events = [chunk(delta(#"{"role":"assistant","content":""}"#))]
        for piece in Self.pieces(of: text) {
            events.append(chunk(delta("{\"content\":\(OrderedJSON.string(piece).text)}")))
        }
        events.append(chunk(delta("{}", "\"stop\"")))
        if includesUsage, let usage = value["usage"] { events.append(chunk("[]", usage.text)) }
        return events + ["data: [DONE]\n\n"]
    }

    /// A text in pieces of some words.
    private static func pieces(of text: String) -> [String] {
        var pieces: [String] = []
        var piece = ""
        for character in text {
            piece.append(character)
            if piece.utf8.count >= 64, character.isWhitespace || piece.utf8.count >= 512 {
                pieces.append(piece)
                piece = ""
            }
        }
        return piece.isEmpty ? pieces : pieces + [piece]
    }
}
