public import Foundation
public import MnemeStore

/// A type that an operation's parameter can have.
public protocol ParameterValue: Sendable {
    /// JSON schema of a value.
    static var schema: [String: JSONValue] { get }
    /// The words for a right value, for messages: "'limit' must be …".
    static var wanted: String { get }
    /// The value that `json` stands for; nil if it is of another type.
    init?(json: JSONValue)
}

/// Words for a right value: an enum's cases, else the format or type.
extension ParameterValue {
    /// The expected value in words, made from the schema.
    public static var wanted: String {
        schema["enum"]?.array.map { "one of " + $0.compactMap(\.string).joined(separator: ", ") }
            ?? schema["format"]?.string ?? schema["type"]?.string ?? "JSON"
    }
}

extension String: ParameterValue {
    /// Any string.
    public static var schema: [String: JSONValue] { ["type": "string"] }
    /// A string as it is.
    public init?(json: JSONValue) {
        guard let text = json.string else { return nil }
        self = text
    }
}

extension Bool: ParameterValue {
    /// `true` or `false`.
    public static var schema: [String: JSONValue] { ["type": "boolean"] }
    /// `true` and `false`, also as the texts that a query string carries. Nothing else: "yes" is a
    /// mistake, not a word for true.
    public init?(json: JSONValue) {
        switch json {
        case .bool(let value): self = value
        case .string("true"): self = true
        case .string("false"): self = false
        default: return nil
        }
    }
}

extension Int: ParameterValue {
    /// A whole number.
    public static var schema: [String: JSONValue] { ["type": "integer"] }
    /// A whole number, also as text; fractions and numbers beyond 64 bits are refused.
    public init?(json: JSONValue) {
        // Query strings and command lines carry numbers as text.
        guard
            let whole = json.int
                ?? json.string.flatMap({ Int($0) ?? JSONValue.number(Double($0) ?? .nan).int })
        else {
            return nil
        }
        self = whole
    }
}

extension Double: ParameterValue {
    /// A number.
    public static var schema: [String: JSONValue] { ["type": "number"] }
    /// A finite number, also as text.
    public init?(json: JSONValue) {
        guard let value = json.double ?? json.string.flatMap(Double.init), value.isFinite else {
            return nil
        }
        self = value
    }
}

extension Date: ParameterValue {
    /// A string; which forms are read stands in its description.
    public static var schema: [String: JSONValue] {
        [
            "type": "string",
            "description":
                "ISO 8601 date or date-time, such as 2026-03-01 or 2026-03-01T09:30:00Z.",
        ]
    }
    /// An example rather than the schema's type, which is only "string".
    public static var wanted: String { "a date such as 2026-03-01" }
    /// A date as ``DateText`` reads it.
    public init?(json: JSONValue) {
        guard let text = json.string, let date = DateText.parse(text) else { return nil }
        self = date
    }
}

extension Array: ParameterValue where Element == String {
    /// An array of strings.
    public static var schema: [String: JSONValue] {
        ["type": "array", "items": ["type": "string"]]
    }
    /// A list of strings, or one string with commas between them, as a command line gives it.
    public init?(json: JSONValue) {
        if let text = json.string {
            self = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        } else if let elements = json.array {
            let texts = elements.compactMap(\.string)
            guard texts.count == elements.count else { return nil }
            self = texts
        } else {
            return nil
        }
    }
}

extension Dictionary: ParameterValue where Key == String, Value == String {
    /// An object with members of any name, all of them strings.
    public static var schema: [String: JSONValue] {
        ["type": "object", "additionalProperties": ["type": "string"]]
    }
    /// Says that the values are strings, too, which the schema's type does not.
    public static var wanted: String { "an object of strings" }
    /// An object whose values are all strings.
    public init?(json: JSONValue) {
        guard let members = json.object else { return nil }
        let texts = members.compactMapValues(\.string)
        guard texts.count == members.count else { return nil }
        self = texts
    }
}

/// Messages of a conversation, each an object.
public struct MessageList: ParameterValue {
    /// As they were given.
    public let messages: [JSONValue]

    /// An array of 1000 objects at most; each must have `content`.
    public static var schema: [String: JSONValue] {
        let text: JSONValue = ["type": "string"]
        return [
            "type": "array", "maxItems": 1000,
            "items": [
                "type": "object",
                "properties": ["content": text, "role": text, "name": text, "time": text],
                "required": ["content"],
            ],
        ]
    }

    /// The bound of 1000 in words, for the message that refuses a longer list.
    public static var wanted: String { "a list of at most 1000 messages" }

    /// At most a thousand messages; each is looked at when it is read, see `MessageReader`.
    public init?(json: JSONValue) {
        guard let list = json.array, list.count <= 1000 else { return nil }
        messages = list
    }
}

extension CubeID: ParameterValue {
    /// A UUID, as ids are written.
    public static var schema: [String: JSONValue] { ["type": "string", "format": "uuid"] }
    /// An id in its text form.
    public init?(json: JSONValue) {
        guard let text = json.string, let id = CubeID(text) else { return nil }
        self = id
    }
}

