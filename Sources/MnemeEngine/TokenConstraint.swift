/// Says which tokens may come next in an answer: constrained decoding of any form.
package protocol TokenConstraint: Sendable {
    /// True if every token may come next; then ``allowed()`` is not asked.
    var isFree: Bool { get }
    /// A bit for each token: set if the token may come next. All clear if the vocabulary cannot go
    /// on.
    mutating func allowed() -> [UInt64]
    /// Takes a token that was allowed.
    mutating func advance(_ token: Int32)
    /// Bytes at least that the shortest end of the answer takes; nil if the answer may end anywhere.
    var bytesToEnd: Int? { get }
    /// The shortest text behind which the answer may end; nil if none is known.
    var shortestEnd: [UInt8]? { get }
    /// The bytes that a token stands for in the answer, where they are not the tokenizer's: names
    /// of special tokens that are part of a form.
    func bytes(_ token: Int32) -> [UInt8]?
}

extension SchemaConstraint: TokenConstraint {
    package var isFree: Bool { false }
    package func bytes(_ token: Int32) -> [UInt8]? { nil }
}

/// A matcher of a text against a form, byte by byte.
package protocol ByteMatcher: Sendable {
    /// True if the text may end here.
    var isComplete: Bool { get }
    /// The most characters that may come next within a JSON string, of any kind; nil elsewhere.
    var room: Int? { get }
    /// Takes a byte; false, and no way is left, if it does not fit.
    mutating func advance(_ byte: UInt8) -> Bool
}

extension JSONMatcher: ByteMatcher {}
