import MnemeBase

/// The types that a value may have if it must fit several schemas.
struct SchemaTypes {
    /// In the first schema's order.
    private(set) var names: [String]
    /// True if nothing was said: any value will do.
    private(set) var isOpen = false

    /// The type names of JSON Schema.
    private static let known = [
        "object", "array", "string", "number", "integer", "boolean", "null",
    ]

    /// - Throws: ``EngineError`` for types that are none.
    init(_ parts: [SchemaPart]) throws {
        var names: [String]?
        for part in parts {
            guard let own = try Self.types(of: part) else { continue }
            names = names.map { Self.common($0, own) } ?? own
        }
        if let names {
            self.names = names
            return
        }
        // Keywords that are about one type ask for it.
        let implied = SchemaKeywords.implied.filter { _, keywords in
            parts.contains { part in
                part.schema.members?.contains { keywords.contains($0.key) } ?? false
            }
        }.map(\.type)
        isOpen = implied.isEmpty
        self.names = isOpen ? Self.known : implied
    }

    /// The types that one schema names; nil if it names none.
    private static func types(of part: SchemaPart) throws -> [String]? {
        let names: [String]
        switch part["type"] {
        case nil: return nil
        case .string(let name)?: names = [name]
        case .array(let list)? where !list.isEmpty:
            names = list.compactMap(\.string)
            guard names.count == list.count else { throw part.fault("has a type that is no name") }
        default: throw part.fault("has a type that is no name")
        }
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw part.fault("has the unknown type '\(unknown.prefix(40))'")
        }
        // A whole number is a number.
        return names.contains("number") ? names.filter { $0 != "integer" } : names
    }

    /// Types of both lists, where `number` and `integer` have `integer` in common.
    private static func common(_ a: [String], _ b: [String]) -> [String] {
        a.compactMap { name in
            if b.contains(name) { return name }
            let isNumber = name == "number" || name == "integer"
            return isNumber && b.contains { $0 == "number" || $0 == "integer" } ? "integer" : nil
        }
    }

    /// True if a value is of one of the types.
    func contain(_ value: OrderedJSON) -> Bool {
        if isOpen { return true }
        switch value {
        case .null: return names.contains("null")
        case .bool: return names.contains("boolean")
        case .string: return names.contains("string")
        case .array: return names.contains("array")
        case .object: return names.contains("object")
        case .number(let text):
            if names.contains("number") { return true }
            return names.contains("integer") && DecimalText(text)?.fraction.isEmpty ?? false
        }
    }
}
