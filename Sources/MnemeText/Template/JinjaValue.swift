import Foundation
import MnemeBase

/// Value in a chat template: what JSON has, and functions.
///
/// Values do not change, except for namespaces: methods that change a list or dictionary in place,
/// such as `append`, are refused. Tuples are lists; integers have 64 bits and wrap, where Python's
/// grow.
public indirect enum JinjaValue: Sendable {
    /// Jinja's `Undefined`: a missing variable or member. It prints as nothing and is false; a
    /// member of it is an error.
    case undefined
    /// Python's `None`, JSON's null. It prints as "None".
    case none
    /// Truth value; it counts as 0 or 1 in arithmetic, as in Python.
    case bool(Bool)
    /// Integer of 64 bits.
    case integer(Int)
    /// Floating-point number; it prints with a fraction, "1.0".
    case float(Double)
    /// Text. Its length, items and slices count Unicode scalars, as in Python, not characters.
    case string(String)
    /// List or tuple.
    case list([JinjaValue])
    /// Dictionary, in the order of the keys' first appearance, as in Python; keys are strings. A
    /// look-up is linear: messages and tools have few keys.
    case object([(key: String, value: JinjaValue)])
    /// `namespace(…)`: the only value that templates change in place. The number is its position in
    /// the evaluator's list, so that all copies of the value see a change.
    case namespace(Int)
    /// Built-in function, by its name.
    case function(String)
    /// Macro, by its position in the template's list.
    case macro(Int)

    /// Truth as in Python: zero, and what is empty, none or undefined, is false.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let items): !items.isEmpty
        case .object(let entries): !entries.isEmpty
        case .namespace, .function, .macro: true
        }
    }

    /// Value of a dictionary's key; nil for other values and for keys that are missing. Complexity:
    /// O(keys).
    subscript(key: String) -> JinjaValue? {
        guard case .object(let entries) = self else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// Text as by Python's `str`: what `{{ … }}` prints.
    var text: String {
        switch self {
        case .undefined: ""
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .float(let value): Self.python(value)
        case .string(let text): text
        case .list, .object: representation
        case .namespace: "<Namespace>"
        case .function, .macro: "<function>"
        }
    }

    /// Limit for a text, in bytes (64 MiB): what would be longer is cut off just behind, and
    /// refused where it is used. A prompt for a context of a million tokens is a few MiB.
    static let maximumText = 64 << 20

    /// Text as by Python's `repr`, for lists and dictionaries that a template prints.
    private var representation: String {
        var out = ""
        represent(to: &out)
        return out
    }

    /// Appends the `repr`. Strings are in single quotes, or in double quotes if only single ones
    /// are in them. Characters that cannot be printed stay as they are, where Python escapes them.
    private func represent(to out: inout String) {
        // A value may stand in itself many times over.
        guard out.utf8.count <= Self.maximumText else { return }
        switch self {
        case .string(let text):
            let quote = text.contains("'") && !text.contains("\"") ? "\"" : "'"
            var escaped = text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(
                of: "\n", with: "\\n"
            )
            .replacingOccurrences(of: "\t", with: "\\t").replacingOccurrences(of: "\r", with: "\\r")
            if quote == "'" { escaped = escaped.replacingOccurrences(of: "'", with: "\\'") }
            out += quote + escaped + quote
        case .list(let items):
            out += "["
            for (i, item) in items.enumerated() where out.utf8.count <= Self.maximumText {
                if i > 0 { out += ", " }
                item.represent(to: &out)
            }
            out += "]"
        case .object(let entries):
            out += "{"
            for (i, entry) in entries.enumerated() where out.utf8.count <= Self.maximumText {
                if i > 0 { out += ", " }
                JinjaValue.string(entry.key).represent(to: &out)
                out += ": "
                entry.value.represent(to: &out)
            }
            out += "}"
        default: out += text
        }
    }

    /// Text of a floating-point number as Python prints it: whole numbers below 10¹⁶ with ".0".
    /// Exponents are written as Swift does ("1e+16"), which is Python's form too for most values.
    private static func python(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        return value == value.rounded() && abs(value) < 1e16
            ? String(format: "%.1f", value) : "\(value)"
    }

    /// JSON as Python's `json.dumps(…, ensure_ascii=False)` writes it, which is what `tojson` is in
    /// `transformers`: ", " and ": " between parts, or one part on a line with `indent` spaces for
    /// a level. Tool definitions reach the model in this form, byte by byte as in training.
    func json(indent: Int?) -> String {
        var out = ""
        json(indent: indent, level: 0, to: &out)
        return out
    }

    /// Appends the JSON of a value at a level of nesting; stops when the limit for a text is
    /// passed, because a value may stand in itself many times over. What JSON does not have becomes
    /// null.
    private func json(indent: Int?, level: Int, to out: inout String) {
        guard out.utf8.count <= Self.maximumText else { return }
        /// Begins a line at a level, if lines are asked for.
        func breakLine(_ level: Int) {
            if let indent { out += "\n" + String(repeating: " ", count: indent * level) }
        }
        /// Appends brackets and the parts in them. An empty list stays on one line.
        func write<Part>(_ open: String, _ close: String, _ parts: [Part], _ part: (Part) -> Void) {
            out += open
            for (i, each) in parts.enumerated() where out.utf8.count <= Self.maximumText {
                if i > 0 { out += indent == nil ? ", " : "," }
                breakLine(level + 1)
                part(each)
            }
            if !parts.isEmpty { breakLine(level) }
            out += close
        }
        switch self {
        case .undefined, .none, .namespace, .function, .macro: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer, .float: out += text
        case .string(let text): OrderedJSON.quote(text, to: &out)
        case .list(let items):
            write("[", "]", items) { $0.json(indent: indent, level: level + 1, to: &out) }
        case .object(let entries):
            write("{", "}", entries) {
                OrderedJSON.quote($0.key, to: &out)
                out += ": "
                $0.value.json(indent: indent, level: level + 1, to: &out)
            }
        }
    }

    /// Value as a number, with true as 1; nil for what is no number. Integers beyond 2⁵³ are
    /// rounded.
    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }
}

extension JinjaValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Makes a truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes a list.
    public init(arrayLiteral elements: JinjaValue...) { self = .list(elements) }
    /// Makes a dictionary; keys are to be distinct, the first of two equal ones would be found.
    public init(dictionaryLiteral elements: (String, JinjaValue)...) {
        self = .object(elements.map { (key: $0.0, value: $0.1) })
    }
}
