package import MnemeModels
import NIOConcurrencyHelpers

/// A vocabulary as constrained decoding wants it: a trie over the tokens' bytes, so that what
/// tokens have in common is looked at once, and what was found out about schemas that were used.
package final class SchemaVocabulary: Sendable {
    /// The model's tokenizer, for bytes and end tokens.
    let tokenizer: any Tokenizer
    /// All tokens but those that end an answer.
    let tokens: TokenSets
    /// Schemas of the last requests behind a lock, the last used first.
    private let used = NIOLockedValueBox<[UsedSchema]>([])

    /// A schema of earlier requests, and what its constraint found out.
    private struct UsedSchema {
        let text: String
        let masks: SchemaMasks
    }

    /// Schemas that are remembered, the last used first.
    private static let maximumUsed = 8

    /// - Complexity: O(vocabulary · log).
    package init(_ tokenizer: any Tokenizer) {
        self.tokenizer = tokenizer
        tokens = TokenSets(tokenizer)
    }

    /// A bit for each token: set if the token may come next.
    func mask(_ matcher: some ByteMatcher) -> [UInt64] {
        tokens.mask(from: matcher, room: matcher.room) { matcher, byte in
            var next = matcher
            return next.advance(byte) ? next : nil
        }
    }

    /// Masks of a schema: those of an earlier request with the same, if there is one.
    func masks(of schema: JSONSchema) -> SchemaMasks {
        used.withLockedValue { used in
            let place = used.firstIndex { $0.text == schema.text && !$0.masks.isFull }
            let found =
                place.map { used.remove(at: $0) }
                ?? UsedSchema(text: schema.text, masks: SchemaMasks(schema, tokens, tokenizer))
            used.insert(found, at: 0)
            used.removeLast(max(0, used.count - Self.maximumUsed))
            return found.masks
        }
    }
}

/// A vocabulary's tokens as masks need them.
///
/// Within a string of any content most tokens stand for characters alone: whether they fit depends
/// on how many may come, so that their masks are made once. Only the few others are looked at in
/// each place: those with quotes, escapes, control characters or parts of characters.
struct TokenSets: Sendable {
    /// All tokens, and those that stand not for characters alone.
    let all: TokenTrie, others: TokenTrie
    /// For each number of characters, the tokens of at most so many.
    private let texts: [[UInt64]]

    init(_ tokenizer: any Tokenizer) {
        var counts: [Int32: Int] = [:]
        all = TokenTrie(tokenizer)
        for id in 0..<Int32(tokenizer.vocabularySize) where !tokenizer.endTokens.contains(id) {
            let bytes = tokenizer.bytes(id)
            guard !bytes.isEmpty, bytes.allSatisfy({ $0 >= 32 && $0 != 34 && $0 != 92 }),
                let text = String(validating: bytes, as: UTF8.self)
            else { continue }
            counts[id] = text.unicodeScalars.count
        }
        others = TokenTrie(tokenizer) { counts[$0] == nil }
        var texts = [[UInt64]](
            repeating: [UInt64](repeating: 0, count: all.words),
            count: (counts.values.max() ?? 0) + 1)
        for (id, count) in counts { texts[count][Int(id) >> 6] |= 1 << UInt64(id & 63) }
        for count in texts.indices.dropFirst() {
            for word in texts[count].indices { texts[count][word] |= texts[count - 1][word] }
        }
        self.texts = texts
    }

    /// The tokens whose bytes lead from a state to another, a bit for each.
    ///
    /// - Parameters:
    ///   - room: the most characters that may come of any kind; nil if not every one may.
    ///   - step: the state behind a byte, nil if there is none.
    func mask<State>(from start: State, room: Int?, _ step: (State, UInt8) -> State?) -> [UInt64] {
        guard let room else { return all.mask(from: start, step) }
        var mask = others.mask(from: start, step)
        let text = texts[min(max(0, room), texts.count - 1)]
        for word in mask.indices { mask[word] |= text[word] }
        return mask
    }

