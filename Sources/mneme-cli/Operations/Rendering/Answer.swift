import Foundation
import Mneme

/// Readers of an answer's JSON, for renderings.
///
/// Text that is meant for one line stays on it, and nothing that comes from a memory acts on the
/// terminal. A value that is missing is empty text, as answers leave out what is not known.
enum Answer {
    /// A memory's text with its own lines.
    static func text(of memory: JSONValue?) -> String { memory?["text"]?.string ?? "" }

    /// A string on one line; nil for anything else.
    static func line(_ value: JSONValue) -> String? { value.string.map(Terminal.line) }

    /// The value that the keys lead to, on one line: a string, number or truth value. Empty for
    /// anything else.
    static func string(_ value: JSONValue?, _ keys: String...) -> String {
        var value = value
        for key in keys { value = value?[key] }
        switch value {
        case .string(let text): return Terminal.line(text)
        case .number(let number): return Int(exactly: number).map(String.init) ?? String(number)
        case .bool(let flag): return String(flag)
        default: return ""
        }
    }

    /// Strings of an array, each on one line.
    static func strings(_ value: JSONValue?, _ key: String) -> [String] {
        (value?[key]?.array ?? []).compactMap(line)
    }

    /// A time as `2026-03-01 09:30`, in UTC; empty if there is none.
    static func day(_ value: JSONValue?, _ key: String) -> String {
        String(string(value, key).replacingOccurrences(of: "T", with: " ").prefix(16))
    }

    /// A text on one line, cut behind `limit` characters.
    static func oneLine(_ text: String, _ limit: Int) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.count > limit ? line.prefix(limit) + "…" : line
    }
}
