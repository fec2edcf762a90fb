/// Where the arguments of a call stand: what a model writes in its format is read as the JSON that
/// it stands for, and held to the tool's schema.
struct ToolArguments: Sendable {
    /// The matcher of the JSON that was emitted, held to the tool's schema.
    private var json: JSONMatcher
    /// Place in the format's own text.
    private var form: Form
    /// Notation in which the model writes arguments.
    private let format: ToolFormat.Arguments

    /// Where the text stands besides the JSON that it was read as.
    fileprivate enum Form: Sendable, Hashable {
        /// Within plain JSON, which is emitted as it is.
        case json
        /// Before the JSON, where a blank may stand.
        case blank
        /// Before a parameter's tag or the end.
        case between(LiteralChoice, isFirst: Bool)
        /// In a parameter's name, or in the mark behind it.
        case key, keyEnd(LiteralChoice)
        /// A text as it is, with bytes at its end that may belong to the mark behind it.
        case text(pending: [UInt8], isQuoted: Bool, isAtStart: Bool)
        /// Bare names: which of the open brackets are objects.
        case bare([Bool], Bare)
        /// Behind the last byte of the arguments.
        case done
    }
    /// Where the text stands in JSON with bare names.
    fileprivate enum Bare: Sendable, Hashable {
        /// Before the opening bracket, in a name, or at a value that is no text.
        case start, name(isEmpty: Bool), value
        /// In the mark before a text, and in the text, with bytes that may belong to the mark
        /// behind it.
        case quote(Int), string([UInt8])
    }

    /// How a byte was taken.
    enum Step { case refused, taken, complete }

    init(_ schema: JSONSchema, _ format: ToolFormat.Arguments, tail: String) {
        json = JSONMatcher(schema)
        self.format = format
        switch format {
        case .json: form = .blank
        case .bareNames: form = .bare([], .start)
        case .tags:
            _ = json.advance(UInt8(ascii: "{"))
            form = .json
            form = between(isFirst: true, tail)
        }
    }

    /// Bytes to emit before the first one is read: the bracket that tags do not write.
    static func opening(_ format: ToolFormat.Arguments) -> [UInt8] {
        if case .tags = format { [UInt8(ascii: "{")] } else { [] }
    }

    /// All that decides what may follow.
    struct State: Sendable, Hashable {
        fileprivate var form: Form
        fileprivate var json: JSONMatcher.State
    }
    var state: State { State(form: form, json: json.state) }

    /// Takes a byte of the format.
    ///
    /// - Parameter emit: gets the JSON that the byte stands for, a byte at a time.
    mutating func advance(_ byte: UInt8, tail: String, _ emit: (UInt8) -> Void) -> Step {
        switch form {
        case .done: return .refused
        case .blank, .json:
            if form == .blank, LiteralChoice.isBlank(byte) {
                form = .json
                return .taken
            }
            form = .json
            guard put([byte], emit) else { return .refused }
            return json.isComplete ? .complete : .taken
        case .bare(let open, let place): return bare(byte, open, place, emit)
        default: return tags(byte, tail, emit)
        }
    }

    /// Emits bytes of JSON; false at the first one that the schema does not take.
    private mutating func put(_ bytes: [UInt8], _ emit: (UInt8) -> Void) -> Bool {
        for byte in bytes {
            guard json.advance(byte) else { return false }
            emit(byte)
        }
        return true
    }

    /// True if the schema would take this JSON next. Tried on a copy of the matcher.
    private func accepts(_ text: String) -> Bool {
        var json = json
        return text.utf8.allSatisfy { json.advance($0) }
    }

    /// True if bytes may follow as text of a string.
    private func acceptsText(_ bytes: [UInt8]) -> Bool {
        var json = json
        return bytes.flatMap(Self.escaped).allSatisfy { json.advance($0) }
    }

    // MARK: Tags

    /// The place before a parameter or the end, with only those marks that the schema has room for.
    private func between(isFirst: Bool, _ tail: String) -> Form {
        guard case .tags(let open, _, _) = format else { return .done }
        // What the schema would not take is not offered.
        let options = [accepts(isFirst ? "\"" : ",\"") ? open : nil, accepts("}") ? tail : nil]
        return .between(LiteralChoice(options), isFirst: isFirst)
    }

