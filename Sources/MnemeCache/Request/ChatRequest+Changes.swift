public import Foundation
import MnemeBase

/// A request as it is sent on to another model than the one that it names.
extension ChatRequest {
    /// The request for another model.
    ///
    /// - Parameters:
    ///   - model: the model that is asked instead.
    ///   - example: a kept question and its answer, put before the last question (Yu et al.,
    ///     IC-Cache, 2025).
    ///   - withConfidence: asks for the tokens' probabilities, in one piece.
    ///   - inOnePiece: asks for no stream.
    public func sent(
        to model: String, example: (question: String, answer: String)? = nil,
        withConfidence: Bool = false, inOnePiece: Bool = false
    ) -> Data {
        var members = body.members ?? []
        func set(_ name: String, _ value: OrderedJSON?) {
            members.removeAll { $0.key == name }
            if let value { members.append(.init(key: name, value: value)) }
        }
        set("model", .string(model))
        if let example, var messages = body["messages"]?.elements, let last = messages.popLast() {
            for (role, text) in [("user", example.question), ("assistant", example.answer)] {
                messages.append(
                    .object([
                        .init(key: "role", value: .string(role)),
                        .init(key: "content", value: .string(text)),
                    ]))
            }
            set("messages", .array(messages + [last]))
        }
        if withConfidence { set("logprobs", .bool(true)) }
        if withConfidence || inOnePiece {
            set("stream", nil)
            set("stream_options", nil)
        }
        return Data(OrderedJSON.object(members).text.utf8)
    }
}
