import MnemeBase

/// The state of reading the arguments of a call: what a model writes in its format is read as the JSON that
/// it stands for, and held to the tool's schema.
struct ToolArguments: Sendable {
    /// The matcher of the JSON that was emitted, held to the tool's schema.
    private var json: JSONMatcher
    /// Place in the format's own text.
    private var form: Form
    /// Notation in which the model writes arguments.
    private let format: ToolFormat.Arguments

    /// The state of reading the text, besides the JSON that it was read as.
    fileprivate enum Form: Sendable, Hashable {
        /// Within plain JSON, which is emitted as it is.
        case json
        /// Before the JSON, where a blank may stand.
        case blank
        /// Before a parameter's tag or the end.
        case between(LiteralChoice, isFirst: Bool)
        /// In a parameter's name, or in the mark behind it.
        case key
        case keyEnd(LiteralChoice)
        /// A text as it is, with bytes at its end that may belong to the mark behind it.
        case text(pending: [UInt8], isQuoted: Bool, isAtStart: Bool)
        /// Bare names: which of the open brackets are objects.
        case bare([Bool], Bare)
        /// Behind the last byte of the arguments.
        case done
    }
    /// The state of reading JSON with bare names.
    fileprivate enum Bare: Sendable, Hashable {
        /// Before the opening bracket, in a name, or at a value that is no text.
        case start
        case name(isEmpty: Bool)
        case value
        /// In the mark before a text, and in the text, with bytes that may belong to the mark
        /// behind it.
        case quote(Int)
        case string([UInt8])
    }

    /// The most characters that may come next within a JSON string, of any kind; nil elsewhere.
    var room: Int? { form == .json ? json.room : nil }

