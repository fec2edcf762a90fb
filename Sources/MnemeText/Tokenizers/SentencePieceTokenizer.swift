import MnemeBase

/// SentencePiece (Kudo and Richardson 2018): text is cut into known pieces, spaces are "▁", what is
/// not known is written byte by byte.
///
/// Two models: BPE joins characters pair by pair, the piece of the highest score first (Llama 2,
/// Mistral, Gemma, Phi-3); unigram takes the pieces whose scores add up to the most (Kudo 2018; T5
/// and others).
public final class SentencePieceTokenizer: Tokenizer {
    public let vocabularySize: Int
    public let endTokens: Set<Int32>
    public let beginToken: Int32?
    /// By bytes: strings that differ in the form of an accent are equal in Swift, and are different
    /// pieces.
    private let pieces: [[UInt8]: Int32]
    private let scores: [Float]
    private let texts: [[UInt8]]
    private let byteTokens: [Int32]
    private let unknown: Int32
    private let special: SpecialTokens
    private let model: Model
    private let normalizer: SentencePieceNormalizer
    /// Bytes of the longest piece, and the score of what is no piece (unigram).
    private let longest: Int, unknownScore: Float

    /// How pieces are chosen.
    package enum Model: Sendable { case bpe, unigram }

    /// What a piece is, by GGUF's numbers.
    enum Kind: Int { case normal = 1, unknown, control, userDefined, unused, byte }

    /// - Parameters:
    ///   - tokens: pieces by id, with their scores and kinds.
    ///   - stripping: names of tokens that swallow the whitespace after them.
    /// - Throws: ``ModelError`` if the lists do not fit each other.
    package init(
        model: Model, tokens: [String], scores: [Float], kinds: [Int],
        normalizer: SentencePieceNormalizer,
        endTokens: Set<Int32>, beginToken: Int32?,
        unknown: Int32, stripping: Set<String> = [], path: String
    ) throws {
        guard tokens.count == scores.count, tokens.count == kinds.count,
            tokens.indices.contains(Int(unknown))
        else {
            throw ModelError(
                .invalidFile,
                "The vocabulary of \(path) has \(tokens.count) tokens, \(scores.count) scores and \(kinds.count) kinds. Fetch it again."
            )
        }
        vocabularySize = tokens.count
        self.endTokens = endTokens
        self.beginToken = beginToken
        self.scores = scores
        self.unknown = unknown
        self.model = model
        self.normalizer = normalizer
        var pieces: [[UInt8]: Int32] = [:], specials: [String: Int32] = [:],
            byteTokens = [Int32](repeating: unknown, count: 256), texts: [[UInt8]] = []
        var plain: [String: Int32] = [:], least = Float.infinity
        for (i, token) in tokens.enumerated() {
            let id = Int32(i)
            switch Kind(rawValue: kinds[i]) {
            case .control?, .unknown?:
                specials[token] = id
                texts.append([])
            case .userDefined?:
                let text = Self.bytes(of: token)
                if SpecialTokens.isControl(token) {
                    specials[token] = id
                } else {
                    plain[String(decoding: text, as: UTF8.self)] = id
                }
                texts.append(text)
            case .byte?:
                guard token.hasPrefix("<0x"),
                    let byte = UInt8(token.dropFirst(3).dropLast(), radix: 16)
                else {
                    throw ModelError(
                        .invalidFile,
                        "The byte token '\(token.prefix(20))' of \(path) is not understood. Fetch it again."
                    )
                }
                byteTokens[Int(byte)] = id
                texts.append([byte])
            default:
                if pieces[Array(token.utf8)] == nil { pieces[Array(token.utf8)] = id }
                least = min(least, scores[i])
                texts.append(Self.bytes(of: token))
            }
        }
        self.pieces = pieces
        self.byteTokens = byteTokens
        self.texts = texts
        longest = pieces.keys.map(\.count).max() ?? 0
        unknownScore = (least.isFinite ? least : 0) - 10
        special = SpecialTokens(
            specials, plain: plain, stripping: Set(stripping.compactMap { specials[$0] }))
    }

    /// By scalars: a mark after "▁" would make one character with it.
    private static func bytes(of piece: String) -> [UInt8] {
        Array(
            String(String.UnicodeScalarView(piece.unicodeScalars.map { $0 == "▁" ? " " : $0 })).utf8
        )
    }

