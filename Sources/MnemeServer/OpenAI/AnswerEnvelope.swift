import Foundation
import Mneme
import MnemeEngine
import MnemeKV

/// Members that all parts of one answer have in common.
struct AnswerEnvelope: Sendable {
    private let id: String
    private let created = Int(Date().timeIntervalSince1970)
    private let model: String

    /// A new id, and the time at which the answer begins.
    ///
    /// - Parameter prefix: what the answer's id begins with.
    init(_ prefix: String, model: LanguageModel) {
        id = AnswerID.new(prefix)
        self.model = model.name
    }

    /// A part of the answer.
    func part(_ object: String, choices: [JSONValue], with members: [String: JSONValue] = [:])
        -> JSONValue
    {
        let common: [String: JSONValue] = [
            "id": .string(id), "object": .string(object), "created": .number(Double(created)),
            "model": .string(model), "choices": .array(choices),
        ]
        return .object(common.merging(members) { _, own in own })
    }
}

extension GenerationUsage {
    /// Adds what another answer of the same request cost. What was kept of rows is the first one's.
    ///
    /// - Parameter withPrompt: whether its prompt is another one.
    mutating func add(_ other: GenerationUsage, withPrompt: Bool) {
        completionTokens += other.completionTokens
        procedures += other.procedures
        kept = kept ?? other.kept
        guard withPrompt else { return }
        droppedMessages = max(droppedMessages, other.droppedMessages)
        promptTokens += other.promptTokens
        cachedTokens += other.cachedTokens
    }

    /// The tokens of a request, as OpenAI's API tells them, what was kept of its rows, and messages that were
    /// left out.
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "prompt_tokens": .number(Double(promptTokens)),
            "completion_tokens": .number(Double(completionTokens)),
            "total_tokens": .number(Double(promptTokens + completionTokens)),
            "prompt_tokens_details": ["cached_tokens": .number(Double(cachedTokens))],
        ]
        members.merge(ownMembers) { own, _ in own }
        if droppedMessages > 0 { members["dropped_messages"] = .number(Double(droppedMessages)) }
        return .object(members)
    }

    /// What answers in any API tell besides tokens: `kv`, what was kept of its rows, unless it was given from all;
    /// `procedures`, those of its adapter that it followed, if it followed any.
    var ownMembers: [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        if let kept {
            members["kv"] = [
                "policy": .string(kept.policy), "type": .string(kept.type.rawValue),
                "kept_tokens": .number(kept.tokens), "bytes": .number(Double(kept.bytes)),
                "read_bytes": .number(Double(kept.readBytes)),
            ]
        }
        if !procedures.isEmpty { members["procedures"] = .array(procedures.map { .string($0) }) }
        return members
    }
}
