public import MnemeBase

/// A function that a model may call: its name, what it is for, and the form of its arguments.
public struct ToolDefinition: Sendable {
    /// 1 to 64 letters and digits of ASCII, `_`, `-`, `.`; a model writes it, so it says what the
    /// function does.
    public let name: String
    /// The description in the prompt, which says when to call it; may be empty.
    public let description: String
    /// The JSON schema of the arguments, as the client wrote it: members keep their order.
    public let parameters: OrderedJSON
    /// True if a keyword of the schema that cannot be kept refuses the request (OpenAI's `strict`).
    public let isStrict: Bool
    /// The schema, compiled for constrained decoding.
    package let schema: JSONSchema

    /// The schema of a function without arguments.
    public static let noParameters = OrderedJSON.object([
        .init(key: "type", value: .string("object")), .init(key: "properties", value: .object([])),
    ])

    /// A function, checked.
    ///
    /// - Throws: ``EngineError`` for a name of another form, a schema that is none, and one that
    ///   does not describe an object.
    public init(
        name: String, description: String = "", parameters: OrderedJSON = Self.noParameters,
        isStrict: Bool = false
    ) throws {
        let isPlain = name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "_-.".utf8.contains(byte)
        }
        guard isPlain, (1...64).contains(name.utf8.count) else {
            throw EngineError(
                .invalidRequest,
                "The tool's name '\(name.prefix(80))' must have 1 to 64 letters, digits, '_', '-' or '.'."
            )
        }
        guard Self.describesObject(parameters) else {
            throw EngineError(
                .invalidRequest,
                "The parameters of the tool '\(name)' must be a JSON schema of the type 'object'.")
        }
        do {
            schema = parameters == .object([]) ? .anyObject : try JSONSchema(parameters, strict: isStrict)
        } catch let error as EngineError {
            throw EngineError(error.code, "The tool '\(name)': \(error.message)")
        }
        self.name = name
        self.description = description
        self.parameters = parameters
        self.isStrict = isStrict
    }

    /// True if all that fits the schema is an object: calls carry arguments by name.
    private static func describesObject(_ schema: OrderedJSON) -> Bool {
        guard schema.members != nil else { return false }
        guard let type = schema["type"] else { return true }
        return type == .string("object")
    }
}
