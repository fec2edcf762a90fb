import MnemeModels

/// Keeps room for the end of an answer that must keep to a form: where a token would leave less than
/// the shortest end takes, the answer goes that way instead, and is complete before the limit of
/// tokens is reached.
///
/// An answer for which there is no room from the start is cut off, as free text is.
package struct AnswerBudget: Sendable {
    /// The tokens of an end that is known to fit from here; nil if the bytes alone do.
    private var end: [Int32]?

    /// At an answer's beginning.
    package init() {}

    /// The token that must come instead of one that was sampled; nil if that may stay.
    ///
    /// - Parameters:
    ///   - before: the form before the token, and `after` behind it.
    ///   - left: tokens that may still come, with this one.
    package mutating func replacement(
        for token: Int32, _ before: any TokenConstraint, _ after: any TokenConstraint, left: Int,
        _ vocabulary: SchemaVocabulary
    ) -> Int32? {
        // A token has a byte at least; the last token ends the answer.
        let isEnd = vocabulary.tokenizer.endTokens.contains(token)
        guard !isEnd, let bytes = after.bytesToEnd, bytes + 1 >= left else {
            end = nil
            return nil
        }
        if let tokens = Self.tokens(of: after, vocabulary), tokens.count < left {
            end = tokens
            return nil
        }
        guard var tokens = end ?? Self.tokens(of: before, vocabulary), tokens.count <= left else {
            end = nil
            return nil
        }
        let token = tokens.removeFirst()
        end = tokens
        return token
    }

    /// The tokens of a form's shortest end, the last of which ends the answer.
    private static func tokens(
        of constraint: any TokenConstraint, _ vocabulary: SchemaVocabulary
    ) -> [Int32]? {
        guard let text = constraint.shortestEnd, let end = vocabulary.tokenizer.endTokens.min()
        else { return nil }
        return vocabulary.tokens.all.tokens(of: text).map { $0 + [end] }
    }
}
