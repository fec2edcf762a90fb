import Foundation
import MnemeBase

/// Byte-level BPE tokenizer (Radford et al. 2019): the bytes of each piece are merged pair by pair,
/// the pair learned first goes first.
///
/// Follows `ByteLevel` and `BPE` of the Hugging Face `tokenizers` library: no unknown token, no
/// dropout, no prefix of continued words. Plain text is never lost as long as the vocabulary has
/// all 256 bytes, and ``bytes(_:)`` gives back what was encoded. Immutable after `init`, so that
/// many threads may share one.
public final class ByteLevelTokenizer: Tokenizer {
    /// Number of tokens in the file, special ones included. A model's output matrix may have more
    /// rows than this, where it was padded.
    public let vocabularySize: Int
    /// Tokens that stop generation: the file's end token and the known ends of a turn.
    public let endTokens: Set<Int32>
    /// Token to put before a text; nil where the file does not ask for one.
    /// ``encode(_:special:dropping:)`` does not add it: a prompt is often encoded in parts, and
    /// only its first part begins a text.
    public let beginToken: Int32?
    /// Cuts text into the pieces that merges do not cross.
    private let preTokenizer: PreTokenizer
    /// Canonical composition (NFC) of text before it is cut, as the `NFC` normalizer of Qwen's
    /// files: accents are joined to their letters. Bytes that come back are the composed ones.
    private let composes: Bool
    /// Bytes of each token, by id; empty for hidden ones. Bytes and not strings, because a token
    /// may hold a part of a character.
    private let texts: [[UInt8]]
    /// Tokens that are found in text before it is cut, and that no merge makes.
    private let special: SpecialTokens
    /// Pieces that are tokens as a whole, whatever merges would make of them: `ignore_merges` of
    /// Llama 3's file. Empty where merges decide, which costs no look-up then.
    private let whole: [[UInt8]: Int32]
    /// Ids of single bytes; -1 where the vocabulary lacks one (SmolLM2's does): such a byte is left
    /// out, as the reference does.
    private let byteTokens: [Int32]
    /// Merge rules by both token ids (see `key`): the rank, 0 for the pair learned first, and the
    /// token that the pair becomes. Where a file lists a pair twice, the first counts.
    private let merges: [UInt64: (rank: Int32, token: Int32)]

    /// - Parameters:
    ///   - tokens: by id, in GPT-2's spelling of bytes as characters; special ones as they are.
    ///   - merges: "left right", the first learned first.
    ///   - specialTokens: ids that text is not merged into.
    ///   - hidden: special ids that stand for no text.
    ///   - ignoresMerges: whether a piece that is a token as a whole becomes it, whatever merges
    ///     would make of it.
    /// - Throws: ``ModelError`` if a merge names unknown tokens or no byte is in the vocabulary.
    init(
        tokens: [String], merges list: [String], ignoresMerges: Bool, preTokenizer: PreTokenizer,
        composes: Bool,
        specialTokens: [Int32], hidden: Set<Int32>,
        endTokens: Set<Int32>,
        beginToken: Int32?, path: String
    ) throws {
        self.preTokenizer = preTokenizer
        self.composes = composes
        self.endTokens = endTokens
        self.beginToken = beginToken
        vocabularySize = tokens.count
        let specials = Set(specialTokens)
        var ids: [String: Int32] = [:]
        ids.reserveCapacity(tokens.count)
        // Where two tokens are spelled alike, the lower id is the one that text becomes.
        for (i, token) in tokens.enumerated() where ids[token] == nil { ids[token] = Int32(i) }
        let named = Dictionary(
            specials.filter { tokens.indices.contains(Int($0)) }.map { (tokens[Int($0)], $0) }
        ) {
            first, _ in first
        }
        // What a file hides, and names that chat formats use, may only come from a template: encode
        // finds the first group only when the caller says that the text is trusted.
        let control = named.filter { hidden.contains($1) || SpecialTokens.isControl($0) }
        special = SpecialTokens(control, plain: named.filter { control[$0.key] == nil })
        var byteOf: [Unicode.Scalar: UInt8] = [:]
        var byteTokens = [Int32](repeating: -1, count: 256)
        for byte in 0...255 {
            let scalar = Self.scalar(for: UInt8(byte))
            byteOf[scalar] = UInt8(byte)
            byteTokens[byte] = ids[String(Character(scalar))] ?? -1
        }
        self.byteTokens = byteTokens
        guard byteTokens.contains(where: { $0 >= 0 }) else {
            throw ModelError(
                .invalidFile, "The vocabulary of \(path) has no bytes. Fetch it again.")
        }
        texts = tokens.enumerated().map { i, token in
            let id = Int32(i)
            // Spelled-out bytes become bytes again. A token with a character outside of the
            // spelling was added as plain text, and stands for its UTF-8.
            if hidden.contains(id) { return [] }
            if specials.contains(id) { return Array(token.utf8) }
            var bytes: [UInt8] = []
            for scalar in token.unicodeScalars {
                guard let byte = byteOf[scalar] else { return Array(token.utf8) }
                bytes.append(byte)
            }
            return bytes
        }
        var whole: [[UInt8]: Int32] = [:]
        if ignoresMerges {
            for (i, text) in texts.enumerated()
            where !specials.contains(Int32(i)) && whole[text] == nil {
                whole[text] = Int32(i)
            }
        }
        self.whole = whole
        var merges: [UInt64: (rank: Int32, token: Int32)] = [:]
        merges.reserveCapacity(list.count)
        for (rank, merge) in list.enumerated() {
            let parts = merge.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 2, let left = ids[String(parts[0])],
                let right = ids[String(parts[1])],
                let both = ids[String(parts[0] + parts[1])]
            else {
                throw ModelError(
                    .invalidFile,
                    "The merge '\(merge.prefix(60))' of \(path) does not fit its vocabulary. Fetch it again."
                )
            }
            let key = Self.key(left, right)
            if merges[key] == nil { merges[key] = (Int32(rank), both) }
        }
        self.merges = merges
    }

