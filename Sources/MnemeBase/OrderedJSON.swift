/// A JSON value as its text has it: the members of objects in their order, numbers as they are
/// written.
///
/// Read strictly (RFC 8259): UTF-8, one value, no name twice in an object. Bytes and depth are
/// bounded.
public enum OrderedJSON: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// Its text: a reader decides what it must fit.
    case number(String)
    /// Its characters, escapes resolved.
    case string(String)
    /// Its elements, in order.
    case array([OrderedJSON])
    /// Its members, in the order of the text; no name comes twice.
    case object([Member])

    /// One member of an object.
    public struct Member: Sendable, Equatable {
        /// Its name.
        public var key: String
        /// The member's value.
        public var value: OrderedJSON

        /// A member of this name and value.
        public init(key: String, value: OrderedJSON) { (self.key, self.value) = (key, value) }
    }

    /// Arrays and objects inside of each other.
    public static let maximumDepth = 512
    /// Bytes of a text.
    public static let maximumBytes = 1 << 28

    /// - Throws: ``JSONError`` that says where the text stops being JSON.
    public init(_ text: String) throws(JSONError) {
        var text = text
        let result = text.withUTF8 { bytes in
            Result { () throws(JSONError) in try OrderedJSON(bytes: UnsafeRawBufferPointer(bytes)) }
        }
        self = try result.get()
    }

    /// - Throws: ``JSONError`` that says where the bytes stop being JSON.
    public init(bytes: UnsafeRawBufferPointer) throws(JSONError) {
        guard bytes.count <= Self.maximumBytes else {
            throw JSONError("It is longer than \(Self.maximumBytes >> 20) MiB.")
        }
        var reader = Reader(bytes: bytes)
        self = try reader.whole()
    }

    // MARK: Looking

    /// The member `key` of an object.
    public subscript(key: String) -> OrderedJSON? {
        members?.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
    }
    /// The members of an object.
    public var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    /// The elements of an array.
    public var elements: [OrderedJSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }
    /// The text of a string.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    /// A truth value.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The value of a number that is finite as a double.
    public var double: Double? {
        guard case .number(let text) = self, let value = Double(text), value.isFinite else {
            return nil
        }
        return value
    }
    /// The value of a whole number that an `Int` holds, written as `3` or as `3.0`.
    public var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? double.flatMap { Int(exactly: $0) }
    }

    // MARK: Writing

    /// The value as JSON without blanks.
    public var text: String {
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .number(let text): out += text
        case .string(let text): Self.quote(text, to: &out)
        case .array(let elements):
            out += "["
            for (i, element) in elements.enumerated() {
                if i > 0 { out += "," }
                element.write(to: &out)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (i, member) in members.enumerated() {
                if i > 0 { out += "," }
                Self.quote(member.key, to: &out)
                out += ":"
                member.value.write(to: &out)
            }
            out += "}"
        }
    }

    /// Writes a text as a JSON string, without escaping beyond what must be.
    package static func quote(_ text: String, to out: inout String) {
        var bytes: [UInt8] = []
        quote(text, to: &bytes)
        out += String(decoding: bytes, as: UTF8.self)
    }

    /// As ``quote(_:to:)``, in UTF-8. All JSON strings of this project are written here.
    package static func quote(_ text: String, to out: inout [UInt8]) {
        let mark = UInt8(ascii: "\"")
        let escape = UInt8(ascii: "\\")
        out.append(mark)
        // Bytes of longer characters are all above 127, so that bytes can be looked at one by one.
        var text = text
        text.withUTF8 { text in
            var start = 0
            for (place, byte) in text.enumerated() where byte < 32 || byte == mark || byte == escape {
                out.append(contentsOf: text[start..<place])
                start = place + 1
                switch byte {
                case mark, escape: out += [escape, byte]
                case 8: out += [escape, UInt8(ascii: "b")]
                case 9: out += [escape, UInt8(ascii: "t")]
                case 10: out += [escape, UInt8(ascii: "n")]
                case 12: out += [escape, UInt8(ascii: "f")]
                case 13: out += [escape, UInt8(ascii: "r")]
                default: out += ((byte < 16 ? "\\u000" : "\\u00") + String(byte, radix: 16)).utf8
                }
            }
            out.append(contentsOf: text[start...])
        }
        out.append(mark)
    }
}

/// A failure to read a text as JSON.
public struct JSONError: MnemeError, Equatable {
    /// The fault and its place, in words.
    public let message: String

    init(_ message: String) { self.message = message }

    /// Input: the text has to be changed.
    public var errorClass: ErrorClass { .input }
}

