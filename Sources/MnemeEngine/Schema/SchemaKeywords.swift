import MnemeBase

/// Keywords of JSON schemas, by what becomes of them while an answer is written.
enum SchemaKeywords {
    /// Say nothing about a value, or nothing that a writer must heed.
    static let annotations: Set<String> = [
        "title", "description", "default", "examples", "example", "deprecated", "readOnly",
        "writeOnly", "$schema", "$id", "id", "$anchor", "$comment", "$vocabulary", "$defs",
        "definitions", "contentEncoding", "contentMediaType", "contentSchema", "externalDocs",
        "xml", "strict",
    ]
    /// Keywords that are kept for each value alone.
    static let assertions: Set<String> = [
        "type", "enum", "const", "properties", "required", "additionalProperties",
        "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties",
        "maxProperties", "items", "prefixItems", "additionalItems", "unevaluatedItems", "minItems",
        "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format", "minimum",
        "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    ]
    /// Keywords that combine schemas.
    static let combinations: Set<String> = [
        "$ref", "allOf", "anyOf", "oneOf", "discriminator", "nullable",
    ]

    /// True for keywords that are kept or may be passed over; others are left to the model.
    static func isKept(_ name: String) -> Bool {
        // Names of other vocabularies begin so, as OpenAPI has it.
        annotations.contains(name) || assertions.contains(name) || combinations.contains(name)
            || name.hasPrefix("x-")
    }

    /// The type that a keyword is about, for schemas that name none.
    static let implied: [(type: String, keywords: Set<String>)] = [
        (
            "object",
            [
                "properties", "required", "additionalProperties", "patternProperties",
                "unevaluatedProperties", "propertyNames", "minProperties", "maxProperties",
            ]
        ),
        (
            "array",
            [
                "items", "prefixItems", "additionalItems", "unevaluatedItems", "minItems",
                "maxItems", "uniqueItems",
            ]
        ),
        ("string", ["minLength", "maxLength", "pattern", "format"]),
        (
            "number",
            ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
        ),
    ]

    /// Formats that are names only, or that every number and text has.
    static let uncheckedFormats: Set<String> = ["password", "float", "double", "regex", "binary"]

    /// The bounds that a number's format sets.
    static func range(ofFormat name: String) -> (least: String, most: String)? {
        switch name {
        case "int8": ("-128", "127")
        case "int16": ("-32768", "32767")
        case "int32": ("-2147483648", "2147483647")
        case "int64": ("-9223372036854775808", "9223372036854775807")
        case "uint8": ("0", "255")
        case "uint16": ("0", "65535")
        case "uint32": ("0", "4294967295")
        case "uint64": ("0", "18446744073709551615")
        default: nil
        }
    }
}

/// A schema within another, and where it stands.
struct SchemaPart {
    /// The schema, its members in the order in which they were written.
    var schema: OrderedJSON
    /// A JSON pointer to it from the document's root, for messages.
    var path: String

    subscript(name: String) -> OrderedJSON? { schema[name] }

    /// - Throws: ``EngineError`` that names the place.
    func fault(_ what: String) -> EngineError {
        EngineError(
            .invalidRequest, "The schema\(path.isEmpty ? "" : " at \(path.suffix(200))") \(what).")
    }

    /// The schema that a keyword holds.
    func part(_ name: String) -> SchemaPart? {
        self[name].map { SchemaPart(schema: $0, path: "\(path)/\(name)") }
    }

    /// The schemas of a list that a keyword holds.
    func parts(_ name: String) throws -> [SchemaPart] {
        guard let value = self[name] else { return [] }
        guard let elements = value.elements, !elements.isEmpty else {
            throw fault("has an '\(name)' that is no list of schemas")
        }
        return elements.enumerated().map { SchemaPart(schema: $1, path: "\(path)/\(name)/\($0)") }
    }

    /// The schemas of an object that a keyword holds, in their order.
    func members(_ name: String) throws -> [(name: String, part: SchemaPart)] {
        guard let value = self[name] else { return [] }
        guard let members = value.members else { throw fault("has '\(name)' that is no object") }
        return members.map {
            ($0.key, SchemaPart(schema: $0.value, path: "\(path)/\(name)/\($0.key)"))
        }
    }

    /// A number of characters, elements or members.
    func count(_ name: String) throws -> Int? {
        guard let value = self[name] else { return nil }
        guard let count = value.integer, count >= 0 else {
            throw fault("has a '\(name)' that is no number of anything")
        }
        return count
    }

    /// A number's exact value; nil if the keyword is absent.
    func decimal(_ name: String) throws -> DecimalText? {
        guard let value = self[name] else { return nil }
        guard case .number(let text) = value, let decimal = DecimalText(text) else {
            throw fault("has a '\(name)' that is no number a double holds")
        }
        return decimal
    }

    /// A text; nil if the keyword is absent.
    func text(_ name: String) throws -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw fault("has a '\(name)' that is no text") }
        return text
    }

    /// True or false; false if the keyword is absent.
    func flag(_ name: String) throws -> Bool {
        guard let value = self[name] else { return false }
        guard let flag = value.bool else {
            throw fault("has a '\(name)' that is neither true nor false")
        }
        return flag
    }

    /// The names of a list.
    func names(_ name: String) throws -> [String] {
        guard let value = self[name] else { return [] }
        guard let names = value.elements, case let texts = names.compactMap(\.string),
            texts.count == names.count
        else { throw fault("has a '\(name)' that is no list of names") }
        return texts
    }
}