    public func bytes(_ token: Int32) -> [UInt8] {
        texts.indices.contains(Int(token)) ? texts[Int(token)] : []
    }
    public func special(_ name: String) -> Int32? { special.ids[name] }
    public func name(_ token: Int32) -> String? { special.names[token] }
    public var specialNames: [String] { Array(special.ids.keys) }

    public func encode(_ text: String, special isSpecial: Bool, dropping scalar: Unicode.Scalar?)
        -> [Int32]
    {
        var ids: [Int32] = []
        special.split(text, special: isSpecial) { part, begins, ends in
            let kept =
                scalar.map { scalar in
                    String(String.UnicodeScalarView(part.unicodeScalars.filter { $0 != scalar }))
                }
                ?? String(part)
            let bytes = normalizer.normalize(Array(kept.utf8), begins: begins, ends: ends)
            switch model {
            case .bpe: join(bytes, into: &ids)
            case .unigram: choose(bytes, into: &ids)
            }
        } token: {
            ids.append($0)
        }
        return ids
    }

    /// The path of the highest score through all pieces (Viterbi): O(bytes·longest piece).
    private func choose(_ bytes: [UInt8], into ids: inout [Int32]) {
        guard !bytes.isEmpty else { return }
        var best = [(score: Float, start: Int, piece: Int32)](
            repeating: (-.infinity, -1, -1), count: bytes.count + 1)
        best[0] = (0, 0, -1)
        for start in 0..<bytes.count where best[start].start >= 0 {
            // Pieces begin and end between characters.
            let character = Self.characterLength(bytes, start)
            var end = start + character, coversOne = false
            while end <= bytes.count, end - start <= longest {
                if let piece = pieces[Array(bytes[start..<end])] {
                    let score = best[start].score + scores[Int(piece)]
                    if best[end].start < 0 || score > best[end].score {
                        best[end] = (score, start, piece)
                    }
                    if end - start == character { coversOne = true }
                }
                guard end < bytes.count else { break }
                end += Self.characterLength(bytes, end)
            }
            let next = start + character, score = best[start].score + unknownScore
            if !coversOne, best[next].start < 0 || score > best[next].score {
                best[next] = (score, start, -1)
            }
        }
        var path: [(range: Range<Int>, piece: Int32)] = [], end = bytes.count
        while end > 0 {
            path.append((best[end].start..<end, best[end].piece))
            end = best[end].start
        }
        for (i, step) in path.reversed().enumerated() {
            if step.piece >= 0 {
                ids.append(step.piece)
            } else if byteTokens.contains(where: { $0 != unknown }) {
                ids += bytes[step.range].map { byteTokens[Int($0)] }
            } else if i == 0 || path[path.count - i].piece >= 0 {
                ids.append(unknown)  // one for a run
            }
        }
    }

    private static func characterLength(_ bytes: [UInt8], _ start: Int) -> Int {
        let byte = bytes[start], length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
        return min(length, bytes.count - start)
    }

    /// Joins over a linked list with a queue of candidates: n·log n.
    private func join(_ bytes: [UInt8], into ids: inout [Int32]) {
        // Symbols are ranges of bytes; one that was joined to its left neighbour has length 0.
        var starts: [Int] = [], lengths: [Int] = []
        for (i, byte) in bytes.enumerated() where byte & 0xc0 != 0x80 { starts.append(i) }
        for (i, start) in starts.enumerated() {
            lengths.append((i + 1 < starts.count ? starts[i + 1] : bytes.count) - start)
        }
        guard !starts.isEmpty else { return }
        var next = Array(1...starts.count), previous = Array(-1..<starts.count - 1),
            queue = PairQueue()
        func consider(_ left: Int) {
            let right = next[left]
            guard right < starts.count else { return }
            let length = lengths[left] + lengths[right]
            guard let piece = pieces[Array(bytes[starts[left]..<starts[left] + length])] else {
                return
            }
            queue.push(
                PairQueue.Entry(
                    priority: -scores[Int(piece)], left: left, right: right, length: length))
        }
        for i in 0..<starts.count - 1 { consider(i) }
        while let entry = queue.pop() {
            guard lengths[entry.left] > 0, lengths[entry.right] > 0,
                next[entry.left] == entry.right,
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
            if let piece = pieces[Array(part)] {
                ids.append(piece)
            } else {
                ids += part.map { byteTokens[Int($0)] }
            }
        }
    }
}
