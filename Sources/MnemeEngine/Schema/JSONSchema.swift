public import MnemeBase

/// A JSON schema, compiled for constrained decoding: every byte that a model writes keeps the text
/// a beginning of a value that fits.
///
/// ```swift
/// var request = GenerationRequest(prompt: tokens)
/// request.schema = try JSONSchema(#"{"type":"string","pattern":"^[A-Z]{2}\\d+$"}"#)
/// ```
///
/// Kept are types, `enum` and `const`, all bounds of numbers, lengths, `pattern` and the usual
/// `format`s of strings, elements and members with their numbers and names, `allOf`, `anyOf`,
/// `oneOf` with `discriminator`, and references within the schema, also to itself. Properties come
/// in the schema's order. An object whose properties are described holds no others unless
/// `additionalProperties` says so. What is written is a little narrower than what is valid: bounded
/// numbers have no exponents, blanks stand only behind commas and colons.
///
/// Spec: https://json-schema.org/draft/2020-12
public struct JSONSchema: Sendable {
    /// Follows texts through the compiled schema.
    let machine: SharedMachine
    /// The schema's text, which tells it from other schemas.
    let text: String
    /// Keywords that are not kept while the answer is written, but left to the model: `not`,
    /// `if`, patterns that look around. Empty if the answer is sure to fit.
    public let ignored: [String]

    /// Any JSON object.
    public static let anyObject: JSONSchema = {
        do { return try JSONSchema(#"{"type":"object"}"#) } catch {
            preconditionFailure("Objects of anything are a schema: \(error)")
        }
    }()

    /// A schema as JSON, or one that stands inside of other JSON.
    ///
    /// - Parameters:
    ///   - text: the schema as JSON.
    ///   - path: names of the members that lead to it.
    ///   - strict: whether what cannot be kept is refused, and not ``ignored``.
    /// - Throws: ``EngineError`` that says what is wrong with the schema: it is malformed, too
    ///   large, refers to what is not in it, or no value fits it.
    public init(_ text: String, at path: [String] = [], strict: Bool = false) throws {
        var schema: OrderedJSON
        do { schema = try OrderedJSON(text) } catch {
            throw EngineError(.invalidRequest, "The schema is not JSON. \(error)")
        }
        for (i, name) in path.enumerated() {
            guard let inner = schema[name] else {
                throw EngineError(
                    .invalidRequest, "'\(path[...i].joined(separator: "."))' is missing.")
            }
            schema = inner
        }
        try self.init(schema, strict: strict)
    }

    /// A schema that was read already; throws as ``init(_:at:strict:)``.
    public init(_ schema: OrderedJSON, strict: Bool = false) throws {
        var compiler = try SchemaCompiler(schema, strict: strict)
        machine = SharedMachine(try compiler.compile())
        ignored = compiler.ignored
        text = schema.text
    }
}
