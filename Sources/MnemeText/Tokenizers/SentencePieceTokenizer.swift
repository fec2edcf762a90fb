import MnemeBase

/// SentencePiece tokenizer (Kudo and Richardson 2018): text is cut into known pieces, spaces are
/// "▁", what is not known is written byte by byte.
///
/// Two models: BPE joins characters pair by pair, the piece of the highest score first (Llama 2,
/// Mistral, Gemma, Phi-3); unigram takes the pieces whose scores add up to the most (Kudo 2018; T5
/// and others). No sampling of segmentations: encoding is deterministic. Immutable after `init`, so
/// that many threads may share one.
public final class SentencePieceTokenizer: Tokenizer {
    /// Number of pieces, special ones included.
    public let vocabularySize: Int
    /// Tokens that stop generation: the file's end token and the known ends of a turn.
    public let endTokens: Set<Int32>
    /// Token to put before a text; nil where the file does not ask for one. Encoding does not add
    /// it.
    public let beginToken: Int32?
    /// Ids of normal pieces by their bytes: strings that differ in the form of an accent are equal
    /// in Swift, and are different pieces. Of equal ones the lowest id counts.
    private let pieces: [[UInt8]: Int32]
    /// Scores by id: logarithms of probability (unigram), or the negated order of merges (BPE).
    private let scores: [Float]
    /// Bytes of each token by id, with spaces for "▁"; empty for control tokens.
    private let texts: [[UInt8]]
    /// Ids of the 256 byte tokens `<0x00>` to `<0xFF>` (`byte_fallback`); the unknown token for
    /// those that the vocabulary lacks.
    private let byteTokens: [Int32]
    /// Token of what is in no piece, where there are no byte tokens.
    private let unknown: Int32
    /// Tokens that are found in text before pieces are looked for.
    private let special: SpecialTokens
    /// Way in which pieces are chosen.
    private let model: Model
    /// Normalization of text before pieces are looked for.
    private let normalizer: SentencePieceNormalizer
    /// Bytes of the longest piece, which bounds the search; and the score of what is no piece
    /// (unigram): SentencePiece's, the lowest score less 10.
    private let longest: Int, unknownScore: Float

    /// Way in which pieces are chosen: the two models of SentencePiece that are in use. Its word
    /// and character models are not read.
    package enum Model: Sendable { case bpe, unigram }

    /// Type of a piece, by the numbers of SentencePiece's `ModelProto` and of GGUF's `token_type`.
    enum Kind: Int {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

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
        var pieces: [[UInt8]: Int32] = [:]
        var specials: [String: Int32] = [:]
        var byteTokens = [Int32](repeating: unknown, count: 256)
        var texts: [[UInt8]] = []
        var plain: [String: Int32] = [:]
        var least = Float.infinity
        for (i, token) in tokens.enumerated() {
            let id = Int32(i)
            switch Kind(rawValue: kinds[i]) {
            case .control?, .unknown?:
                // Control tokens have no text: an answer shows none of them.
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

    /// Bytes of a piece, with spaces for "▁". Replaced by scalars: a mark after "▁" would make one
    /// character with it.
    private static func bytes(of piece: String) -> [UInt8] {
        Array(
            String(String.UnicodeScalarView(piece.unicodeScalars.map { $0 == "▁" ? " " : $0 })).utf8
        )
    }

    /// Bytes of a token; empty for control tokens and for ids outside of the vocabulary. The space
    /// before a text, which normalization adds, is among them.
    public func bytes(_ token: Int32) -> [UInt8] {
        texts.indices.contains(Int(token)) ? texts[Int(token)] : []
    }
    /// Id of the special token of that exact name; nil where the vocabulary has none.
    public func special(_ name: String) -> Int32? { special.ids[name] }
    /// Name of a special token; nil for tokens of text.
    public func name(_ token: Int32) -> String? { special.names[token] }
    /// Names of the special tokens, in no order.
    public var specialNames: [String] { Array(special.ids.keys) }

    /// Token ids of `text`: special tokens are cut out, the rest is normalized and cut into pieces.
    /// A space is put before text at the beginning and after special tokens, as the reference's
    /// `legacy` behaviour has it.
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

    /// Chooses the path of the highest score through all pieces (Viterbi): for each position, the
    /// best way to reach it. A character that is no piece costs `unknownScore`, so that every text
    /// has a path. Of paths with equal scores, the one that was found first stays.
    ///
    /// Complexity: O(bytes · longest piece) look-ups, each of which hashes its bytes.
    private func choose(_ bytes: [UInt8], into ids: inout [Int32]) {
        guard !bytes.isEmpty else { return }
        var best = [(score: Float, start: Int, piece: Int32)](
            repeating: (-.infinity, -1, -1), count: bytes.count + 1)
        best[0] = (0, 0, -1)
        for start in 0..<bytes.count where best[start].start >= 0 {
            // Pieces begin and end between characters.
            let character = Self.characterLength(bytes, start)
            var end = start + character
            var coversOne = false
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
            let next = start + character
            let score = best[start].score + unknownScore
            if !coversOne, best[next].start < 0 || score > best[next].score {
                best[next] = (score, start, -1)
            }
        }
        var path: [(range: Range<Int>, piece: Int32)] = []
        var end = bytes.count
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

    /// Length in bytes of the UTF-8 character at `start`, by its first byte; never beyond the end.
    private static func characterLength(_ bytes: [UInt8], _ start: Int) -> Int {
        let byte = bytes[start]
        let length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
        return min(length, bytes.count - start)
    }

    /// Joins neighbours as BPE does, the highest score first, over a linked list with a queue of
    /// candidates. Begins with characters, unlike byte-level BPE; one that is no piece becomes its
    /// byte tokens at the end. Complexity: O(n·log n).
    private func join(_ bytes: [UInt8], into ids: inout [Int32]) {
        // Symbols are ranges of bytes; one that was joined to its left neighbour has length 0.
        var starts: [Int] = []
        var lengths: [Int] = []
        for (i, byte) in bytes.enumerated() where byte & 0xc0 != 0x80 { starts.append(i) }
        for (i, start) in starts.enumerated() {
            lengths.append((i + 1 < starts.count ? starts[i + 1] : bytes.count) - start)
        }
        guard !starts.isEmpty else { return }
        var next = Array(1...starts.count)
        var previous = Array(-1..<starts.count - 1)
        var queue = MergeQueue()
        /// Queues the pair that begins at `left`, if both together are a piece.
        func consider(_ left: Int) {
            let right = next[left]
            guard right < starts.count else { return }
            let length = lengths[left] + lengths[right]
            guard let piece = pieces[Array(bytes[starts[left]..<starts[left] + length])] else {
                return
            }
            queue.push(
                MergeQueue.Entry(
                    priority: -scores[Int(piece)], left: left, right: right, length: length))
        }
        for i in 0..<starts.count - 1 { consider(i) }
        while let entry = queue.pop() {
            // An entry is stale once one of its symbols has grown or was joined to another.
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
