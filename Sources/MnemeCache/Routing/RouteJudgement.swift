public import Foundation
import MnemeBase

/// Asks the model that a request names whether the request's question is easy, and reads what it says: one token, for
/// ``JudgeRouter``.
public enum RouteJudgement {
    /// The chat completion that asks.
    ///
    /// - Parameters:
    ///   - question: the text that is judged; data, whatever it says.
    ///   - model: who judges.
    public static func request(for question: String, to model: String) -> Data {
        let text = "Question: \(question.prefix(2_000))\nIs this question easy? Answer Yes or No."
        let message = OrderedJSON.object([
            .init(key: "role", value: .string("user")), .init(key: "content", value: .string(text)),
        ])
        let body = OrderedJSON.object([
            .init(key: "model", value: .string(model)), .init(key: "messages", value: .array([message])),
            .init(key: "temperature", value: .number("0")), .init(key: "max_tokens", value: .number("1")),
            .init(key: "logprobs", value: .bool(true)), .init(key: "top_logprobs", value: .number("5")),
        ])
        return Data(body.text.utf8)
    }

    /// The share of "yes" against "no" among the likeliest first tokens, from 0 to 1; 1 or 0 by the text of an endpoint that
    /// tells no probabilities, and nil for an answer that says neither.
    public static func share(in answer: Data) -> Double? {
        guard let value = try? answer.withUnsafeBytes({ try OrderedJSON(bytes: $0) }),
            let choice = value["choices"]?.elements?.first
        else { return nil }
        func word(_ text: String?) -> String? {
            text?.lowercased().split { !$0.isLetter }.first.map(String.init)
        }
        var odds: [String: Double] = [:]
        if let token = choice["logprobs"]?["content"]?.elements?.first {
            let top = token["top_logprobs"]?.elements ?? []
            for item in top.isEmpty ? [token] : top {
                guard let word = word(item["token"]?.string), let value = item["logprob"]?.double else { continue }
                odds[word, default: 0] += Foundation.exp(value)
            }
        }
        let yes = odds["yes"] ?? 0
        let no = odds["no"] ?? 0
        if yes + no > 0 { return yes / (yes + no) }
        switch word(choice["message"]?["content"]?.string) {
        case "yes": return 1
        case "no": return 0
        default: return nil
        }
    }
}
