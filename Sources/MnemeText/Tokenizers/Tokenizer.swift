/// Tokenizer of a language model: text to token ids and back.
///
/// A tokenizer belongs to its model: the ids of one mean nothing to another. Encoding a text in two
/// parts can give other tokens than encoding it at once, unless the cut is at a special token;
/// cached prefixes are compared by tokens for that reason.
public protocol Tokenizer: Sendable {
    /// Number of tokens: all ids are below it.
    var vocabularySize: Int { get }
    /// Tokens that end an answer: the one that the file names, and other ends of a turn.
    var endTokens: Set<Int32> { get }
    /// Token that begins a text, if the model wants one; encoding does not add it.
    var beginToken: Int32? { get }
    /// Token ids of `text`.
    ///
    /// - Parameters:
    ///   - text: what is encoded.
    ///   - special: names of special tokens in the text become those tokens. False for text that a
    ///     user wrote: nobody may forge a turn of the conversation.
    ///   - dropping: a scalar that is left out of what is text, after special tokens were found:
    ///     put into a name in a user's text, it keeps the name from being found.
    func encode(_ text: String, special: Bool, dropping: Unicode.Scalar?) -> [Int32]
    /// Names of all special tokens.
    var specialNames: [String] { get }
    /// The bytes that a token stands for; empty for control tokens and unknown ids.
    func bytes(_ token: Int32) -> [UInt8]
    /// The id of a special token, by its name.
    func special(_ name: String) -> Int32?
    /// The name of a special token.
    func name(_ token: Int32) -> String?
}

extension Tokenizer {
    /// Token ids of `text`, with all of its scalars; `special` as in
    /// ``encode(_:special:dropping:)``.
    public func encode(_ text: String, special: Bool) -> [Int32] {
        encode(text, special: special, dropping: nil)
    }

    /// Text of `tokens`; bytes that are no UTF-8 become U+FFFD. Nothing is cleaned up: no space is
    /// removed, as with `clean_up_tokenization_spaces=False`.
    public func decode(_ tokens: some Sequence<Int32>) -> String {
        String(decoding: tokens.flatMap { bytes($0) }, as: UTF8.self)
    }
}

/// Decoder for tokens as they come: gives out whole characters only. A character of four bytes can
/// be spread over four tokens; at most three bytes are held back.
public struct StreamingDecoder: Sendable {
    /// Bytes that begin a character whose rest has not come.
    private var pendingBytes: [UInt8] = []

    /// Decoder that holds nothing.
    public init() {}

    /// Takes bytes, and gives the text that is complete after them; empty while a character is not.
    public mutating func append(_ bytes: [UInt8]) -> String {
        pendingBytes += bytes
        let complete = pendingBytes.count - Self.unfinished(pendingBytes)
        defer { pendingBytes.removeFirst(complete) }
        return String(decoding: pendingBytes[..<complete], as: UTF8.self)
    }

    /// Gives what is left at the end: U+FFFD for a part of a character, else nothing.
    public mutating func finish() -> String {
        defer { pendingBytes = [] }
        return String(decoding: pendingBytes, as: UTF8.self)
    }

    /// Number of bytes at the end that begin a character and lack its rest: 0 to 3. Bytes that can
    /// begin no character are not held, so that broken output does not stop the stream.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let byte = bytes[bytes.count - length]
            if byte & 0xc0 == 0x80 { continue }
            let needed =
                byte & 0xe0 == 0xc0 ? 2 : byte & 0xf0 == 0xe0 ? 3 : byte & 0xf8 == 0xf0 ? 4 : 1
            return needed > length ? length : 0
        }
        return 0
    }
}