    /// The tokens that fit a machine's configuration, a bit for each.
    func mask(_ machine: inout SchemaMachine, at configuration: Int32) -> [UInt64] {
        mask(from: configuration, room: machine.room(configuration)) { state, byte in
            let next = machine.step(state, byte)
            return next < 0 ? nil : next
        }
    }
}

/// Tokens of a vocabulary as a trie, in preorder: a node's descendants follow it.
struct TokenTrie: Sendable {
    /// Each node's byte, how many bytes lead to it, and the node behind its descendants.
    private var bytes: [UInt8] = []
    private var depths: [Int32] = []
    private var ends: [Int32] = []
    /// The tokens that end at each node: from here to the next node's.
    private var firstTokens: [Int32] = []
    private var tokens: [Int32] = []
    /// Bytes of the longest token, which bounds the depth of a walk.
    private var longest = 0
    /// 64-bit words that have a bit for each token.
    let words: Int

    /// - Parameter isIn: whether a token belongs to it; those that end an answer never do.
    init(_ tokenizer: any Tokenizer, _ isIn: (Int32) -> Bool = { _ in true }) {
        words = (tokenizer.vocabularySize + 63) / 64
        var all: [(bytes: [UInt8], id: Int32)] = []
        for id in 0..<Int32(tokenizer.vocabularySize) where !tokenizer.endTokens.contains(id) {
            let bytes = tokenizer.bytes(id)
            if !bytes.isEmpty, isIn(id) { all.append((bytes, id)) }
        }
        all.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        // Nodes whose descendants still come, from the root down.
        var open: [Int] = []
        var before: [UInt8] = []
        for token in all {
            let shared = zip(before, token.bytes).prefix { $0 == $1 }.count
            for node in open[shared...] { ends[node] = Int32(bytes.count) }
            open.removeLast(open.count - shared)
            for (depth, byte) in token.bytes.enumerated().dropFirst(shared) {
                open.append(bytes.count)
                bytes.append(byte)
                depths.append(Int32(depth))
                ends.append(0)
                firstTokens.append(Int32(tokens.count))
            }
            tokens.append(token.id)
            longest = max(longest, token.bytes.count)
            before = token.bytes
        }
        for node in open { ends[node] = Int32(bytes.count) }
        firstTokens.append(Int32(tokens.count))
    }

    /// A text's tokens, each the longest that the text begins with; nil if it has none.
    func tokens(of text: [UInt8]) -> [Int32]? {
        var result: [Int32] = []
        var place = 0
        while place < text.count {
            // A child of the last node, then its siblings.
            var node = 0
            var end = bytes.count
            var depth = 0
            var longest: (token: Int32, count: Int)?
            while node < end, place + depth < text.count {
                guard bytes[node] == text[place + depth] else {
                    node = Int(ends[node])
                    continue
                }
                depth += 1
                if firstTokens[node] < firstTokens[node + 1] {
                    longest = (tokens[Int(firstTokens[node])], depth)
                }
                end = Int(ends[node])
                node += 1
            }
            guard let longest else { return nil }
            result.append(longest.token)
            place += longest.count
        }
        return result
    }

    /// The tokens whose bytes lead from a state to another, a bit for each.
    ///
    /// - Parameter step: the state behind a byte, nil if there is none.
    func mask<State>(from start: State, _ step: (State, UInt8) -> State?) -> [UInt64] {
        var mask = [UInt64](repeating: 0, count: words)
        var node = 0
        var states = [State](repeating: start, count: longest + 1)
        while node < bytes.count {
            let depth = Int(depths[node])
            guard let next = step(states[depth], bytes[node]) else {
                node = Int(ends[node])
                continue
            }
            states[depth + 1] = next
            for i in firstTokens[node]..<firstTokens[node + 1] {
                let token = Int(tokens[Int(i)])
                mask[token >> 6] |= 1 << UInt64(token & 63)
            }
            node += 1
        }
        return mask
    }
}