/// Reads bytes by recursive descent, no deeper than the bound.
private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func fault(_ what: String) -> JSONError { JSONError("At byte \(offset): \(what).") }
    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 32 || byte == 10 || byte == 13 || byte == 9 { offset += 1 }
    }

    mutating func whole() throws(JSONError) -> OrderedJSON {
        // A byte order mark may be ignored.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { offset = 3 }
        let value = try value(depth: 0)
        skipBlanks()
        guard offset == bytes.count else { throw fault("something follows the value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> OrderedJSON {
        skipBlanks()
        switch next {
        case nil: throw fault("it ends where a value must stand")
        case UInt8(ascii: "{")?: return try object(depth: depth + 1)
        case UInt8(ascii: "[")?: return try array(depth: depth + 1)
        case UInt8(ascii: "\"")?: return .string(try string())
        case UInt8(ascii: "t")?: return try word("true", .bool(true))
        case UInt8(ascii: "f")?: return try word("false", .bool(false))
        case UInt8(ascii: "n")?: return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func word(_ word: StaticString, _ value: OrderedJSON) throws(JSONError)
        -> OrderedJSON
    {
        let count = word.utf8CodeUnitCount
        guard bytes.count - offset >= count,
            bytes[offset..<offset + count].elementsEqual(
                UnsafeBufferPointer(start: word.utf8Start, count: count))
        else {
            throw fault("there is no value")
        }
        offset += count
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> OrderedJSON {
        guard depth <= OrderedJSON.maximumDepth else { throw fault("it is nested too deeply") }
        offset += 1
        skipBlanks()
        var elements: [OrderedJSON] = []
        if accept(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value(depth: depth))
            skipBlanks()
            if accept(UInt8(ascii: "]")) { return .array(elements) }
            guard accept(UInt8(ascii: ",")) else { throw fault("',' or ']' is missing") }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> OrderedJSON {
        guard depth <= OrderedJSON.maximumDepth else { throw fault("it is nested too deeply") }
        offset += 1
        skipBlanks()
        var members: [OrderedJSON.Member] = []
        // By bytes: Swift takes names for equal that differ in the form of an accent.
        var names: Set<[UInt8]> = []
        func isNew(_ key: String) -> Bool {
            // Of a few names, comparing is faster than hashing.
            guard members.count >= 16 else {
                return !members.contains { $0.key.utf8.elementsEqual(key.utf8) }
            }
            if names.isEmpty { names = Set(members.map { Array($0.key.utf8) }) }
            return names.insert(Array(key.utf8)).inserted
        }
        if accept(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw fault("a name is missing") }
            let key = try string()
            guard isNew(key) else {
                throw fault("the name '\(key.prefix(80))' stands there twice")
            }
            skipBlanks()
            guard accept(UInt8(ascii: ":")) else { throw fault("':' is missing") }
            members.append(OrderedJSON.Member(key: key, value: try value(depth: depth)))
            skipBlanks()
            if accept(UInt8(ascii: "}")) { return .object(members) }
            guard accept(UInt8(ascii: ",")) else { throw fault("',' or '}' is missing") }
        }
    }

    private mutating func number() throws(JSONError) -> String {
        let start = offset
        func text(_ end: Int) -> String { String(decoding: bytes[start..<end], as: UTF8.self) }
        _ = accept(UInt8(ascii: "-"))
        if !accept(UInt8(ascii: "0")) { try digits() }
        if accept(UInt8(ascii: ".")) { try digits() }
        if accept(UInt8(ascii: "e")) || accept(UInt8(ascii: "E")) {
            if !accept(UInt8(ascii: "+")) { _ = accept(UInt8(ascii: "-")) }
            try digits()
        }
        return text(offset)
    }

    private mutating func digits() throws(JSONError) {
        let start = offset
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        guard offset > start else { throw fault("a digit is missing") }
    }

    private mutating func string() throws(JSONError) -> String {
        offset += 1
        let start = offset
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 32 {
            offset += 1
        }
        var text: [UInt8] = []
        if next != UInt8(ascii: "\"") {
            text = Array(bytes[start..<offset])
            try rest(into: &text)
        }
        let plain =
            text.isEmpty
            ? String(validating: bytes[start..<offset], as: UTF8.self)
            : String(validating: text, as: UTF8.self)
        guard let plain else { throw fault("a string is not UTF-8") }
        offset += 1
        return plain
    }

    /// The part of a string from its first escape on, up to the quote.
    private mutating func rest(into text: inout [UInt8]) throws(JSONError) {
        while true {
            guard let byte = next else { throw fault("a string does not end") }
            guard byte >= 32 else { throw fault("a string holds a control character") }
            if byte == UInt8(ascii: "\"") { return }
            offset += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escaped = next else { throw fault("a string does not end") }
            offset += 1
            switch escaped {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escaped)
            case UInt8(ascii: "b"): text.append(8)
            case UInt8(ascii: "f"): text.append(12)
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "u"): text += String(try scalar()).utf8
            default: throw fault("a string holds an unknown escape")
            }
        }
    }

    /// Reads the character that `\u` names; half a pair becomes U+FFFD.
    private mutating func scalar() throws(JSONError) -> Character {
        let first = try unit()
        if (0xd800..<0xdc00).contains(first), bytes.count - offset >= 2,
            bytes[offset] == UInt8(ascii: "\\"),
            bytes[offset + 1] == UInt8(ascii: "u")
        {
            let behind = offset
            offset += 2
            let second = try unit()
            if (0xdc00..<0xe000).contains(second) {
                return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)).map(
                    Character.init)
                    ?? "\u{fffd}"
            }
            offset = behind
        }
        return Unicode.Scalar(first).map(Character.init) ?? "\u{fffd}"
    }

    private mutating func unit() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
                throw fault("a \\u lacks its four digits")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}
