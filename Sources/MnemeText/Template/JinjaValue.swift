import Foundation
import MnemeBase

/// A value in a chat template: what JSON has, and functions.
public indirect enum JinjaValue: Sendable {
    case undefined
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(String)
    case list([JinjaValue])
    /// In the order of the keys' first appearance, as Python's dictionaries.
    case object([(key: String, value: JinjaValue)])
    /// A `namespace(…)`: the only value that templates change in place; a number names it.
    case namespace(Int)
    case function(String)
    case macro(Int)

    /// Whether it counts as true.
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

    subscript(key: String) -> JinjaValue? {
        guard case .object(let entries) = self else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// Python's `str`.
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

    /// The most bytes that a text has: what would be longer is cut off just behind, and refused
    /// where it is used.
    static let maximumText = 64 << 20

    /// Python's `repr`.
    private var representation: String {
        var out = ""
        represent(to: &out)
        return out
    }

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

    private static func python(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        return value == value.rounded() && abs(value) < 1e16
            ? String(format: "%.1f", value) : "\(value)"
    }

    /// JSON as Python's `json.dumps` writes it, without escaping beyond ASCII.
    func json(indent: Int?) -> String {
        var out = ""
        json(indent: indent, level: 0, to: &out)
        return out
    }

    private func json(indent: Int?, level: Int, to out: inout String) {
        guard out.utf8.count <= Self.maximumText else { return }
        func breakLine(_ level: Int) {
            if let indent { out += "\n" + String(repeating: " ", count: indent * level) }
        }
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

    /// The number, with true as 1.
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
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A list.
    public init(arrayLiteral elements: JinjaValue...) { self = .list(elements) }
    /// An object.
    public init(dictionaryLiteral elements: (String, JinjaValue)...) {
        self = .object(elements.map { (key: $0.0, value: $0.1) })
    }
}
