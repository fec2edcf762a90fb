import MnemeBase

/// A JSON schema, compiled for constrained decoding: every byte that a model writes keeps the text
/// a beginning of valid JSON.
///
/// Understood: `type` (also a list), `properties`, `required`, `additionalProperties`, `items`,
/// `minItems`, `maxItems`, `enum`, `const`, `anyOf`, `oneOf` (as any of), `$ref` into `$defs`.
/// Properties come in the schema's order. Keywords that could not be kept are refused, not ignored.
///
/// Spec: https://json-schema.org/draft/2020-12
public struct JSONSchema: Sendable {
    indirect enum Node: Sendable {
        case any
        case string, number, integer, bool, null
        case literals([[UInt8]])
        case object([Property], additional: Int?)
        case array(items: Int, minimum: Int, maximum: Int)
        case anyOf([Int])
    }

    struct Property: Sendable {
        /// The name as JSON, with the colon.
        var key: [UInt8]
        var node: Int
        var isRequired: Bool
    }

    /// Nodes that every schema begins with: anything, an object of anything, a list of anything.
    static let looseObject = 1, looseArray = 2
    fileprivate static let loose: [Node] = [
        .any, .object([], additional: 0), .array(items: 0, minimum: 0, maximum: .max),
    ]

    private(set) var nodes = JSONSchema.loose
    private(set) var root = 0

    /// Any JSON object.
    public static let anyObject: JSONSchema = {
        var schema = JSONSchema()
        schema.root = looseObject
        return schema
    }()

    private init() {}

    /// A schema as JSON, or one that stands inside of other JSON.
    ///
    /// - Parameter path: names of the members that lead to it.
    /// - Throws: ``EngineError`` that names what cannot be kept.
    public init(_ text: String, at path: [String] = []) throws {
        guard text.utf8.count <= 64 << 20 else {
            throw EngineError(.invalidRequest, "The schema is too long.")
        }
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
        var compiler = Compiler(definitions: schema["$defs"] ?? schema["definitions"])
        root = try compiler.compile(schema, path: "", depth: 0)
        nodes = compiler.nodes
    }

    private struct Compiler {
        var nodes = JSONSchema.loose
        let definitions: OrderedJSON?
        var known: [String: Int] = [:]
        private static let ignored: Set<String> = [
            "title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs",
            "definitions",
            "deprecated", "readOnly", "writeOnly",
            "strict",
        ]
        private static let kept: Set<String> = [
            "type", "properties", "required", "additionalProperties", "items", "minItems",
            "maxItems", "enum", "const",
            "anyOf", "oneOf", "$ref",
        ]

        init(definitions: OrderedJSON?) { self.definitions = definitions }

        private func fault(_ path: String, _ what: String) -> EngineError {
            EngineError(
                .invalidRequest,
                "The schema\(path.isEmpty ? "" : " at \(path.suffix(200))") \(what).")
        }

        private mutating func add(_ node: Node) -> Int {
            nodes.append(node)
            return nodes.count - 1
        }

        mutating func compile(_ schema: OrderedJSON, path: String, depth: Int) throws -> Int {
            guard depth < 64, nodes.count < 10_000 else {
                throw fault(path, "is nested too deeply")
            }
            if schema == .bool(true) { return 0 }
            guard let keywords = schema.members else { throw fault(path, "is no object") }
            if let unknown = keywords.first(where: {
                !Self.kept.contains($0.key) && !Self.ignored.contains($0.key)
            }) {
                throw fault(
                    path, "uses '\(unknown.key.prefix(60))', which cannot be kept while writing")
            }
            if let reference = schema["$ref"] { return try self.reference(reference, path, depth) }
            if let choices = schema["anyOf"] ?? schema["oneOf"] {
                guard let choices = choices.elements, !choices.isEmpty else {
                    throw fault(path, "offers no choice")
                }
                return add(
                    .anyOf(
                        try choices.enumerated().map {
                            try compile($1, path: "\(path)/anyOf/\($0)", depth: depth + 1)
                        })
                )
            }
            if let values = schema["enum"] ?? schema["const"].map({ .array([$0]) }) {
                guard let values = values.elements, !values.isEmpty else {
                    throw fault(path, "has an empty enum")
                }
                return add(.literals(values.map { Array($0.text.utf8) }))
            }
            switch schema["type"] {
            case nil:
                return try compile(
                    schema,
                    as: schema["properties"] != nil
                        ? "object" : schema["items"] != nil ? "array" : nil, path,
                    depth)
            case .string(let type)?: return try compile(schema, as: type, path, depth)
            case .array(let types)? where !types.isEmpty:
                return add(
                    .anyOf(
                        try types.map { type in
                            guard let type = type.string else {
                                throw fault(path, "has a type that is no name")
                            }
                            return try compile(schema, as: type, path, depth)
                        }))
            default: throw fault(path, "has a type that is no name")
            }
        }

