import Foundation
import MnemeBase
import MnemeFormats

/// The WordPiece tokenizer of BERT models (Schuster and Nakajima 2012; Devlin et al. 2019): text is
/// cleaned and cut into words, and each word into the longest pieces of the vocabulary, from its
/// beginning on. Pieces that go on a word begin with `##`. A word with a part that is in no piece
/// is `[UNK]` as a whole.
///
/// Token ids equal those of Hugging Face tokenizers for the same `vocab.txt`.
public struct WordPieceTokenizer: Sendable {
    /// Longest word in characters that is cut into pieces; a longer one is unknown, as in the
    /// reference.
    static let maximumWord = 100
    /// The largest vocabulary file that is read.
    static let maximumFile = 64 << 20

    // Clean-up, pieces, and names that stand for themselves in a text.
    private let normalizer: BertNormalizer
    private let table: PieceTable
    private let special: [(text: [UInt8], id: Int32)]
    /// Tokens in the vocabulary.
    public let vocabularySize: Int
    /// Ids of `[CLS]`, `[SEP]`, `[UNK]` and `[PAD]`.
    public let classID, separatorID, unknownID, paddingID: Int32

    /// Reads `vocab.txt` (one piece a line) and the case rules of `tokenizer_config.json`.
    ///
    /// - Throws: `ModelError` for a missing, damaged or foreign file.
    public init(folder: String) throws {
        var lowercase = true
        var stripAccents: Bool?
        var splitCJK = true
        let configuration = folder + "/tokenizer_config.json"
        if FileManager.default.fileExists(atPath: configuration) {
            guard let data = FileManager.default.contents(atPath: configuration),
                data.count < 4 << 20,
                let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
            else {
                throw ModelError(
                    .invalidFile, "\(configuration) is not a JSON object. Fetch the model again.")
            }
            lowercase = object["do_lower_case"] as? Bool ?? true
            stripAccents = object["strip_accents"] as? Bool
            splitCJK = object["tokenize_chinese_chars"] as? Bool ?? true
        }
        let file = try MappedFile(path: folder + "/vocab.txt")
        guard file.count <= Self.maximumFile else {
            throw ModelError(
                .invalidFile,
                "\(file.path) has \(file.count) bytes; a vocabulary has at most \(Self.maximumFile)."
            )
        }
        try self.init(
            vocabulary: Array(file.bytes), source: file.path, lowercase: lowercase,
            stripAccents: stripAccents ?? lowercase, splitCJK: splitCJK)
    }

    /// Reads the WordPiece model of a `tokenizer.json`, for folders without `vocab.txt`.
    ///
    /// - Throws: ``ModelError`` for ids that leave a gap, and for rules that are not BERT's.
    init(json: OrderedJSON, path: String) throws {
        func unsupported(_ what: String) -> ModelError {
            ModelError(.unsupported, "\(path) \(what), which is not known.")
        }
        let model = json["model"]
        let members = model?["vocab"]?.members ?? []
        var pieces = [String?](repeating: nil, count: members.count)
        for entry in members {
            guard let id = entry.value.integer, pieces.indices.contains(id), pieces[id] == nil,
                !entry.key.utf8.contains(10)
            else {
                throw ModelError(
                    .invalidFile, "\(path) has ids that leave a gap. Fetch the model again.")
            }
            pieces[id] = entry.key
        }
        let prefix = model?["continuing_subword_prefix"]?.string ?? "##"
        guard prefix == "##" else {
            throw unsupported("begins pieces within words by '\(prefix.prefix(20))'")
        }
        let normalizer = json["normalizer"]
        let cutter = json["pre_tokenizer"]?["type"]?.string
        guard normalizer?["type"]?.string == "BertNormalizer" else {
            throw unsupported(
                "normalises text by '\((normalizer?["type"]?.string ?? "nothing").prefix(40))'")
        }
        guard cutter == "BertPreTokenizer" else {
            throw unsupported("cuts text by '\((cutter ?? "nothing").prefix(40))'")
        }
        let lowercase = normalizer?["lowercase"]?.bool ?? true
        try self.init(
            vocabulary: Array(pieces.map { $0 ?? "" }.joined(separator: "\n").utf8), source: path,
            lowercase: lowercase, stripAccents: normalizer?["strip_accents"]?.bool ?? lowercase,
            splitCJK: normalizer?["handle_chinese_chars"]?.bool ?? true)
    }

