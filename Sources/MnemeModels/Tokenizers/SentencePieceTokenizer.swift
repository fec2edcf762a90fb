/// SentencePiece-style BPE (Kudo and Richardson 2018): characters are joined pair by pair into known pieces, the piece of the highest
/// score first; what is not known is written byte by byte. Spaces are "▁". Llama 2, Mistral and others.
public final class SentencePieceTokenizer: Tokenizer {
    public let vocabularySize: Int
    public let endTokens: Set<Int32>
    public let beginToken: Int32?
    /// By bytes: strings that differ in the form of an accent are equal in Swift, and are different pieces.
    private let pieces: [[UInt8]: Int32]
    private let scores: [Float]
    private let texts: [[UInt8]]
    private let byteTokens: [Int32]
    private let unknown: Int32
    private let special: SpecialTokens
    private let addsSpace: Bool

    /// What a piece is, by GGUF's numbers.
    enum Kind: Int { case normal = 1, unknown, control, userDefined, unused, byte }

    /// - Parameters:
    ///   - tokens: pieces by id, with their scores and kinds.
    ///   - addsSpace: whether text begins with a space that was not there.
    /// - Throws: ``ModelError`` if the lists do not fit each other.
    package init(
        tokens: [String], scores: [Float], kinds: [Int], addsSpace: Bool, endTokens: Set<Int32>, beginToken: Int32?, unknown: Int32, path: String
    ) throws {
        guard tokens.count == scores.count, tokens.count == kinds.count, tokens.indices.contains(Int(unknown)) else {
            throw ModelError(
                .invalidFile, "The vocabulary of \(path) has \(tokens.count) tokens, \(scores.count) scores and \(kinds.count) kinds. Fetch it again.")
        }
        vocabularySize = tokens.count
        self.endTokens = endTokens
        self.beginToken = beginToken
        self.scores = scores
        self.unknown = unknown
        self.addsSpace = addsSpace
        var pieces: [[UInt8]: Int32] = [:], specials: [String: Int32] = [:], byteTokens = [Int32](repeating: unknown, count: 256), texts: [[UInt8]] = []
        for (i, token) in tokens.enumerated() {
            let id = Int32(i)
            switch Kind(rawValue: kinds[i]) {
            case .control?, .unknown?:
                specials[token] = id
                texts.append([])
            case .userDefined?:
                specials[token] = id
                texts.append(Self.bytes(of: token))
            case .byte?:
                guard token.hasPrefix("<0x"), let byte = UInt8(token.dropFirst(3).dropLast(), radix: 16) else {
                    throw ModelError(.invalidFile, "The byte token '\(token.prefix(20))' of \(path) is not understood. Fetch it again.")
                }
                byteTokens[Int(byte)] = id
                texts.append([byte])
            default:
                if pieces[Array(token.utf8)] == nil { pieces[Array(token.utf8)] = id }
                texts.append(Self.bytes(of: token))
            }
        }
        self.pieces = pieces
        self.byteTokens = byteTokens
        self.texts = texts
        special = SpecialTokens(specials)
    }

    /// By scalars: a mark after "▁" would make one character with it.
    private static func bytes(of piece: String) -> [UInt8] {
        Array(String(String.UnicodeScalarView(piece.unicodeScalars.map { $0 == "▁" ? " " : $0 })).utf8)
    }

    public func encode(_ text: String, special isSpecial: Bool) -> [Int32] { encode(text, special: isSpecial, drop: nil) }
    public func encode(_ text: String, special isSpecial: Bool, dropping scalar: Unicode.Scalar) -> [Int32] { encode(text, special: isSpecial, drop: scalar) }
    public func bytes(_ token: Int32) -> [UInt8] { texts.indices.contains(Int(token)) ? texts[Int(token)] : [] }
    public func special(_ name: String) -> Int32? { special.ids[name] }
    public func name(_ token: Int32) -> String? { special.names[token] }
    public var specialNames: [String] { Array(special.ids.keys) }

    private func encode(_ text: String, special isSpecial: Bool, drop: Unicode.Scalar?) -> [Int32] {
        var ids: [Int32] = []
        func plain(_ part: Substring) {
            var scalars = String.UnicodeScalarView()
            if addsSpace { scalars.append("▁") }
            for scalar in part.unicodeScalars where scalar != drop { scalars.append(scalar == " " ? "▁" : scalar) }
            join(String(scalars), into: &ids)
        }
        guard isSpecial else {
            if !text.isEmpty { plain(text[...]) }
            return ids
        }
        special.split(text, text: plain) { ids.append($0) }
        return ids
    }

    /// Joins over a linked list with a queue of candidates: n·log n.
    private func join(_ text: String, into ids: inout [Int32]) {
        let bytes = Array(text.utf8)
        // Symbols are ranges of bytes; one that was joined to its left neighbour has length 0.
        var starts: [Int] = [], lengths: [Int] = []
        for (i, byte) in bytes.enumerated() where byte & 0xc0 != 0x80 { starts.append(i) }
        for (i, start) in starts.enumerated() { lengths.append((i + 1 < starts.count ? starts[i + 1] : bytes.count) - start) }
        guard !starts.isEmpty else { return }
        var next = Array(1...starts.count), previous = Array(-1..<starts.count - 1), queue = PairQueue()
        func consider(_ left: Int) {
            let right = next[left]
            guard right < starts.count else { return }
            let length = lengths[left] + lengths[right]
            guard let piece = pieces[Array(bytes[starts[left]..<starts[left] + length])] else { return }
            queue.push(PairQueue.Entry(priority: -scores[Int(piece)], left: left, right: right, length: length))
        }
        for i in 0..<starts.count - 1 { consider(i) }
        while let entry = queue.pop() {
            guard lengths[entry.left] > 0, lengths[entry.right] > 0, next[entry.left] == entry.right,
                lengths[entry.left] + lengths[entry.right] == entry.length
            else { continue }
            lengths[entry.left] = entry.length
            lengths[entry.right] = 0
            next[entry.left] = next[entry.right]
            if next[entry.left] < starts.count { previous[next[entry.left]] = entry.left }
            consider(entry.left)
            if previous[entry.left] >= 0 { consider(previous[entry.left]) }
        }
        for (i, start) in starts.enumerated() where lengths[i] > 0 {
            let part = bytes[start..<start + lengths[i]]
            if let piece = pieces[Array(part)] { ids.append(piece) } else { ids += part.map { byteTokens[Int($0)] } }
        }
    }
}