    /// A byte of arguments in tags, each parameter's name and value between marks. A value is JSON
    /// unless the schema takes a string there; then it is the text as it stands.
    private mutating func tags(_ byte: UInt8, _ tail: String, _ emit: (UInt8) -> Void) -> Step {
        guard case .tags(_, let keyEnd, let valueEnd) = format else { return .refused }
        switch form {
        case .between(var choice, let isFirst):
            guard choice.advance(byte) else { return .refused }
            form = .between(choice, isFirst: isFirst)
            if choice.isComplete(0) {
                guard put(Array((isFirst ? "\"" : ",\"").utf8), emit) else { return .refused }
                form = .key
            } else if choice.isComplete(1) {
                guard put([UInt8(ascii: "}")], emit) else { return .refused }
                form = .done
                return .complete
            }
            return .taken
        case .key:
            var choice = LiteralChoice([keyEnd.trimmingTrailingBlanks])
            guard choice.advance(byte) else {
                // A quote would end the name in JSON.
                let isPlain = byte >= 32 && byte != 34 && byte != 92
                return isPlain && put([byte], emit) ? .taken : .refused
            }
            guard put(Array("\":".utf8), emit) else { return .refused }
            return enterValue(choice, emit)
        case .keyEnd(var choice):
            guard choice.advance(byte) else { return .refused }
            return enterValue(choice, emit)
        case .text(var pending, let isQuoted, let isAtStart):
            // The line break behind the tag is not the text's.
            if isAtStart, byte == 10, keyEnd.hasSuffix("\n") {
                form = .text(pending: [], isQuoted: isQuoted, isAtStart: false)
                return .taken
            }
            pending.append(byte)
            let end = Array(valueEnd.utf8)
            while !end.starts(with: pending) {
                guard putText(pending.removeFirst(), isQuoted, emit) else { return .refused }
            }
            // A mark that could neither end the text nor belong to it would lead nowhere.
            let mayEnd = isQuoted ? accepts("\"") : accepts("}") || accepts(",")
            guard pending.isEmpty || mayEnd || isQuoted && acceptsText(pending) else {
                return .refused
            }
            guard pending == end else {
                form = .text(pending: pending, isQuoted: isQuoted, isAtStart: false)
                return .taken
            }
            guard mayEnd, !isQuoted || put([34], emit) else { return .refused }
            form = between(isFirst: false, tail)
            return .taken
        case .blank, .json, .bare, .done: return .refused
        }
    }

    /// Goes to a parameter's value once the mark behind its name is read.
    private mutating func enterValue(_ choice: LiteralChoice, _ emit: (UInt8) -> Void) -> Step {
        guard choice.isComplete(0) else {
            form = .keyEnd(choice)
            return .taken
        }
        let isQuoted = accepts("\"")
        if isQuoted, !put([34], emit) { return .refused }
        form = .text(pending: [], isQuoted: isQuoted, isAtStart: true)
        return .taken
    }

    /// Emits a byte of a value, escaped where it stands within a JSON string.
    private mutating func putText(_ byte: UInt8, _ isQuoted: Bool, _ emit: (UInt8) -> Void) -> Bool {
        put(isQuoted ? Self.escaped(byte) : [byte], emit)
    }

    /// A byte of a text as it stands in a JSON string.
    private static func escaped(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case 34: Array("\\\"".utf8)
        case 92: Array("\\\\".utf8)
        case 10: Array("\\n".utf8)
        case 13: Array("\\r".utf8)
        case 9: Array("\\t".utf8)
        case ..<32:
            Array("\\u00".utf8) + [48 + byte >> 4, Array("0123456789abcdef".utf8)[Int(byte & 15)]]
        default: [byte]
        }
    }

    // MARK: Bare names

    /// A byte of JSON whose names have no quotes and whose texts stand between marks of their own.
    private mutating func bare(
        _ byte: UInt8, _ open: [Bool], _ place: Bare, _ emit: (UInt8) -> Void
    ) -> Step {
        guard case .bareNames(let mark) = format, case let quote = Array(mark.utf8) else {
            return .refused
        }
        func go(_ place: Bare) -> Step {
            form = .bare(open, place)
            return .taken
        }
        switch place {
        case .start: return byte == UInt8(ascii: "{") ? structure(byte, open, emit) : .refused
        case .name(let isEmpty):
            if byte == UInt8(ascii: ":"), !isEmpty {
                return put(Array("\":".utf8), emit) ? go(.value) : .refused
            }
            if isEmpty, byte == UInt8(ascii: "}") { return structure(byte, open, emit) }
            guard byte > 32, byte != 34, byte != 92, !"{}[],<".utf8.contains(byte) else {
                return .refused
            }
            return put((isEmpty ? [34] : []) + [byte], emit) ? go(.name(isEmpty: false)) : .refused
        case .value:
            if byte == quote[0] { return accepts("\"") ? go(.quote(1)) : .refused }
            if "{}[],".utf8.contains(byte) { return structure(byte, open, emit) }
            guard byte > 32, byte != 34 else { return .refused }
            return put([byte], emit) ? .taken : .refused
        case .quote(let count):
            guard byte == quote[count] else { return .refused }
            guard count + 1 == quote.count else { return go(.quote(count + 1)) }
            return put([34], emit) ? go(.string([])) : .refused
        case .string(var pending):
            pending.append(byte)
            while !quote.starts(with: pending) {
                guard put(Self.escaped(pending.removeFirst()), emit) else { return .refused }
            }
            guard pending.isEmpty || accepts("\"") || acceptsText(pending) else {
                return .refused
            }
            guard pending == quote else { return go(.string(pending)) }
            return put([34], emit) ? go(.value) : .refused
        }
    }

    /// Takes a bracket or a comma.
    private mutating func structure(_ byte: UInt8, _ open: [Bool], _ emit: (UInt8) -> Void) -> Step {
        guard put([byte], emit) else { return .refused }
        var open = open
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["): open.append(byte == UInt8(ascii: "{"))
        case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
        default: break
        }
        if json.isComplete {
            form = .done
            return .complete
        }
        let isName = open.last == true && (byte == UInt8(ascii: "{") || byte == UInt8(ascii: ","))
        form = .bare(open, isName ? .name(isEmpty: true) : .value)
        return .taken
    }
}

extension String {
    /// Without blanks and line breaks at the end.
    fileprivate var trimmingTrailingBlanks: String {
        String(reversed().drop(while: \.isWhitespace).reversed())
    }
}
