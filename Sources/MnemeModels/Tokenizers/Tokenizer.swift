/// Text to token ids and back, for a language model.
public protocol Tokenizer: Sendable {
    /// Ids below this.
    var vocabularySize: Int { get }
    /// The token that ends an answer, and others that do.
    var endTokens: Set<Int32> { get }
    /// The token that begins a text, if the model wants one.
    var beginToken: Int32? { get }
    /// The ids of `text`.
    ///
    /// - Parameter special: whether names of special tokens in the text become those tokens. False for text that a user wrote:
    ///   nobody may forge a turn of the conversation.
    func encode(_ text: String, special: Bool) -> [Int32]
    /// As ``encode(_:special:)`` with special tokens; afterwards, `scalar` is dropped from what is text.
    func encode(_ text: String, special: Bool, dropping scalar: Unicode.Scalar) -> [Int32]
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
    /// The text of `tokens`; bytes that are no UTF-8 become U+FFFD.
    public func decode(_ tokens: some Sequence<Int32>) -> String { String(decoding: tokens.flatMap { bytes($0) }, as: UTF8.self) }
}

/// Turns tokens into text as they come, and never gives out half a character.
public struct StreamingDecoder: Sendable {
    private var held: [UInt8] = []

    /// Nothing held.
    public init() {}

    /// The text that is complete after these bytes.
    public mutating func append(_ bytes: [UInt8]) -> String {
        held += bytes
        let complete = held.count - Self.unfinished(held)
        defer { held.removeFirst(complete) }
        return String(decoding: held[..<complete], as: UTF8.self)
    }

    /// What is left at the end: U+FFFD for half a character.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// Bytes at the end that begin a character and lack its rest.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let byte = bytes[bytes.count - length]
            if byte & 0xc0 == 0x80 { continue }
            let needed = byte & 0xe0 == 0xc0 ? 2 : byte & 0xf0 == 0xe0 ? 3 : byte & 0xf8 == 0xf0 ? 4 : 1
            return needed > length ? length : 0
        }
        return 0
    }
}

/// Finds special tokens in text, the longest first.
struct SpecialTokens: Sendable {
    let ids: [String: Int32]
    let names: [Int32: String]
    private let byFirst: [UInt8: [(bytes: [UInt8], id: Int32)]]

    init(_ ids: [String: Int32]) {
        self.ids = ids
        names = Dictionary(ids.map { ($1, $0) }) { first, _ in first }
        byFirst = Dictionary(grouping: ids.filter { !$0.key.isEmpty }.map { (bytes: Array($0.key.utf8), id: $0.value) }, by: { $0.bytes[0] })
            .mapValues { $0.sorted { $0.bytes.count > $1.bytes.count } }
    }

    /// Cuts `text` at special tokens.
    func split(_ text: String, text plain: (Substring) -> Void, token: (Int32) -> Void) {
        let bytes = Array(text.utf8)
        var start = 0, i = 0
        func flush(_ end: Int) {
            guard start < end else { return }
            let utf8 = text.utf8
            plain(text[utf8.index(utf8.startIndex, offsetBy: start)..<utf8.index(utf8.startIndex, offsetBy: end)])
        }
        while i < bytes.count {
            if let candidates = byFirst[bytes[i]], let found = candidates.first(where: { bytes[i...].starts(with: $0.bytes) }) {
                flush(i)
                token(found.id)
                i += found.bytes.count
                start = i
            } else {
                i += 1
            }
        }
        flush(bytes.count)
    }
}
