public import MnemeEngine

/// A piece of a chat's answer: text, tool calls, and at last why it ended.
///
/// The pieces of a call come one behind the other: its beginning, then the text of its arguments in
/// any number of pieces. Calls are numbered from 0. Text may come before the first call, and
/// nothing but calls after it.
public enum ChatEvent: Sendable {
    /// Text of the answer, and the tokens that it was made of; may be empty while half a character
    /// or the possible beginning of a call is held back.
    case text(String, tokens: [SampledToken])
    /// A call begins; its arguments follow.
    case toolCall(index: Int, id: String, name: String)
    /// More of a call's arguments: a part of a JSON object's text.
    case toolArguments(index: Int, text: String)
    /// The end of the answer. The reason is `FinishReason.toolCalls` if there is a
    /// call and the answer was not cut off.
    case finished(FinishReason, GenerationUsage)
}

/// A token of an answer, with the probabilities that the request asked for.
public struct SampledToken: Sendable, Equatable {
    /// The token's id.
    public var id: Int32
    /// ln p; nil unless the request asked for it.
    public var logProbability: Double?
    /// The likeliest tokens at its place, as many as the request asked for.
    public var alternatives: [TokenProbability]

    /// All values.
    public init(id: Int32, logProbability: Double?, alternatives: [TokenProbability]) {
        self.id = id
        self.logProbability = logProbability
        self.alternatives = alternatives
    }
}

/// A chat's answer as a whole, for those who do not stream.
public struct ChatReply: Sendable {
    /// The text; empty if the model only called tools.
    public var text = ""
    /// The calls, in their order.
    public var toolCalls: [ToolCall] = []
    /// The tokens of the text, with their probabilities if those were asked for.
    public var tokens: [SampledToken] = []
    /// The reason for the end of the answer.
    public var reason = FinishReason.stop
    /// The usage: tokens and times.
    public var usage = GenerationUsage()

    /// An answer of which nothing came yet.
    public init() {}

    /// Takes the next piece of the answer.
    public mutating func append(_ event: ChatEvent) {
        switch event {
        case .text(let piece, let more):
            text += piece
            tokens += more
        case .toolCall(_, let id, let name):
            toolCalls.append(ToolCall(id: id, name: name, arguments: ""))
        case .toolArguments(let index, let piece):
            if toolCalls.indices.contains(index) { toolCalls[index].arguments += piece }
        case .finished(let reason, let usage): (self.reason, self.usage) = (reason, usage)
        }
    }
}