    /// The result of reading a byte.
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
        return bytes.flatMap(TextRule.escaped).allSatisfy { json.advance($0) }
    }

    // MARK: The shortest end

    /// The shortest text of the format that completes the arguments; nil if none is known.
    func shortestEnd(_ tail: String) -> [UInt8]? {
        var place = self
        var text: [UInt8] = []
        // Piece by piece, as what a piece leads to says what follows.
        while true {
            guard let piece = place.shortestPiece(), !piece.isEmpty else { return nil }
            for byte in piece {
                let step = place.advance(byte, tail: tail) { _ in }
                guard step != .refused else { return nil }
                text.append(byte)
                if step == .complete { return text }
            }
        }
    }

    /// The next bytes on the way to the shortest end, at least one.
    private func shortestPiece() -> [UInt8]? {
        switch form {
        case .done: return nil
        case .blank, .json: return json.shortestEnd
        case .between(let choice, _): return choice.rest(1) ?? choice.rest(0)
        case .keyEnd(let choice): return choice.shortestRest
        case .key:
            guard case .tags(_, let keyEnd, _, _) = format else { return nil }
            return json.shortestEnd.map { $0.prefix { $0 != 34 } + keyEnd.utf8.prefix(1) }
        case .text(let pending, let isQuoted, _):
            guard case .tags(_, _, _, let valueEnd) = format else { return nil }
            let mayEnd = isQuoted ? accepts("\"") : accepts("}") || accepts(",")
            return shortestText(pending, isQuoted, mayEnd: mayEnd, mark: valueEnd)
        case .bare(_, let place):
            guard case .bareNames(let mark) = format else { return nil }
            return shortestBare(place, mark)
        }
    }

    private func shortestBare(_ place: Bare, _ mark: String) -> [UInt8]? {
        switch place {
        case .start: return [UInt8(ascii: "{")]
        case .quote(let count): return Array(mark.utf8.dropFirst(count))
        case .string(let pending):
            return shortestText(pending, true, mayEnd: accepts("\""), mark: mark)
        case .name(let isEmpty):
            guard let rest = json.shortestEnd, let first = rest.first else { return nil }
            if isEmpty, first != 34 { return [first] }
            return rest.dropFirst(isEmpty ? 1 : 0).prefix { $0 != 34 } + [UInt8(ascii: ":")]
        case .value:
            return json.shortestEnd?.first.map { $0 == 34 ? Array(mark.utf8) : [$0] }
        }
    }

    /// The rest of a text, or of another value between tags, and the mark behind it.
    ///
    /// - Parameter pending: the beginning of the mark, or bytes of the text.
    private func shortestText(_ pending: [UInt8], _ isQuoted: Bool, mayEnd: Bool, mark: String)
        -> [UInt8]?
    {
        if mayEnd { return Array(mark.utf8.dropFirst(pending.count)) }
        var json = json
        for byte in pending.flatMap(TextRule.escaped) where !json.advance(byte) { return nil }
        guard let rest = json.shortestEnd else { return nil }
        return (isQuoted ? Self.unquoted(rest) : Self.value(rest)) + Array(mark.utf8)
    }

    /// The bytes up to the end of an open string, without escapes.
    private static func unquoted(_ json: [UInt8]) -> [UInt8] {
        var isEscaped = false
        let end = json.firstIndex { byte in
            defer { isEscaped = byte == 92 && !isEscaped }
            return byte == 34 && !isEscaped
        }
        let text = "\"" + String(decoding: json[..<(end ?? json.count)], as: UTF8.self) + "\""
        return Array(((try? OrderedJSON(text))?.string ?? "").utf8)
    }

    /// The bytes up to the end of an object's member.
    private static func value(_ json: [UInt8]) -> [UInt8] {
        var height = 0
        var isString = false
        var isEscaped = false
        return Array(
            json.prefix { byte in
                defer { isEscaped = byte == 92 && !isEscaped }
                if byte == 34, !isEscaped { isString.toggle() }
                guard !isString else { return true }
                if height == 0, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") {
                    return false
                }
                if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") { height += 1 }
                if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { height -= 1 }
                return true
            })
    }

    // MARK: Tags

    /// The place before a parameter or the end, with only those marks that the schema has room for.
    private func between(isFirst: Bool, _ tail: String) -> Form {
        guard case .tags(let open, _, _, _) = format else { return .done }
        // What the schema would not take is not offered.
        let options = [accepts(isFirst ? "\"" : ",\"") ? open : nil, accepts("}") ? tail : nil]
        return .between(LiteralChoice(options), isFirst: isFirst)
    }

    /// A byte of arguments in tags, each parameter's name and value between marks. A value is JSON
    /// unless the schema takes a string there; then it is the text as it stands.
    private mutating func tags(_ byte: UInt8, _ tail: String, _ emit: (UInt8) -> Void) -> Step {
        guard case .tags(_, let keyEnd, let otherEnds, let valueEnd) = format else {
            return .refused
        }
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
            guard byte == keyEnd.utf8.first else {
                // A quote would end the name in JSON.
                let isPlain = byte >= 32 && byte != 34 && byte != 92
                return isPlain && put([byte], emit) ? .taken : .refused
            }
            guard put(Array("\":".utf8), emit) else { return .refused }
            var choice = LiteralChoice(keyEnds(keyEnd.trimmingTrailingBlanks, otherEnds))
            guard choice.advance(byte) else { return .refused }
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

    /// The marks that may stand behind a name: that before a text, and those before other values.
    /// Where a format has one for both, what the schema takes decides.
    private func keyEnds(_ text: String, _ others: [String]) -> [String?] {
        guard !others.isEmpty else { return [text] }
        let takesOthers = "{[-0123456789tfn".contains { accepts(String($0)) }
        return [accepts("\"") ? text : nil] + others.map { takesOthers ? $0 : nil }
    }

    /// Goes to a parameter's value once the mark behind its name is read.
    private mutating func enterValue(_ choice: LiteralChoice, _ emit: (UInt8) -> Void) -> Step {
        guard let end = choice.completed else {
            form = .keyEnd(choice)
            return .taken
        }
        let isQuoted = end == 0 && accepts("\"")
        if isQuoted, !put([34], emit) { return .refused }
        form = .text(pending: [], isQuoted: isQuoted, isAtStart: true)
        return .taken
    }

    /// Emits a byte of a value, escaped where it stands within a JSON string.
    private mutating func putText(_ byte: UInt8, _ isQuoted: Bool, _ emit: (UInt8) -> Void) -> Bool {
        put(isQuoted ? TextRule.escaped(byte) : [byte], emit)
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
                guard put(TextRule.escaped(pending.removeFirst()), emit) else { return .refused }
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
