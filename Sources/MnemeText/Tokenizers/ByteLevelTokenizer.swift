import Foundation
import MnemeBase

/// Byte-level BPE (Radford et al. 2019): the bytes of each piece are merged pair by pair, the pair
/// learned first goes first.
public final class ByteLevelTokenizer: Tokenizer {
    public let vocabularySize: Int
    public let endTokens: Set<Int32>
    public let beginToken: Int32?
    private let preTokenizer: PreTokenizer
    /// Whether accents are joined to their letters first (NFC).
    private let composes: Bool
    private let texts: [[UInt8]]
    private let special: SpecialTokens
    /// Pieces that are tokens as a whole, whatever merges would make of them (Llama 3); empty where
    /// merges decide.
    private let whole: [[UInt8]: Int32]
    /// Ids of single bytes; -1 where the vocabulary lacks one (SmolLM2's does): such a byte is left
    /// out, as the reference does.
    private let byteTokens: [Int32]
    /// Rank and result of merging two tokens.
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
        for (i, token) in tokens.enumerated() where ids[token] == nil { ids[token] = Int32(i) }
        let named = Dictionary(
            specials.filter { tokens.indices.contains(Int($0)) }.map { (tokens[Int($0)], $0) }
        ) {
            first, _ in first
        }
        let control = named.filter { hidden.contains($1) || SpecialTokens.isControl($0) }
        special = SpecialTokens(control, plain: named.filter { control[$0.key] == nil })
        var byteOf: [Unicode.Scalar: UInt8] = [:], byteTokens = [Int32](repeating: -1, count: 256)
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

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

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

    public var specialNames: [String] { Array(special.ids.keys) }
    public func bytes(_ token: Int32) -> [UInt8] {
        texts.indices.contains(Int(token)) ? texts[Int(token)] : []
    }
    public func special(_ name: String) -> Int32? { special.ids[name] }
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

    private func mergeLong(_ start: [Int32], into ids: inout [Int32]) {
        var symbols = start, next = Array(1...start.count), previous = Array(-1..<start.count - 1)
        var queue = PairQueue()
        func consider(_ left: Int) {
            let right = next[left]
            guard right < symbols.count, let merge = merges[Self.key(symbols[left], symbols[right])]
            else { return }
            queue.push(
                PairQueue.Entry(priority: Float(merge.rank), left: left, right: right, length: 0))
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
