package import MnemeModels

/// A vocabulary in the order of its bytes, so that what tokens have in common is looked at once.
package final class SchemaVocabulary: Sendable {
    let tokenizer: any Tokenizer
    fileprivate let all: SortedTokens
    /// Tokens that can stand anywhere inside of a JSON string, as bits, and the others.
    fileprivate let plain: [UInt64]
    fileprivate let others: SortedTokens

    /// - Complexity: O(vocabulary · log).
    package init(_ tokenizer: any Tokenizer) {
        self.tokenizer = tokenizer
        var tokens: [(bytes: [UInt8], id: Int32)] = []
        for id in 0..<Int32(tokenizer.vocabularySize) where !tokenizer.endTokens.contains(id) {
            let bytes = tokenizer.bytes(id)
            if !bytes.isEmpty { tokens.append((bytes, id)) }
        }
        tokens.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        let isPlain = tokens.map {
            $0.bytes.allSatisfy { $0 >= 32 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        var plain = [UInt64](repeating: 0, count: (tokenizer.vocabularySize + 63) / 64)
        for (token, isPlain) in zip(tokens, isPlain) where isPlain {
            plain[Int(token.id) >> 6] |= 1 << UInt64(token.id & 63)
        }
        self.plain = plain
        all = SortedTokens(tokens)
        others = SortedTokens(zip(tokens, isPlain).filter { !$1 }.map { $0.0 })
    }

    /// A bit for each token: set if the token may come next.
    func mask(_ matcher: some ByteMatcher) -> [UInt64] {
        var mask = [UInt64](repeating: 0, count: plain.count)
        all.mark(matcher, &mask)
        return mask
    }

    fileprivate struct SortedTokens: Sendable {
        var bytes: [UInt8] = []
        var ids: [Int32] = []
        var starts: [Int] = [0]
        /// Bytes that a token begins with as the one before it.
        var shared: [Int] = []

        init(_ tokens: [(bytes: [UInt8], id: Int32)]) {
            var before: [UInt8] = []
            for token in tokens {
                shared.append(zip(before, token.bytes).prefix { $0 == $1 }.count)
                bytes += token.bytes
                ids.append(token.id)
                starts.append(bytes.count)
                before = token.bytes
            }
        }

        /// Sets the bits of tokens that may come next.
        func mark<Matcher: ByteMatcher>(_ matcher: Matcher, _ mask: inout [UInt64]) {
            var states = [matcher], failed = Int.max
            for i in ids.indices {
                // What failed before fails again where the bytes are the same.
                if shared[i] > failed { continue }
                failed = .max
                states.removeLast(states.count - 1 - shared[i])
                for j in shared[i]..<starts[i + 1] - starts[i] {
                    var next = states[j]
                    guard next.advance(bytes[starts[i] + j]) else {
                        failed = j
                        break
                    }
                    states.append(next)
                }
                if failed == .max { mask[Int(ids[i]) >> 6] |= 1 << UInt64(ids[i] & 63) }
            }
        }
    }
}

/// Holds an answer to a schema: says which tokens may come next. What was found for a state is
/// kept, as texts return to few of them.
package struct SchemaConstraint: Sendable {
    private let vocabulary: SchemaVocabulary
    private var matcher: JSONMatcher
    private var known: [JSONMatcher.State: [UInt64]] = [:]
    private static let maximumKnown = 64

    package init(_ schema: JSONSchema, _ vocabulary: SchemaVocabulary) {
        self.vocabulary = vocabulary
        matcher = JSONMatcher(schema)
    }

    /// A bit for each token: set if the token may come next. All clear if the vocabulary cannot go
    /// on.
    package mutating func allowed() -> [UInt64] {
        if let mask = known[matcher.state] { return mask }
        var mask: [UInt64]
        if matcher.isInText {
            mask = vocabulary.plain
            vocabulary.others.mark(matcher, &mask)
        } else {
            mask = [UInt64](repeating: 0, count: vocabulary.plain.count)
            vocabulary.all.mark(matcher, &mask)
        }
        if matcher.isComplete {
            for id in vocabulary.tokenizer.endTokens { mask[Int(id) >> 6] |= 1 << UInt64(id & 63) }
        }
        if known.count == Self.maximumKnown { known = [:] }
        known[matcher.state] = mask
        return mask
    }

    /// Takes a token that was allowed.
    package mutating func advance(_ token: Int32) {
        if !vocabulary.tokenizer.endTokens.contains(token) {
            _ = matcher.advance(vocabulary.tokenizer.bytes(token))
        }
    }
}
