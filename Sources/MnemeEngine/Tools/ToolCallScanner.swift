/// Reads an answer: text, and calls of tools in it, byte by byte.
///
/// A model that may call tools is held to their form from the byte on that opens a call, so that
/// what is opened is read to its end. Of other texts, what does not parse stays text.
package struct ToolCallScanner: Sendable {
    /// A part of the answer that was read: text, or a part of a call.
    package enum Event {
        /// A byte of text.
        case text(UInt8)
        /// A byte of a call, or its beginning.
        case call(ToolCallMatcher.Event)
    }

    private let grammar: ToolGrammar
    /// The matcher of the current call; nil in text.
    private(set) var matcher: ToolCallMatcher?
    /// Bytes that were not told yet: they may belong to the marks around a call.
    private var pendingBytes: [UInt8] = []
    private var isAtStart = true
    private var calls = 0
    private var hasBegun: Bool { calls > 0 }

    package init(_ grammar: ToolGrammar) {
        self.grammar = grammar
        if grammar.isRequired { matcher = ToolCallMatcher(grammar) }
    }

    /// True if the text may end here: not within a call.
    package var isComplete: Bool { matcher?.isComplete ?? true }

    /// The shortest text that completes the calls that are open; nil in text, and if none is known.
    package var shortestEnd: [UInt8]? { matcher?.shortestEnd }

    /// Takes a byte.
    package mutating func take(_ byte: UInt8, _ emit: (Event) -> Void) {
        guard var matcher else { return scan(byte, emit) }
        pendingBytes.append(byte)
        var isEmitted = false
        let fits = matcher.advance(byte) { event in
            isEmitted = true
            if case .began = event { calls += 1 }
            emit(.call(event))
        }
        if isEmitted || matcher.isComplete { pendingBytes = [] }
        guard fits else {
            // No call, or none any more: what is not told yet is text.
            self.matcher = nil
            isAtStart = false
            let rest = pendingBytes
            pendingBytes = []
            if let first = rest.first { emit(.text(first)) }
            for byte in rest.dropFirst() { take(byte, emit) }
            return
        }
        self.matcher = matcher
    }

    /// Tells what is held as text: nothing follows.
    package mutating func finish(_ emit: (Event) -> Void) {
        if !hasBegun { for byte in pendingBytes { emit(.text(byte)) } }
        pendingBytes = []
    }

    private mutating func scan(_ byte: UInt8, _ emit: (Event) -> Void) {
        pendingBytes.append(byte)
        while !pendingBytes.isEmpty {
            let format = grammar.format
            let mayOpen = calls < grammar.maximumCalls
            let open = mayOpen ? LiteralChoice.compare(pendingBytes, format.open) : nil
            let bare =
                isAtStart && format.opensBare ? LiteralChoice.compare(pendingBytes, format.head) : nil
            if open == 1 || bare == 1 {
                matcher = ToolCallMatcher(grammar, isOpen: true, isNamed: bare == 1)
                return
            }
            if open != nil || bare != nil { return }
            let first = pendingBytes.removeFirst()
            // Blanks before the answer's first word do not count.
            if !LiteralChoice.isBlank(first) { isAtStart = false }
            emit(.text(first))
        }
    }
}