    /// GPT-2's spelling of a byte: itself where it is printable, else moved up by 256.
    private static func scalar(for byte: UInt8) -> Unicode.Scalar {
        switch byte {
        case 33...126, 161...172, 174...255: return Unicode.Scalar(byte)
        case 0...32: return Unicode.Scalar(256 + UInt32(byte))!
        case 127...160: return Unicode.Scalar(256 + 33 + UInt32(byte) - 127)!
        default: return Unicode.Scalar(256 + 67)!
        }
    }

    /// Dictionary key of a pair: the left id in the upper 32 bits, the right one in the lower. One
    /// integer hashes faster than a pair of strings, of which a long text looks up thousands.
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Token ids of `text`: special tokens are cut out, the rest is normalized, cut into pieces,
    /// and each piece is merged.
    ///
    /// Complexity: linear in the text but for pieces, of which one of n bytes costs O(n·log n). The
    /// pre-tokenizer keeps ordinary pieces to a word; a run of letters without spaces is one piece.
    public func encode(_ text: String, special isSpecial: Bool, dropping scalar: Unicode.Scalar?)
        -> [Int32]
    {
        var ids: [Int32] = []
        special.split(text, special: isSpecial) { part, _, _ in
            let text =
                scalar.map { scalar in
                    String(String.UnicodeScalarView(part.unicodeScalars.filter { $0 != scalar }))
                }
                ?? String(part)
            preTokenizer.pieces(composes ? text.precomposedStringWithCanonicalMapping : text) {
                merge($0, into: &ids)
            }
        } token: {
            ids.append($0)
        }
        return ids
    }

    /// Names of the special tokens, in no order; a caller removes them from text that is not
    /// trusted.
    public var specialNames: [String] { Array(special.ids.keys) }
    /// Bytes of a token; empty for hidden tokens and for ids outside of the vocabulary, which a
    /// model with padded output rows can produce.
    public func bytes(_ token: Int32) -> [UInt8] {
        texts.indices.contains(Int(token)) ? texts[Int(token)] : []
    }
    /// Id of the special token of that exact name; nil where the vocabulary has none.
    public func special(_ name: String) -> Int32? { special.ids[name] }
    /// Name of a special token; nil for tokens of text.
    public func name(_ token: Int32) -> String? { special.names[token] }

    /// Merges one piece: by search over all pairs where it is short, else by a queue of pairs over
    /// a linked list, so that a long run costs n·log n.
    private func merge(_ piece: ArraySlice<UInt8>, into ids: inout [Int32]) {
        if !whole.isEmpty, let token = whole[Array(piece)] { return ids.append(token) }
        var symbols = piece.compactMap { byteTokens[Int($0)] >= 0 ? byteTokens[Int($0)] : nil }
        if symbols.count > 64 { return mergeLong(symbols, into: &ids) }
        while symbols.count > 1 {
            var best: (rank: Int32, token: Int32, place: Int)?
            for i in 0..<symbols.count - 1 {
                if let merge = merges[Self.key(symbols[i], symbols[i + 1])],
                    merge.rank < best?.rank ?? .max
                {
                    best = (merge.rank, merge.token, i)
                }
            }
            guard let best else { break }
            symbols[best.place] = best.token
            symbols.remove(at: best.place + 1)
        }
        ids += symbols
    }

    /// Merges a piece of more than 64 symbols in O(n·log n): symbols are a doubly linked list over
    /// arrays, candidate pairs wait in a heap. Gives the same tokens as the search over all pairs,
    /// which needs no queue for the short pieces that nearly all text has.
    ///
    /// A merged symbol's right half becomes -1. Ranks are exact as `Float` below 2²⁴; published
    /// vocabularies have fewer than 2²⁰ merges.
    private func mergeLong(_ start: [Int32], into ids: inout [Int32]) {
        var symbols = start
        var next = Array(1...start.count)
        var previous = Array(-1..<start.count - 1)
        var queue = MergeQueue()
        /// Queues the pair that begins at `left`, if a merge rule exists for it.
        func consider(_ left: Int) {
            let right = next[left]
            guard right < symbols.count, let merge = merges[Self.key(symbols[left], symbols[right])]
            else { return }
            queue.push(
                MergeQueue.Entry(priority: Float(merge.rank), left: left, right: right, length: 0))
        }
        for i in 0..<symbols.count - 1 { consider(i) }
        while let entry = queue.pop() {
            // Stale entries name symbols that have merged since: then the pair is another, of
            // another rank.
            guard symbols[entry.left] >= 0, next[entry.left] == entry.right,
                symbols[entry.right] >= 0,
                let merge = merges[Self.key(symbols[entry.left], symbols[entry.right])],
                Float(merge.rank) == entry.priority
            else { continue }
            symbols[entry.left] = merge.token
            symbols[entry.right] = -1
            next[entry.left] = next[entry.right]
            if next[entry.left] < symbols.count { previous[next[entry.left]] = entry.left }
            consider(entry.left)
            if previous[entry.left] >= 0 { consider(previous[entry.left]) }
        }
        ids += symbols.filter { $0 >= 0 }
    }
}