        private mutating func compile(
            _ schema: OrderedJSON, as type: String?, _ path: String, _ depth: Int
        ) throws
            -> Int
        {
            switch type {
            case nil: return 0
            case "string": return add(.string)
            case "number": return add(.number)
            case "integer": return add(.integer)
            case "boolean": return add(.bool)
            case "null": return add(.null)
            case "array":
                func bound(_ name: String, _ standard: Int) throws -> Int {
                    guard let value = schema[name] else { return standard }
                    guard let bound = value.integer, bound >= 0 else {
                        throw fault(path, "has a '\(name)' that is no number of items")
                    }
                    return bound
                }
                let minimum = try bound("minItems", 0), maximum = try bound("maxItems", .max)
                guard maximum >= minimum else {
                    throw fault(path, "bounds the items of a list in contradiction")
                }
                let items =
                    try schema["items"].map {
                        try compile($0, path: path + "/items", depth: depth + 1)
                    } ?? 0
                return add(.array(items: items, minimum: minimum, maximum: maximum))
            case "object": return try object(schema, path, depth)
            case let other?: throw fault(path, "has the unknown type '\(other.prefix(40))'")
            }
        }

        private mutating func object(_ schema: OrderedJSON, _ path: String, _ depth: Int) throws
            -> Int
        {
            guard let properties = (schema["properties"] ?? .object([])).members else {
                throw fault(path, "has 'properties' that are no object")
            }
            guard let names = (schema["required"] ?? .array([])).elements,
                names.allSatisfy({ $0.string != nil })
            else {
                throw fault(path, "has a 'required' that is no list of names")
            }
            // By bytes: Swift takes names for equal that differ in the form of an accent.
            let required = Set(names.map { Array($0.text.utf8) }),
                described = Set(properties.map { Array(OrderedJSON.string($0.key).text.utf8) })
            guard required.isSubset(of: described) || schema["additionalProperties"] != .bool(false)
            else {
                throw fault(path, "requires properties that it does not describe")
            }
            var list = try properties.map { property in
                let name = Array(OrderedJSON.string(property.key).text.utf8)
                return Property(
                    key: name + [UInt8(ascii: ":")],
                    node: try compile(
                        property.value, path: path + "/properties/" + property.key, depth: depth + 1
                    ),
                    isRequired: required.contains(name))
            }
            // As in OpenAI's strict mode, described objects hold nothing else unless the schema
            // says so.
            let additional: Int?
            switch schema["additionalProperties"] {
            case nil: additional = properties.isEmpty ? 0 : nil
            case .bool(let bool)?: additional = bool ? 0 : nil
            case let other?:
                additional = try compile(
                    other, path: path + "/additionalProperties", depth: depth + 1)
            }
            var written = described
            for name in names.map({ Array($0.text.utf8) }) where written.insert(name).inserted {
                list.append(
                    Property(
                        key: name + [UInt8(ascii: ":")], node: additional ?? 0, isRequired: true))
            }
            return add(.object(list, additional: additional))
        }

        private mutating func reference(_ reference: OrderedJSON, _ path: String, _ depth: Int)
            throws -> Int
        {
            let text = reference.string ?? ""
            guard
                let name = ["#/$defs/", "#/definitions/"].first(where: text.hasPrefix).map({
                    String(text.dropFirst($0.count))
                }),
                let target = definitions?[name]
            else { throw fault(path, "refers to '\(text.prefix(60))', which is not in its $defs") }
            if let node = known[name] { return node }
            // Reserved first: a definition may refer to itself.
            let node = add(.any)
            known[name] = node
            nodes[node] = .anyOf([try compile(target, path: "/$defs/" + name, depth: depth + 1)])
            return node
        }
    }
}