/// Special and added tokens of a vocabulary: finds those that text is not merged into, the longest
/// first.
///
/// Follows the added-token splitting of the `tokenizers` library, but for `lstrip`, `single_word`
/// and `normalized`, which are not read. Complexity: linear in the text times the tokens that share
/// a first byte.
struct SpecialTokens: Sendable {
    /// Tokens with a meaning beyond text, such as the end of a turn: found only where that is asked
    /// for.
    let ids: [String: Int32]
    /// Names by id, the inverse of `ids`.
    let names: [Int32: String]
    /// All tokens by their first byte, the longest first: at most positions of a text one look-up
    /// shows that no token begins there.
    private let byFirst: [UInt8: [Entry]]
    /// Tokens that swallow the whitespace after them.
    private let strips: Set<Int32>

    /// Token as it stands in text.
    private struct Entry {
        /// UTF-8 of its name; never empty.
        var bytes: [UInt8]
        /// Id that the text becomes.
        var id: Int32
        /// Found only where special tokens are asked for.
        var isSpecial: Bool
    }

    /// Finder for these tokens.
    ///
    /// - Parameters:
    ///   - ids: special tokens by name.
    ///   - plain: tokens of plain text that are found always, such as runs of newlines.
    ///   - stripping: ids that swallow the whitespace after them (`rstrip`).
    init(_ ids: [String: Int32], plain: [String: Int32] = [:], stripping: Set<Int32> = []) {
        self.ids = ids
        strips = stripping
        names = Dictionary(ids.map { ($1, $0) }) { first, _ in first }
        let entries =
            ids.map { Entry(bytes: Array($0.key.utf8), id: $0.value, isSpecial: true) }
            + plain.map { Entry(bytes: Array($0.key.utf8), id: $0.value, isSpecial: false) }
        byFirst = Dictionary(grouping: entries.filter { !$0.bytes.isEmpty }, by: { $0.bytes[0] })
            .mapValues {
                $0.sorted { $0.bytes.count > $1.bytes.count }
            }
    }

    /// Names of tokens that end a turn in the families that are read, whether or not their file
    /// names them as its end.
    static let endNames = [
        "<|im_end|>", "<|eot_id|>", "<|end|>", "<|endoftext|>", "<end_of_turn>",
    ]

    /// Tells if a token of that name has a meaning beyond text, though its file calls it
    /// user-defined. Names of Gemma's turns, and all of the form `<|…|>`: taking a harmless one for
    /// special costs a user a few more tokens, the opposite would let a user's text end a turn.
    static func isControl(_ name: String) -> Bool {
        name.hasPrefix("<|") && name.hasSuffix("|>")
            || ["<start_of_turn>", "<end_of_turn>"].contains(name)
    }

    /// Cuts `text` at the tokens.
    ///
    /// - Parameters:
    ///   - isSpecial: whether special tokens are looked for.
    ///   - plain: gets a run of text, and whether a text of its own begins and ends with it: at the
    ///     ends of all, and at special tokens.
    func split(
        _ text: String, special isSpecial: Bool,
        text plain: (Substring, _ begins: Bool, _ ends: Bool) -> Void,
        token: (Int32) -> Void
    ) {
        var text = text
        text.makeContiguousUTF8()
        let utf8 = text.utf8
        text.utf8.withContiguousStorageIfAvailable { bytes in
            var start = 0
            var i = 0
            var isFirst = true
            /// Hands out the text since the last token, if there is any.
            func flush(_ end: Int, isLast: Bool) {
                guard start < end else { return }
                plain(
                    text[
                        utf8.index(
                            utf8.startIndex, offsetBy: start)..<utf8.index(
                                utf8.startIndex, offsetBy: end)],
                    isFirst, isLast)
            }
            while i < bytes.count {
                guard let candidates = byFirst[bytes[i]],
                    let found = candidates.first(where: {
                        ($0.isSpecial ? isSpecial : true) && bytes[i...].starts(with: $0.bytes)
                    })
                else {
                    i += 1
                    continue
                }
                flush(i, isLast: found.isSpecial)
                token(found.id)
                i += found.bytes.count
                if strips.contains(found.id) {
                    while i < bytes.count, [9, 10, 11, 12, 13, 32].contains(bytes[i]) { i += 1 }
                }
                start = i
                isFirst = found.isSpecial
            }
            flush(bytes.count, isLast: true)
        }
    }
}
