import Foundation
import Mneme
import MnemeBase

/// Members of a record, read with their types; errors name the member.
struct BenchFields {
    private let fields: JSONFields

    /// - Throws: `InputError` if the value is no object.
    init(_ value: JSONValue) throws {
        guard let members = value.object else { throw InputError("An object is expected, not a list or a text.") }
        fields = JSONFields(members)
    }

    /// A member that must be there.
    func require<Value>(_ name: String, _ value: Value?) throws -> Value {
        guard let value else { throw InputError("'\(name)' is missing.") }
        return value
    }

    func text(_ name: String) throws -> String? { try fields.text(name) }
    func list(_ name: String) throws -> [JSONValue]? { try fields.list(name) }
    func flag(_ name: String) throws -> Bool? { try fields.flag(name) }
    func value(_ name: String) -> JSONValue? { fields[name] }
    func object(_ name: String) throws -> BenchFields? { try fields[name].map { try BenchFields($0) } }

    /// A list of texts; numbers count as their digits.
    func texts(_ name: String) throws -> [String]? {
        try list(name).map { list in
            try list.map { try require(name, Self.plain($0)) }
        }
    }

    /// A text, or a number or truth value as one.
    func answer(_ name: String) throws -> String? {
        guard let value = fields[name] else { return nil }
        guard let text = Self.plain(value) else { throw InputError("'\(name)' must be a text or a number.") }
        return text
    }

    /// Answers of which one is enough: a text, a list of them, or a list of lists.
    func answers(_ name: String) throws -> [String] {
        guard let value = fields[name] else { return [] }
        return try Self.flat(value, name)
    }

    static func flat(_ value: JSONValue, _ name: String) throws -> [String] {
        if let list = value.array { return try list.flatMap { try flat($0, name) } }
        guard let text = plain(value) else { throw InputError("'\(name)' must hold texts or numbers.") }
        return [text]
    }

    /// A text, or a number or truth value as one; nil for all else.
    static func plain(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
        case .bool(let flag): flag ? "yes" : "no"
        default: nil
        }
    }
}

/// Times as benchmarks' files write them.
enum BenchTime {
    /// ISO 8601, Unix seconds, or LongMemEval's `2023/05/20 (Sat) 02:21`, in UTC; nil for any other form.
    static func date(_ text: String) -> Date? {
        if let date = DateText.parse(text) { return date }
        let parts = text.split(separator: " ").filter { !$0.hasPrefix("(") }
        guard let day = parts.first?.replacing("/", with: "-"), parts.count <= 2 else { return nil }
        return DateText.parse(parts.count == 2 ? "\(day)T\(parts[1])" : String(day))
    }
}