/// Where a text stands within a schema: all ways to read it so far.
package struct JSONMatcher: Sendable {
    fileprivate enum Frame: Sendable, Hashable {
        case value(Int)
        case literal([UInt8], Int)
        case string(Text)
        case number(Number, whole: Bool)
        /// The next property, and whether one was written.
        case object(Int, next: Int, written: Bool)
        /// After a comma: a key must follow.
        case key(Int, next: Int)
        case list(Int, count: Int)
        case blank
    }
    fileprivate enum Text: Sendable, Hashable { case plain, escape, hex(Int) }
    fileprivate enum Number: Sendable, Hashable {
        case minus, zero, digits, point, fraction, e, sign, exponent
        var isComplete: Bool {
            self == .zero || self == .digits || self == .fraction || self == .exponent
        }
    }

    /// All that decides what may follow, within one schema.
    package struct State: Sendable, Hashable { fileprivate var stacks: [[Frame]] }

    private let schema: JSONSchema
    package private(set) var state: State
    private var stacks: [[Frame]] { state.stacks }
    private static let maximumDepth = 200, maximumStacks = 256

    package init(_ schema: JSONSchema) {
        self.schema = schema
        state = State(stacks: [[.value(schema.root)]])
    }

    /// Whether the text may end here.
    package var isComplete: Bool {
        stacks.contains { stack in
            guard let top = stack.last else { return true }
            if stack.count == 1, case .number(let state, _) = top { return state.isComplete }
            return false
        }
    }

    /// Whether any character of a string may come next.
    package var isInText: Bool { stacks.contains { $0.last == .string(.plain) } }

    /// Takes bytes; false, and no way is left, if they do not fit.
    package mutating func advance(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { advance($0) } }

    /// Takes a byte; false, and no way is left, if it does not fit.
    package mutating func advance(_ byte: UInt8) -> Bool {
        var next: [[Frame]] = []
        for stack in stacks { feed(stack, byte, &next, depth: 0) }
        state.stacks = next
        return !next.isEmpty
    }

    private func feed(_ stack: [Frame], _ byte: UInt8, _ out: inout [[Frame]], depth: Int) {
        guard let top = stack.last, stack.count < Self.maximumDepth, out.count < Self.maximumStacks,
            depth < 32
        else {
            return
        }
        let rest = Array(stack.dropLast())
        func keep(_ frames: Frame...) {
            let made = rest + frames
            if !out.contains(made) { out.append(made) }
        }
        switch top {
        case .literal(let text, let i):
            guard text[i] == byte else { return }
            if i + 1 < text.count { keep(.literal(text, i + 1)) } else { keep() }
        case .blank:
            if byte == UInt8(ascii: " ") {
                keep()
            } else {
                feed(rest, byte, &out, depth: depth + 1)
            }
        case .string(let state): string(state, byte, rest, &out)
        case .number(let state, let whole):
            if let next = Self.next(state, byte, whole: whole) {
                keep(.number(next, whole: whole))
            } else if state.isComplete {
                feed(rest, byte, &out, depth: depth + 1)
            }
        case .value(let node): value(node, byte, rest, &out, depth)
        case .object(let node, let next, let written):
            guard case .object(let properties, _) = schema.nodes[node] else { return }
            if byte == UInt8(ascii: "}"), properties[next...].allSatisfy({ !$0.isRequired }) {
                return keep()
            }
            if written {
                if byte == UInt8(ascii: ","), !keys(node, next).isEmpty {
                    keep(.key(node, next: next), .blank)
                }
            } else {
                feed(rest + [.key(node, next: next)], byte, &out, depth: depth + 1)
            }
        case .key(let node, let next):
            for (frames, text) in keys(node, next) {
                feed(rest + frames + [.blank] + text, byte, &out, depth: depth + 1)
            }
        case .list(let node, let count):
            guard case .array(let items, let minimum, let maximum) = schema.nodes[node] else {
                return
            }
            if byte == UInt8(ascii: "]"), count >= minimum { return keep() }
            guard count < maximum else { return }
            if count == 0 {
                feed(rest + [.list(node, count: 1), .value(items)], byte, &out, depth: depth + 1)
            } else if byte == UInt8(ascii: ",") {
                keep(.list(node, count: count + 1), .value(items), .blank)
            }
        }
    }

    /// What can follow as a key: the frames below it, and the key itself.
    private func keys(_ node: Int, _ next: Int) -> [([Frame], [Frame])] {
        guard case .object(let properties, let additional) = schema.nodes[node] else { return [] }
        var result: [([Frame], [Frame])] = []
        var i = next
        while i < properties.count {
            result.append(
                (
                    [.object(node, next: i + 1, written: true), .value(properties[i].node)],
                    [.literal(properties[i].key, 0)]
                ))
            if properties[i].isRequired { return result }
            i += 1
        }
        if let additional {
            result.append(
                (
                    [.object(node, next: properties.count, written: true), .value(additional)],
                    [.literal([UInt8(ascii: ":")], 0), .string(.plain), .literal([34], 0)]
                ))
        }
        return result
    }

    private func value(
        _ node: Int, _ byte: UInt8, _ rest: [Frame], _ out: inout [[Frame]], _ depth: Int
    ) {
        func keep(_ frames: Frame...) {
            let made = rest + frames
            if !out.contains(made) { out.append(made) }
        }
        func number(whole: Bool) {
            switch byte {
            case UInt8(ascii: "-"): keep(.number(.minus, whole: whole))
            case UInt8(ascii: "0"): keep(.number(.zero, whole: whole))
            case UInt8(ascii: "1")...UInt8(ascii: "9"): keep(.number(.digits, whole: whole))
            default: break
            }
        }
        func word(_ text: String) {
            if text.utf8.first == byte { keep(.literal(Array(text.utf8), 1)) }
        }
        switch schema.nodes[node] {
        case .string: if byte == 34 { keep(.string(.plain)) }
        case .number: number(whole: false)
        case .integer: number(whole: true)
        case .bool:
            word("true")
            word("false")
        case .null: word("null")
        case .literals(let texts):
            for text in texts where text.first == byte {
                if text.count > 1 { keep(.literal(text, 1)) } else { keep() }
            }
        case .object: if byte == UInt8(ascii: "{") { keep(.object(node, next: 0, written: false)) }
        case .array: if byte == UInt8(ascii: "[") { keep(.list(node, count: 0)) }
        case .anyOf(let choices):
            for choice in choices { feed(rest + [.value(choice)], byte, &out, depth: depth + 1) }
        case .any:
            if byte == 34 { keep(.string(.plain)) }
            number(whole: false)
            word("true")
            word("false")
            word("null")
            // Objects and lists of anything are two nodes that every schema has.
            if byte == UInt8(ascii: "{") {
                keep(.object(JSONSchema.looseObject, next: 0, written: false))
            }
            if byte == UInt8(ascii: "[") { keep(.list(JSONSchema.looseArray, count: 0)) }
        }
    }

    private func string(_ state: Text, _ byte: UInt8, _ rest: [Frame], _ out: inout [[Frame]]) {
        switch (state, byte) {
        case (.plain, 34): out.append(rest)
        case (.plain, 92): out.append(rest + [.string(.escape)])
        case (.plain, 32...): out.append(rest + [.string(.plain)])
        case (.escape, UInt8(ascii: "u")): out.append(rest + [.string(.hex(4))])
        case (.escape, _) where "\"\\/bfnrt".utf8.contains(byte):
            out.append(rest + [.string(.plain)])
        case (.hex(let left), 48...57), (.hex(let left), 65...70), (.hex(let left), 97...102):
            out.append(rest + [.string(left > 1 ? .hex(left - 1) : .plain)])
        default: break
        }
    }

    private static func next(_ state: Number, _ byte: UInt8, whole: Bool) -> Number? {
        let isDigit = (48...57).contains(byte)
        switch state {
        case .minus: return byte == 48 ? .zero : isDigit ? .digits : nil
        case .zero, .digits:
            if isDigit { return state == .digits ? .digits : nil }
            if whole { return nil }
            return byte == UInt8(ascii: ".") ? .point : byte | 32 == UInt8(ascii: "e") ? .e : nil
        case .point: return isDigit ? .fraction : nil
        case .fraction: return isDigit ? .fraction : byte | 32 == UInt8(ascii: "e") ? .e : nil
        case .e:
            return isDigit
                ? .exponent : byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") ? .sign : nil
        case .sign, .exponent: return isDigit ? .exponent : nil
        }
    }
}
