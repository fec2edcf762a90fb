/// A matcher of tool calls, from the first call's ``ToolFormat/head`` on.
package struct ToolCallMatcher: ByteMatcher {
    /// A part of a call that a byte completed.
    package enum Event {
        /// The name is whole; the tool's place in the grammar.
        case began(tool: Int)
        /// A byte of the arguments, as JSON.
        case argument(UInt8)
    }

    /// The part of a call in which the text stands.
    private enum CallPart: Sendable, Hashable {
        /// In the text before a name, between name and arguments, behind the arguments.
        case head(LiteralChoice)
        case name([UInt8])
        case middle(LiteralChoice, tool: Int)
        case arguments(tool: Int)
        case tail(LiteralChoice)
        /// Behind a call: its end, or the mark before another call.
        case behind(LiteralChoice)
    }

    /// The tools and the format that is followed.
    private let grammar: ToolGrammar
    /// The part of the current call.
    private var part: CallPart
    /// The current call's arguments, while they are read.
    private var arguments: ToolArguments?
    /// Calls that are complete.
    private var calls = 0

    /// All that decides what may follow.
    struct State: Sendable, Hashable {
        private let part: CallPart
        private let arguments: ToolArguments.State?
        private let mayRepeat: Bool
        fileprivate init(_ matcher: ToolCallMatcher) {
            part = matcher.part
            arguments = matcher.arguments?.state
            mayRepeat = matcher.calls < matcher.grammar.maximumCalls
        }
    }
    var state: State { State(self) }

    /// - Parameter isOpen: whether `open` was read already, or, with `isNamed`, all up to the name.
    init(_ grammar: ToolGrammar, isOpen: Bool = false, isNamed: Bool = false) {
        self.grammar = grammar
        let format = grammar.format
        part =
            isNamed
            ? .name([])
            : .head(LiteralChoice([isOpen ? format.head : format.callPrefix]))
        if !isNamed, isOpen, format.head.isEmpty { part = .name([]) }
    }

    package var isComplete: Bool {
        guard case .behind(let choice) = part else { return false }
        return choice.isComplete(0)
    }

    package var room: Int? {
        guard case .arguments = part else { return nil }
        return arguments?.room
    }

    /// The shortest text that completes the calls; nil if none is known.
    var shortestEnd: [UInt8]? {
        let format = grammar.format
        let close = Array(format.close.utf8)
        let behindArguments: [UInt8] =
            if case .tags = format.arguments { close } else { Array(format.tail.utf8) + close }
        /// The rest of a call from its name's end on.
        func call(_ tool: ToolDefinition) -> [UInt8]? {
            arguments(tool).map { LiteralChoice.written(format.middle).utf8 + $0 }
        }
        func arguments(_ tool: ToolDefinition) -> [UInt8]? {
            ToolArguments(tool.schema, format.arguments, tail: format.tail).shortestEnd(format.tail)
                .map { $0 + behindArguments }
        }
        /// The rest of a call whose name begins with what was read.
        func named(_ read: [UInt8]) -> [UInt8]? {
            grammar.tools.filter { $0.name.utf8.starts(with: read) }.compactMap { tool in
                call(tool).map { tool.name.utf8.dropFirst(read.count) + $0 }
            }.min { $0.count < $1.count }
        }
        switch part {
        case .head(let choice): return choice.rest(0).flatMap { head in named([]).map { head + $0 } }
        case .name(let read): return named(read)
        case .middle(let choice, let tool):
            return choice.rest(0).flatMap { rest in
                arguments(grammar.tools[tool]).map { rest + $0 }
            }
        case .arguments:
            return self.arguments?.shortestEnd(format.tail).map { $0 + behindArguments }
        case .tail(let choice): return choice.rest(0).map { $0 + close }
        case .behind(let choice):
            // Another call was begun where this cannot be the end any more.
            return choice.rest(0)
                ?? choice.rest(1).flatMap { rest in
                    named([]).map { rest + (nextIsNamed ? [] : Array(LiteralChoice.written(format.head).utf8)) + $0 }
                }
        }
    }

    /// Takes a byte for the mask alone: nothing is emitted.
    package mutating func advance(_ byte: UInt8) -> Bool { advance(byte) { _ in } }

    /// Takes a byte; false, and no way is left, if it does not fit.
    mutating func advance(_ byte: UInt8, _ emit: (Event) -> Void) -> Bool {
        switch part {
        case .head(var choice):
            guard choice.advance(byte) else { return false }
            part = choice.isComplete(0) ? .name([]) : .head(choice)
            return true
        case .name(let read): return name(read, byte, emit)
        case .middle(var choice, let tool):
            guard choice.advance(byte) else { return false }
            part = .middle(choice, tool: tool)
            if choice.isComplete(0) { begin(tool, emit) }
            return true
        case .arguments:
            let step = arguments?.advance(byte, tail: grammar.format.tail) {
                emit(.argument($0))
            }
            if step == .complete { finishArguments() }
            return step == .taken || step == .complete
        case .tail(var choice):
            guard choice.advance(byte) else { return false }
            part = .tail(choice)
            if choice.isComplete(0) { finishCall() }
            return true
        case .behind(var choice):
            guard choice.advance(byte) else { return false }
            part = .behind(choice)
            if choice.isComplete(1) { part = afterNext() }
            return true
        }
    }

    /// A byte of a tool's name, or the first one behind it: the name ends where no tool's name goes
    /// on.
    private mutating func name(_ read: [UInt8], _ byte: UInt8, _ emit: (Event) -> Void) -> Bool {
        let longer = read + [byte]
        if grammar.tools.contains(where: { $0.name.utf8.starts(with: longer) }) {
            part = .name(longer)
            return true
        }
        guard let tool = grammar.tools.firstIndex(where: { $0.name.utf8.elementsEqual(read) })
        else { return false }
        if grammar.format.middle.isEmpty {
            begin(tool, emit)
        } else {
            part = .middle(LiteralChoice([grammar.format.middle]), tool: tool)
        }
        return advance(byte, emit)
    }

    /// Begins the arguments of a tool.
    private mutating func begin(_ tool: Int, _ emit: (Event) -> Void) {
        let format = grammar.format
        arguments = ToolArguments(
            grammar.tools[tool].schema, format.arguments, tail: format.tail)
        part = .arguments(tool: tool)
        emit(.began(tool: tool))
        for byte in ToolArguments.opening(format.arguments) { emit(.argument(byte)) }
    }

    /// Goes from the arguments to the text behind them.
    private mutating func finishArguments() {
        arguments = nil
        // Tags have read the tail, as it stands where another parameter could.
        if case .tags = grammar.format.arguments { return finishCall() }
        guard !grammar.format.tail.isEmpty else { return finishCall() }
        part = .tail(LiteralChoice([grammar.format.tail]))
    }

    /// Counts the call, and offers another where the grammar allows one.
    private mutating func finishCall() {
        calls += 1
        let mayRepeat = calls < grammar.maximumCalls
        part = .behind(
            LiteralChoice([grammar.format.close, mayRepeat ? grammar.format.next : nil]))
    }

    /// Where a further call begins.
    private func afterNext() -> CallPart {
        nextIsNamed ? .name([]) : .head(LiteralChoice([grammar.format.head]))
    }

    /// True if a further call begins with its name: `next` holds its head where calls stand in a
    /// list.
    private var nextIsNamed: Bool {
        grammar.format.head.isEmpty || grammar.format.next.hasSuffix("\"")
    }
}