    /// - Parameters:
    ///   - vocabulary: UTF-8, one piece a line; the line number is the id.
    ///   - source: names the file in errors.
    ///   - lowercase: whether letters are lower-cased.
    ///   - stripAccents: whether accents are taken off letters.
    ///   - splitCJK: whether each Chinese character is a word by itself.
    public init(
        vocabulary: [UInt8], source: String, lowercase: Bool = true, stripAccents: Bool = true,
        splitCJK: Bool = true
    ) throws {
        // The line's number is the id, so that no line may be left out.
        let table = try PieceTable(vocabulary: vocabulary, source: source)
        self.table = table
        vocabularySize = table.count
        normalizer = BertNormalizer(
            lowercase: lowercase, stripAccents: stripAccents, splitCJK: splitCJK)
        func require(_ token: String) throws -> Int32 {
            guard let id = table.id(of: token) else {
                throw ModelError(
                    .invalidFile, "\(source) lacks the token \(token). It is not a BERT vocabulary."
                )
            }
            return id
        }
        classID = try require("[CLS]")
        separatorID = try require("[SEP]")
        unknownID = try require("[UNK]")
        paddingID = try require("[PAD]")
        special = ["[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"].compactMap { token in
            table.id(of: token).map { (Array(token.utf8), $0) }
        }
    }

    /// Token ids of `text` between `[CLS]` and `[SEP]`, cut to `maximumLength` in all.
    ///
    /// - Parameters:
    ///   - text: what is read; marks such as `[MASK]` in it become the tokens that they name.
    ///   - maximumLength: tokens at most, those two counted; at least 2.
    /// - Complexity: linear in the text up to the cut.
    public func encode(_ text: String, maximumLength: Int = 256) -> [Int32] {
        precondition(maximumLength >= 2, "A sequence holds at least [CLS] and [SEP].")
        var ids: [Int32] = [classID]
        // No text of more characters than this fills more tokens than are kept, unless it is blank.
        var start = text.startIndex
        while start < text.endIndex, ids.count < maximumLength {
            let (end, token) = nextSpecial(in: text, from: start)
            normalizer.forEachWord(text[start..<end].utf8) { word in
                if ids.count < maximumLength { append(word, to: &ids) }
            }
            guard let token else { break }
            ids.append(token.id)
            start = text.utf8.index(end, offsetBy: token.length)
        }
        if ids.count > maximumLength - 1 { ids.removeLast(ids.count - (maximumLength - 1)) }
        ids.append(separatorID)
        return ids
    }

    /// The next special token that stands literally in the text: it keeps its id, as in the
    /// reference.
    ///
    /// - Returns: where it begins (the end of the text if there is none), its id and bytes.
    private func nextSpecial(in text: String, from start: String.Index) -> (
        String.Index, (id: Int32, length: Int)?
    ) {
        var index = start
        let utf8 = text.utf8
        while index < utf8.endIndex {
            guard let bracket = utf8[index...].firstIndex(of: UInt8(ascii: "[")) else { break }
            for token in special where utf8[bracket...].starts(with: token.text) {
                return (bracket, (token.id, token.text.count))
            }
            index = utf8.index(after: bracket)
        }
        return (utf8.endIndex, nil)
    }

    /// Cuts a word into pieces; all of it, or one unknown token.
    private func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
        // Characters are counted, not bytes: continuation bytes start with the bits 10.
        if word.count > Self.maximumWord,
            word.reduce(0, { $0 + ($1 & 0xc0 != 0x80 ? 1 : 0) }) > Self.maximumWord
        {
            ids.append(unknownID)
            return
        }
        let before = ids.count
        var start = 0
        while start < word.count {
            guard let match = table.longestMatch(in: word, from: start) else {
                ids.removeLast(ids.count - before)
                ids.append(unknownID)
                return
            }
            ids.append(match.id)
            start = match.end
        }
    }
}

/// Vocabulary pieces in one open-addressing hash table (linear probing, a third full at most);
/// pieces after `##` are kept apart by another seed.
///
/// The hash is FNV-1a's step, byte by byte, so that the hashes of all prefixes of a word come from
/// one pass. Pieces are ranges of the file's bytes: no strings are made.
private struct PieceTable: Sendable {
    private let bytes: [UInt8]
    /// Offset and length of each piece without its `##`.
    private let pieces: [(offset: Int32, length: Int32)]
    /// Pieces that begin with `##`; ids of the pieces by slot, -1 for none; and the most bytes of a
    /// piece.
    private let continuation: [Bool]
    private let slots: [Int32]
    private let longest: Int
    var count: Int { pieces.count }