extension ParameterValue where Self: RawRepresentable & CaseIterable, RawValue == String {
    /// A string, one of the raw values.
    public static var schema: [String: JSONValue] {
        ["type": "string", "enum": .array(allCases.map { .string($0.rawValue) })]
    }
    /// A case by its raw value, in its own spelling.
    public init?(json: JSONValue) {
        guard let text = json.string, let value = Self(rawValue: text) else { return nil }
        self = value
    }
}
extension Sensitivity: ParameterValue {
    /// A string, one of the labels' names.
    public static var schema: [String: JSONValue] {
        ["type": "string", "enum": .array(allCases.map { .string($0.name) })]
    }
    /// A label by its name; its number is no value.
    public init?(json: JSONValue) {
        guard let text = json.string, let value = Sensitivity(name: text) else { return nil }
        self = value
    }
}
/// Enums whose raw values are the words of requests.
extension MemoryType: ParameterValue {}
extension MemoryTier: ParameterValue {}
extension MemoryForm: ParameterValue {}
extension LifecycleState: ParameterValue {}
extension RecallMode: ParameterValue {}
extension ExperienceKind: ParameterValue {}

/// The surfaces by which operations and their parameters are reached.
public enum Surface: Sendable, CaseIterable { case commandLine, http, mcp }

/// A parameter without its value's type, as surfaces see it.
public protocol AnyParameter: Sendable {
    /// The option's, query item's and body field's name.
    var name: String { get }
    /// One sentence.
    var help: String { get }
    /// True if a call without it is refused.
    var isRequired: Bool { get }
    /// On the command line: a place instead of a `--name`.
    var isPositional: Bool { get }
    /// The surfaces that offer it.
    var surfaces: Set<Surface> { get }
    /// JSON schema with the help as description.
    var schema: JSONValue { get }
    /// True if several values may be given.
    var isList: Bool { get }
    /// True for a switch without a value.
    var isFlag: Bool { get }
    /// - Throws: `InputError` if `json` is of another type or beyond the limits.
    func check(_ json: JSONValue) throws
}

/// One input of an operation: declared once, read with its type.
public struct Parameter<Value: ParameterValue>: AnyParameter {
    /// Its name: an option, a query or body field.
    public let name: String
    /// One sentence for `--help` and the API document.
    public let help: String
    /// True if a call without it is refused.
    public let isRequired: Bool
    /// True if the command line takes it without a name, in the order of the parameters.
    public let isPositional: Bool
    /// The surfaces that offer it.
    public let surfaces: Set<Surface>
    /// Bounds of a number.
    /// Inclusive; nil for other values and for numbers without any.
    public let range: ClosedRange<Double>?

    /// A parameter; most exist everywhere and are optional.
    public init(
        _ name: String, _ help: String, required: Bool = false, positional: Bool = false,
        range: ClosedRange<Double>? = nil,
        surfaces: Set<Surface> = Set(Surface.allCases)
    ) {
        self.name = name
        self.help = help
        isRequired = required
        isPositional = positional
        self.range = range
        self.surfaces = surfaces
    }

    /// True for lists of texts, which the command line takes by repeating the option.
    public var isList: Bool { Value.self == [String].self }
    /// True for booleans, which the command line takes as a switch.
    public var isFlag: Bool { Value.self == Bool.self }

    /// The schema of the value's type with this parameter's help and bounds.
    public var schema: JSONValue {
        var schema = Value.schema
        let note = schema["description"]?.string
        schema["description"] = .string(note.map { help + " " + $0 } ?? help)
        if let range {
            schema["minimum"] = .number(range.lowerBound)
            schema["maximum"] = .number(range.upperBound)
        }
        return .object(schema)
    }

    /// Checks type and bounds of one value.
    /// - Throws: `InputError` that names the parameter and what it takes.
    public func check(_ json: JSONValue) throws {
        guard Value(json: json) != nil else {
            throw InputError("'\(name)' must be \(Value.wanted).")
        }
        if let range, let number = json.double ?? json.string.flatMap(Double.init),
            !range.contains(number)
        {
            throw InputError(
                "'\(name)' must lie between \(JSONValue.number(range.lowerBound).shortText) and \(JSONValue.number(range.upperBound).shortText)."
            )
        }
    }
}

extension JSONValue {
    /// The value as it stands in a message: short enough for one line.
    fileprivate var shortText: String {
        double.map { Int(exactly: $0).map(String.init) ?? String($0) } ?? ""
    }
}

/// The checked arguments of one call.
///
/// A value exists only in checked form, so an operation need not check types or bounds again.
public struct OperationInput: Sendable {
    /// Checked values by the parameter's name; what was left out is absent.
    private let values: [String: JSONValue]

    /// Checks `values` against the parameters that `surface` offers.
    ///
    /// - Throws: `InputError` for an unknown, missing or mistyped argument.
    public init(_ values: [String: JSONValue], parameters: [any AnyParameter], surface: Surface)
        throws
    {
        let offered = parameters.filter { $0.surfaces.contains(surface) }
        let given = values.filter { $0.value != .null }
        for name in given.keys.sorted() where !offered.contains(where: { $0.name == name }) {
            throw InputError(
                "There is no parameter '\(name.prefix(60))'. Known: \(offered.map(\.name).joined(separator: ", "))."
            )
        }
        for parameter in offered {
            if let value = given[parameter.name] {
                try parameter.check(value)
                guard !value.holdsNUL else {
                    throw InputError(
                        "'\(parameter.name)' holds a NUL character and cannot be kept as text. Remove it."
                    )
                }
            } else if parameter.isRequired {
                throw InputError("'\(parameter.name)' is missing: \(parameter.help)")
            }
        }
        self.values = given
    }

    /// The value given for `parameter`, if any.
    public subscript<Value>(parameter: Parameter<Value>) -> Value? {
        values[parameter.name].flatMap { Value(json: $0) }
    }

    /// The value of a required parameter.
    ///
    /// - Throws: `InputError` if it is absent.
    public func require<Value>(_ parameter: Parameter<Value>) throws -> Value {
        guard let value = self[parameter] else {
            throw InputError("'\(parameter.name)' is missing: \(parameter.help)")
        }
        return value
    }
}
