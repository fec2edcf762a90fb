public import Foundation
public import MnemeBase

/// A chat completion that is asked for, as the cache sees it.
public struct ChatRequest: Sendable {
    /// The request, with its members in their order.
    public let body: OrderedJSON
    /// The model that is asked.
    public let model: String
    /// True if the answer is wanted piece by piece.
    public let streams: Bool
    /// True if a stream ends with what it cost.
    public let includesUsage: Bool
    /// Whom the client says that it asks for: another user never shares answers.
    public let user: String
    /// Why its answer is not kept, and none that is kept is given; nil if it may be.
    public let obstacle: Obstacle?
    private let question: String, isExactOnly: Bool

    /// Why an answer cannot be reused.
    public enum Obstacle: String, Sendable, CaseIterable {
        /// The temperature asks for another answer each time.
        case temperature
        /// Several answers are wanted.
        case answers
        /// Images, sound or files are part of the question.
        case media
        /// The last message is no question of a user.
        case conversation
        /// The answer depends on what the server remembers or looks up.
        case lookup
    }

    /// Members that say how an answer is sent or accounted for, not what it is.
    private static let delivery: Set<String> = [
        "stream", "stream_options", "metadata", "store", "service_tier", "prompt_cache_key",
        "prompt_cache_retention", "user", "safety_identifier", "messages",
    ]

    /// Reads a request's body.
    ///
    /// - Parameters:
    ///   - data: JSON.
    ///   - maximumTemperature: above it an answer is not kept. A request that names none is.
    /// - Throws: `InputError` if it is no chat completion.
    public init(_ data: Data, maximumTemperature: Double = 0) throws {
        let body: OrderedJSON
        do { body = try data.withUnsafeBytes { try OrderedJSON(bytes: $0) } } catch let error as JSONError {
            throw InputError("The request is no JSON: \(error.message)")
        }
        guard let model = body["model"]?.string, let messages = body["messages"]?.elements else {
            throw InputError("A chat completion has a 'model', a text, and 'messages', a list.")
        }
        (self.body, self.model) = (body, model)
        streams = body["stream"]?.bool ?? false
        includesUsage = body["stream_options"]?["include_usage"]?.bool ?? false
        user = (body["user"]?.string ?? "") + "\n" + (body["safety_identifier"]?.string ?? "")
        let last = messages.last
        let question = last.flatMap(Self.text)
        self.question = question ?? ""
        // A call of a tool may have effects, and log-probabilities belong to the very prompt.
        isExactOnly = ["tools", "functions", "logprobs", "response_format"].contains {
            Self.isSet(body[$0])
        }
        if messages.contains(where: Self.hasMedia) {
            obstacle = .media
        } else if last?["role"]?.string != "user" || question?.isEmpty != false {
            obstacle = .conversation
        } else if let number = body["temperature"]?.double, number > maximumTemperature {
            obstacle = .temperature
        } else if let count = body["n"]?.double, count != 1 {
            obstacle = .answers
        } else if ["memory", "web_search_options", "modalities", "audio"].contains(where: {
            Self.isSet(body[$0])
        }) {
            obstacle = .lookup
        } else {
            obstacle = nil
        }
    }

    /// The request's key for one who asks.
    ///
    /// - Complexity: linear in the request.
    public func key(for scope: CacheKey.Scope) -> CacheKey {
        let context = body["messages"]?.elements?.dropLast() ?? []
        var members = (body.members ?? []).filter { !Self.delivery.contains($0.key) && $0.key != "model" }
        members.append(.init(key: "messages", value: .array(Array(context))))
        // The last message's other members, such as a name, belong to the context.
        let rest = body["messages"]?.elements?.last?.members?.filter { $0.key != "content" } ?? []
        members.append(.init(key: "last", value: .object(rest)))
        let named = CacheKey.Scope(name: scope.name, parts: [scope.identity, user])
        return CacheKey(
            scope: named, call: (model, OrderedJSON.object(members).sorted.text),
            question: question, isExactOnly: isExactOnly)
    }

    /// The text of a message whose content is text alone.
    private static func text(_ message: OrderedJSON) -> String? {
        guard let content = message["content"] else { return nil }
        if let text = content.string { return text }
        guard let parts = content.elements else { return nil }
        let texts = parts.compactMap { $0["type"]?.string == "text" ? $0["text"]?.string : nil }
        return texts.count == parts.count ? texts.joined(separator: "\n") : nil
    }

    /// True for a message with a part that is no text.
    private static func hasMedia(_ message: OrderedJSON) -> Bool {
        (message["content"]?.elements ?? []).contains {
            !["text", "refusal"].contains($0["type"]?.string ?? "")
        }
    }

    /// True unless it is missing, null, false or an empty list.
    private static func isSet(_ value: OrderedJSON?) -> Bool {
        value != nil && value != .null && value != .bool(false) && value != .array([])
    }
}

extension OrderedJSON {
    /// The same value with the members of all objects in the order of their names.
    fileprivate var sorted: OrderedJSON {
        switch self {
        case .object(let members):
            .object(
                members.sorted { $0.key < $1.key }.map { Member(key: $0.key, value: $0.value.sorted) })
        case .array(let elements): .array(elements.map(\.sorted))
        default: self
        }
    }
}