    init(vocabulary: [UInt8], source: String) throws {
        bytes = vocabulary
        var pieces: [(Int32, Int32)] = []
        var continuation: [Bool] = []
        var start = 0
        func add(_ end: Int) {
            var end = end
            if end > start, vocabulary[end - 1] == 13 { end -= 1 }
            let isContinuation =
                end - start > 2 && vocabulary[start] == 35 && vocabulary[start + 1] == 35
            let offset = isContinuation ? start + 2 : start
            pieces.append((Int32(offset), Int32(end - offset)))
            continuation.append(isContinuation)
        }
        for (i, byte) in vocabulary.enumerated() where byte == 10 {
            add(i)
            start = i + 1
        }
        if start < vocabulary.count { add(vocabulary.count) }
        guard !pieces.isEmpty, pieces.count < 4_000_000 else {
            throw ModelError(
                .invalidFile, "\(source) holds \(pieces.count) pieces. It is not a BERT vocabulary."
            )
        }
        // A power of two, so that a mask does for a remainder.
        var capacity = 1
        while capacity < pieces.count * 3 { capacity *= 2 }
        var slots = [Int32](repeating: -1, count: capacity)
        var longest = 0
        for (id, piece) in pieces.enumerated() {
            var hash = Self.seed(continuation[id])
            for byte in vocabulary[Int(piece.0)..<Int(piece.0 + piece.1)] {
                hash = Self.step(hash, byte)
            }
            var slot = Int(truncatingIfNeeded: Self.finish(hash)) & (capacity - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
            slots[slot] = Int32(id)
            longest = max(longest, Int(piece.1))
        }
        self.pieces = pieces
        self.continuation = continuation
        self.slots = slots
        self.longest = min(longest, 1024)
    }

    /// The steps of the hash: a start for each kind of piece, a byte, and a last mixing of the high
    /// bits into the low ones, which choose the slot.
    private static func seed(_ continuation: Bool) -> UInt64 {
        continuation ? 0x9e37_79b9_7f4a_7c15 : 0xcbf2_9ce4_8422_2325
    }
    private static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    private static func finish(_ hash: UInt64) -> UInt64 { hash ^ (hash >> 29) }

    /// The id of a piece that begins a word.
    func id(of token: String) -> Int32? {
        var token = token
        return token.withUTF8 {
            find(
                $0, 0..<$0.count, hash: $0.reduce(Self.seed(false), Self.step), continuation: false)
        }
    }

    /// The longest piece that starts at `start`; a prefix's hash extends the shorter prefix's.
    ///
    /// - Complexity: one pass for the hashes, then a look-up for each end, from the longest down.
    func longestMatch(in word: UnsafeBufferPointer<UInt8>, from start: Int) -> (
        id: Int32, end: Int
    )? {
        let limit = min(word.count, start + longest)
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: limit - start) { hashes in
            var hash = Self.seed(start > 0)
            for i in start..<limit {
                hash = Self.step(hash, word[i])
                hashes[i - start] = hash
            }
            var end = limit
            while end > start {
                // A piece ends between characters.
                if end == word.count || word[end] & 0xc0 != 0x80,
                    let id = find(
                        word, start..<end, hash: hashes[end - start - 1], continuation: start > 0)
                {
                    return (id, end)
                }
                end -= 1
            }
            return nil
        }
    }

    /// Follows the slots from the hash on until piece or gap.
    private func find(
        _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, hash: UInt64,
        continuation wanted: Bool
    )
        -> Int32?
    {
        var slot = Int(truncatingIfNeeded: Self.finish(hash)) & (slots.count - 1)
        while slots[slot] >= 0 {
            let id = Int(slots[slot])
            let piece = pieces[id]
            if continuation[id] == wanted, Int(piece.length) == range.count {
                let same = bytes.withUnsafeBufferPointer { bytes in
                    memcmp(
                        bytes.baseAddress! + Int(piece.offset),
                        text.baseAddress! + range.lowerBound, range.count)
                        == 0
                }
                if same { return Int32(id) }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }
}
