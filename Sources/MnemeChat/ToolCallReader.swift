import MnemeEngine

/// Makes the pieces of a chat's answer of what a model writes that may call tools.
struct ToolCallReader: Sendable {
    private let grammar: ToolGrammar
    private var scanner: ToolCallScanner
    private var calls = 0
    /// Tokens whose text is held back.
    private var tokens: [SampledToken] = []

    init(_ grammar: ToolGrammar) {
        self.grammar = grammar
        scanner = ToolCallScanner(grammar)
    }

    /// Reads the part of a call that the prompt's end opened already.
    mutating func begin() -> [ChatEvent] { read(grammar.callPrefix, nil) }

    /// The pieces that a text brings.
    mutating func read(_ text: String, _ token: SampledToken?) -> [ChatEvent] {
        if let token { tokens.append(token) }
        var events: [ChatEvent] = []
        var run = Run()
        for byte in text.utf8 {
            scanner.take(byte) { event in
                switch event {
                case .text(let byte): run.add(byte, isText: true, index: calls, to: &events)
                case .call(.argument(let byte)):
                    run.add(byte, isText: false, index: calls - 1, to: &events)
                case .call(.began(let tool)):
                    run.flush(index: calls - 1, to: &events)
                    events.append(
                        .toolCall(
                            index: calls, id: ToolCall.newID(), name: grammar.tools[tool].name))
                    calls += 1
                }
            }
        }
        run.flush(index: calls - 1, to: &events)
        return attachingTokens(events)
    }

    /// The last pieces: nothing follows.
    mutating func finish(_ reason: FinishReason, _ usage: GenerationUsage) -> [ChatEvent] {
        var events: [ChatEvent] = []
        var run = Run()
        let isWhole = scanner.isComplete
        scanner.finish { event in
            if case .text(let byte) = event {
                run.add(byte, isText: true, index: calls, to: &events)
            }
        }
        run.flush(index: calls - 1, to: &events)
        let called = calls > 0 && isWhole && reason == .stop
        return attachingTokens(events) + [.finished(called ? .toolCalls : reason, usage)]
    }

    /// The pieces, the first text with the tokens so far; tokens of calls are not told.
    private mutating func attachingTokens(_ events: [ChatEvent]) -> [ChatEvent] {
        events.map { event in
            defer { tokens = [] }
            guard case .text(let text, _) = event else { return event }
            return .text(text, tokens: tokens)
        }
    }

    /// Bytes of one kind, side by side.
    private struct Run {
        var bytes: [UInt8] = []
        var isText = true

        mutating func add(
            _ byte: UInt8, isText: Bool, index: Int, to events: inout [ChatEvent]
        ) {
            if isText != self.isText { flush(index: index, to: &events) }
            self.isText = isText
            bytes.append(byte)
        }

        mutating func flush(index: Int, to events: inout [ChatEvent]) {
            guard !bytes.isEmpty else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            events.append(
                isText ? .text(text, tokens: []) : .toolArguments(index: index, text: text))
            bytes = []
        }
    }
}
