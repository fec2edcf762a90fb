package import MnemeBase

/// Parsing of JSON from requests and files, whose sender is not trusted.
extension JSONValue {
    /// Reads JSON from outside. What it costs grows with the length of the text alone, whatever
    /// stands in it: `JSONDecoder` takes a second for a thousand nested brackets.
    ///
    /// - Complexity: O(*n*) in the length of the text.
    /// - Throws: `InputError` that says where the text is no JSON, nested too deep, or holds a
    ///   number beyond `Double`.
    public init(parsing text: [UInt8]) throws {
        let json: OrderedJSON
        do { json = try text.withUnsafeBytes { try OrderedJSON(bytes: $0) } } catch let error
            as JSONError
        {
            throw InputError("This is not JSON. \(error)")
        }
        self = try JSONValue(json)
    }

    /// The same value without the order of members.
    ///
    /// - Throws: `InputError` if a number is beyond `Double`.
    package init(_ json: OrderedJSON) throws {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let text):
            guard let value = json.double else {
                throw InputError("The number \(text.prefix(40)) is too large.")
            }
            self = .number(value)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .array(try elements.map { try JSONValue($0) })
        case .object(let members):
            self = .object(
                try Dictionary(members.map { ($0.key, try JSONValue($0.value)) }) { _, last in last
                })
        }
    }
}
