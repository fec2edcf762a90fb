import Crypto
public import Foundation
import MnemeBase

/// What a request is to the cache: whose, in which context, and what is asked.
///
/// Two requests share answers only if their contexts are the same to the byte: principal, model,
/// settings, system prompt and the whole conversation before the last question.
public struct CacheKey: Sendable, Equatable {
    /// Names the one who asks, for lists.
    public let principal: String
    /// The model that is asked.
    public let model: String
    /// SHA-256 of everything but the last question.
    public let context: Data
    /// SHA-256 of context and question.
    public let exact: Data
    /// The last question, as it was asked.
    public let question: String
    /// True if only the same question may be answered from the cache.
    public let isExactOnly: Bool
    /// Its category.
    public let category: QuestionCategory
    /// The question's words.
    let words: QuestionWords

    /// The key of a question.
    ///
    /// - Parameters:
    ///   - scope: principals of different scopes never share; ``principal`` is only its name.
    ///   - call: the model, and all that the answer depends on besides, in one form.
    init(
        scope: Scope, call: (model: String, settings: String), question: String, isExactOnly: Bool
    ) {
        principal = scope.name
        let (model, settings) = call
        self.model = model
        self.question = question
        let isLong = question.utf8.count > Self.longestSimilar
        self.isExactOnly = isExactOnly || isLong
        words = QuestionWords(isLong ? "" : question)
        category = QuestionCategory(of: words, question)
        context = Self.hash([scope.identity, model, settings])
        exact = Self.hash([scope.identity, model, settings, question])
    }

    /// Who asks.
    public struct Scope: Sendable, Equatable {
        /// What lists call it.
        public let name: String
        /// Tells it from every other; never shown.
        public let identity: String

        /// A scope.
        ///
        /// - Parameters:
        ///   - name: the principal's name, as lists show it.
        ///   - parts: all that tells one principal from another, such as tenant, user and the key's id.
        public init(name: String, parts: [String]) {
            self.name = name
            identity = CacheKey.hash(parts).map { String($0, radix: 16) }.joined(separator: ".")
        }
    }

    /// Bytes of a question that may be answered by a similar one's answer: embedding models read
    /// the beginning of a text alone.
    static let longestSimilar = 1_000

    /// SHA-256 of texts, each with its length before it, so that no two lists are the same bytes.
    private static func hash(_ parts: [String]) -> Data {
        var digest = SHA256()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { digest.update(bufferPointer: $0) }
            digest.update(data: Data(part.utf8))
        }
        return Data(digest.finalize())
    }
}
