import Mneme

/// A field of a request's JSON object without its value's type, as the OpenAPI document sees it.
protocol AnyRequestField: Sendable {
    /// The member's name.
    var name: String { get }
    /// JSON schema of the value.
    var schema: JSONValue { get }
    /// True if a request without it is refused.
    var isRequired: Bool { get }
}

/// A field of a request's JSON object: declared once, read with its type and described in the
/// OpenAPI document.
///
/// A field that is null counts as absent. Reading is strict, other than that of an operation's
/// ``Mneme/Parameter``: a text is no number.
struct RequestField<Value: Sendable>: AnyRequestField {
    let name: String
    let schema: JSONValue
    let isRequired: Bool
    /// Reads and checks the value.
    private let reader: @Sendable (_ request: JSONFields, _ name: String) throws -> Value?

    /// A field of any form.
    ///
    /// - Parameter reader: nil for an absent field; throws `InputError` for a value
    ///   that will not do.
    init(
        _ name: String, schema: JSONValue, required: Bool = false,
        reader: @escaping @Sendable (_ request: JSONFields, _ name: String) throws -> Value?
    ) {
        self.name = name
        self.schema = schema
        isRequired = required
        self.reader = reader
    }

    /// The value in a request; nil if it is absent.
    ///
    /// - Throws: `InputError`, which names the field, for a value that will not do.
    func read(_ request: JSONFields) throws -> Value? { try reader(request, name) }

    /// The value in a request.
    ///
    /// - Throws: `InputError`, which names the field, also if it is absent.
    func require(_ request: JSONFields) throws -> Value {
        guard let value = try read(request) else { throw InputError("'\(name)' is missing.") }
        return value
    }
}

extension RequestField<String> {
    /// A text.
    init(_ name: String, required: Bool = false) {
        self.init(name, schema: ["type": "string"], required: required) { try $0.text($1) }
    }
}

extension RequestField<Bool> {
    /// True or false.
    init(_ name: String) {
        self.init(name, schema: ["type": "boolean"]) { try $0.flag($1) }
    }
}

extension RequestField<Double> {
    /// A number.
    init(_ name: String) {
        self.init(name, schema: ["type": "number"]) { try $0.number($1) }
    }
}

extension RequestField<Int> {
    /// A whole number.
    init(_ name: String, in range: ClosedRange<Int> = .min ... .max, required: Bool = false) {
        var schema: [String: JSONValue] = ["type": "integer"]
        if range.lowerBound != .min { schema["minimum"] = .number(Double(range.lowerBound)) }
        if range.upperBound != .max { schema["maximum"] = .number(Double(range.upperBound)) }
        self.init(name, schema: .object(schema), required: required) {
            try $0.int($1, in: range)
        }
    }
}

extension RequestField<[String]> {
    /// A list of texts.
    init(_ name: String) {
        self.init(name, schema: ["type": "array", "items": ["type": "string"]]) { try $0.texts($1) }
    }

    /// A list of so many texts at most.
    init(_ name: String, most: Int) {
        self.init(
            name,
            schema: [
                "type": "array", "maxItems": .number(Double(most)), "items": ["type": "string"],
            ]
        ) { request, name in
            guard let texts = try request.texts(name) else { return nil }
            guard texts.count <= most else {
                throw InputError("'\(name)' must hold at most \(most) texts.")
            }
            return texts
        }
    }
}

extension RequestField<JSONValue> {
    /// A field of OpenAI's API that does nothing here: it is taken with the one value that asks for
    /// nothing.
    init(_ name: String, only plain: JSONValue, otherwise message: String) {
        self.init(name, schema: ["const": plain]) { request, name in
            guard let value = request[name] else { return nil }
            guard value == plain else { throw InputError(message) }
            return value
        }
    }
}

extension JSONValue {
    /// JSON schema of an object with these fields.
    static func schema(of fields: [any AnyRequestField]) -> JSONValue {
        var schema: [String: JSONValue] = [
            "type": "object",
            "properties": .object(
                Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.schema) })),
        ]
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }
}
