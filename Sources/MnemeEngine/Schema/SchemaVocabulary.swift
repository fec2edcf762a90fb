package import MnemeModels
import NIOConcurrencyHelpers

/// A vocabulary as constrained decoding wants it: a trie over the tokens' bytes, so that what
/// tokens have in common is looked at once, and what was found out about schemas that were used.
package final class SchemaVocabulary: Sendable {
    /// The model's tokenizer, for bytes and end tokens.
    let tokenizer: any Tokenizer
    /// All tokens but those that end an answer.
    let trie: TokenTrie
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
        trie = TokenTrie(tokenizer)
    }

    /// A bit for each token: set if the token may come next.
    func mask(_ matcher: some ByteMatcher) -> [UInt64] {
        trie.mask(from: matcher) { matcher, byte in
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
                ?? UsedSchema(text: schema.text, masks: SchemaMasks(schema, trie, tokenizer))
            used.insert(found, at: 0)
            used.removeLast(max(0, used.count - Self.maximumUsed))
            return found.masks
        }
    }
}

/// All tokens of a vocabulary as a trie, in preorder: a node's descendants follow it.
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

    init(_ tokenizer: any Tokenizer) {
        words = (tokenizer.vocabularySize + 63) / 64
        var all: [(bytes: [UInt8], id: Int32)] = []
        for id in 0..<Int32(tokenizer.vocabularySize) where !tokenizer.endTokens.contains(id) {
            let bytes = tokenizer.bytes(id)
            if !bytes.isEmpty { all.append((bytes, id)) }
        }
        all.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        // Nodes whose descendants still come, from the root down.
        var open: [Int] = [], before: [UInt8] = []
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
        var result: [Int32] = [], place = 0
        while place < text.count {
            // A child of the last node, then its siblings.
            var node = 0, end = bytes.count, depth = 0, longest: (token: Int32, count: Int)?
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

    /// The tokens that fit a machine's configuration, a bit for each.
    func mask(_ machine: inout SchemaMachine, at configuration: Int32) -> [UInt64] {
        mask(from: configuration) { state, byte in
            let next = machine.step(state, byte)
            return next < 0 ? nil : next
        }
    }

    /// The tokens whose bytes lead from a state to another, a bit for each.
    ///
    /// - Parameter step: the state behind a byte, nil if there is none.
    func mask<State>(from start: State, _ step: (State, UInt8) -> State?) -> [UInt64] {
        var mask = [UInt64](repeating: 0, count: words), node = 0
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
