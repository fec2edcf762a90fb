import MnemeModels

/// Holds an answer to the form of tool calls: from the first token on if a call is required, else
/// from where the model opens one. Text before may be held to a schema of its own.
struct ToolConstraint: TokenConstraint {
    /// The model's tokens as a trie.
    private let vocabulary: SchemaVocabulary
    /// Texts of special tokens that are marks of the format, by token.
    private let markers: [Int32: [UInt8]]
    /// Looks for a call in the answer so far, and follows it.
    private var scanner: ToolCallScanner
    /// The schema that a text must fit which is no call.
    private var schema: SchemaConstraint?
    /// The mark that opens a call instead of such text, as long as both may come.
    private var opening: ToolCallMatcher?
    /// Masks by the matcher's state, since calls of one grammar return to the same states.
    private var known: [ToolCallMatcher.State: [UInt64]] = [:]
    /// Masks that are kept.
    private static let maximumKnown = 256

    /// - Parameter schema: what the answer must be if it is no call; nil for any text.
    init(_ grammar: ToolGrammar, schema: JSONSchema?, _ vocabulary: SchemaVocabulary) {
        self.vocabulary = vocabulary
        markers = Self.markers(grammar.format, vocabulary.tokenizer)
        scanner = ToolCallScanner(grammar)
        if let schema, !grammar.isRequired {
            self.schema = SchemaConstraint(schema, vocabulary)
            opening = ToolCallMatcher(grammar)
        }
        for byte in grammar.callPrefix.utf8 { scanner.take(byte) { _ in } }
    }

    /// Special tokens that are marks of the format, whose tokenizer gives them no text.
    private static func markers(_ format: ToolFormat, _ tokenizer: any Tokenizer) -> [Int32: [UInt8]] {
        var marks = [format.open, format.head, format.middle, format.tail, format.close, format.next]
        switch format.arguments {
        case .json: break
        case .tags(let open, let keyEnd, let others, let valueEnd):
            marks += [open, keyEnd, valueEnd] + others
        case .bareNames(let quote): marks.append(quote)
        }
        var result: [Int32: [UInt8]] = [:]
        for name in tokenizer.specialNames
        where name.utf8.count > 2 && marks.contains(where: { $0.contains(name) }) {
            if let id = tokenizer.special(name), tokenizer.bytes(id).isEmpty {
                result[id] = Array(name.utf8)
            }
        }
        return result
    }

    var isFree: Bool { scanner.matcher == nil && schema == nil }

    mutating func allowed() -> [UInt64] {
        guard let matcher = scanner.matcher else {
            var mask = schema?.allowed() ?? []
            if let opening {
                for (i, word) in self.mask(opening).enumerated() where i < mask.count {
                    mask[i] |= word
                }
            }
            return mask
        }
        return mask(matcher)
    }

    /// The tokens that may come within a call: the vocabulary's, the format's marks, and the end
    /// tokens where the call is complete.
    private mutating func mask(_ matcher: ToolCallMatcher) -> [UInt64] {
        let state = matcher.state
        if let mask = known[state] { return mask }
        var mask = vocabulary.mask(matcher)
        func set(_ id: Int32, _ isSet: Bool) {
            mask[Int(id) >> 6] &= ~(1 << UInt64(id & 63))
            if isSet { mask[Int(id) >> 6] |= 1 << UInt64(id & 63) }
        }
        for (id, name) in markers {
            var matcher = matcher
            set(id, name.allSatisfy { matcher.advance($0) })
        }
        if matcher.isComplete {
            for id in vocabulary.tokenizer.endTokens { set(id, true) }
        }
        if known.count == Self.maximumKnown { known = [:] }
        known[state] = mask
        return mask
    }

    var bytesToEnd: Int? { shortestEnd?.count }
    var shortestEnd: [UInt8]? {
        scanner.matcher == nil ? schema?.shortestEnd : scanner.shortestEnd
    }

    mutating func advance(_ token: Int32) {
        guard !vocabulary.tokenizer.endTokens.contains(token) else { return }
        let bytes = bytes(token) ?? vocabulary.tokenizer.bytes(token)
        for byte in bytes { scanner.take(byte) { _ in } }
        if scanner.matcher != nil { schema = nil }
        // Both go on together as long as both may: of a token, at least one has room.
        schema?.advance(token)
        if var matcher = opening {
            let opens = schema != nil && bytes.allSatisfy { matcher.advance($0) }
            opening = opens ? matcher : nil
        }
    }

    func bytes(_ token: Int32) -> [UInt8]? { markers[token] }
}
