import MnemeBase

/// Makes a grammar of a schema.
///
/// A value must fit several schemas at once where there are `allOf`, `$ref` beside other keywords,
/// or properties that several parts describe: all of them are compiled together, as one
/// conjunction. What was compiled once is found again by its text, so recursion ends.
struct SchemaCompiler {
    /// Schemas that all hold for one value, and choices of which one each must hold.
    struct Conjunction {
        /// Schemas of one value that hold all together, without references and combinations.
        var parts: [SchemaPart] = []
        /// Lists of `anyOf` and `oneOf`, of each of which one schema must hold.
        var choices: [[SchemaPart]] = []
        /// The contradiction by which nothing fits, if it is known already.
        var contradiction: String?

        /// A JSON pointer to the first schema, for messages.
        var path: String { parts.first?.path ?? choices.first?.first?.path ?? "" }

        /// The conjunction's text, equal for equal ones: a key of ``known``.
        fileprivate var key: String {
            let texts = parts.map(\.schema.text)
            let lists = choices.map { $0.map(\.schema.text).joined(separator: "|") }
            return texts.joined(separator: "&") + "&" + lists.joined(separator: "&|")
        }
    }

    /// The whole schema, into which references point.
    let document: OrderedJSON
    /// True if keywords that cannot be kept are refused (OpenAI's `strict`), not left to the model.
    let isStrict: Bool
    /// The grammar as far as it is built.
    var grammar = SchemaGrammar()
    /// Steps that the automata of this schema may still take.
    var budget = AutomatonBudget(4_000_000)
    /// Keywords that are left to the model, as they came up.
    private(set) var ignored: [String] = []
    /// Nodes of the conjunctions compiled so far, or being compiled, which is how recursion ends.
    private var known: [String: Int] = [:]
    /// Conjunctions within conjunctions around the one being compiled.
    private var depth = 0
    /// Automata of the patterns met so far.
    private var patterns: [String: ByteAutomaton] = [:]
    /// Automata of the numbers' rules met so far, by their index in the grammar.
    var numbers: [NumberRule: Int] = [:]

    /// Nodes of a grammar at most: choices multiply where several hold together.
    private static let maximumNodes = 20_000
    /// Limit of ``depth``, which bounds the recursion over a hostile schema.
    private static let maximumDepth = 128
    /// Bytes of a schema.
    static let maximumBytes = 1 << 20

    /// Nodes that every grammar begins with.
    static let anything = 0, anyObject = 1

    init(_ document: OrderedJSON, strict: Bool) throws(AutomatonTooLarge) {
        self.document = document
        isStrict = strict
        try addLooseNodes()
    }

    /// Anything, and an object of anything.
    private mutating func addLooseNodes() throws(AutomatonTooLarge) {
        for _ in 0...Self.anyObject { _ = add(.pending) }
        grammar.texts.append(TextRule())
        grammar.literals.append([])
        grammar.objects.append(
            SchemaGrammar.ObjectRule(
                properties: [], names: 0, others: [(name: 0, node: Self.anything)], least: 0))
        grammar.nodes[Self.anyObject] = .object(0)
        grammar.lists.append(SchemaGrammar.ListRule(first: [], rest: Self.anything, least: 0))
        grammar.nodes[Self.anything] = .choice([
            add(.text(0)), try number(NumberRule()), literals(["true", "false", "null"]),
            Self.anyObject, add(.list(0)),
        ])
    }

    /// The grammar of the whole schema.
    ///
    /// - Throws: ``EngineError`` for a schema that is wrong, too large, or that nothing satisfies.
    mutating func compile() throws -> SchemaGrammar {
        let whole = SchemaPart(schema: document, path: "")
        guard document.text.utf8.count <= Self.maximumBytes else {
            throw whole.fault("is longer than \(Self.maximumBytes >> 20) MiB")
        }
        grammar.root = try compile([whole])
        grammar.prune()
        guard grammar.heights[grammar.root] <= SchemaGrammar.maximumHeight else {
            let why = grammar.reason(grammar.root) ?? "it needs a value inside of itself for ever"
            throw whole.fault("allows no value: \(why)")
        }
        return grammar
    }

    // MARK: Conjunctions

    /// A node whose values fit all of the schemas.
    mutating func compile(_ schemas: [SchemaPart]) throws -> Int {
        var conjunction = Conjunction()
        for schema in schemas { try flatten(schema, into: &conjunction, following: []) }
        return try compile(conjunction)
    }

    /// The node of a conjunction, made once.
    private mutating func compile(_ conjunction: Conjunction) throws -> Int {
        if let why = conjunction.contradiction { return add(.nothing(why)) }
        if conjunction.parts.isEmpty, conjunction.choices.isEmpty { return Self.anything }
        let key = conjunction.key
        if let node = known[key] { return node }
        try spendNode()
        guard depth < Self.maximumDepth else {
            throw SchemaPart(schema: document, path: conjunction.path).fault(
                "is nested too deeply")
        }
        // Known before it is made: a schema may refer to itself.
        let node = add(.pending)
        known[key] = node
        depth += 1
        defer { depth -= 1 }
        grammar.nodes[node] = .choice([try build(conjunction)])
        return node
    }

    /// Takes references and `allOf` apart.
    ///
    /// - Parameter following: references that led here.
    private mutating func flatten(
        _ schema: SchemaPart, into conjunction: inout Conjunction, following: Set<String>
    ) throws {
        if schema.schema == .bool(true) { return }
        if schema.schema == .bool(false) {
            conjunction.contradiction = "\(Self.name(schema)) allows nothing"
            return
        }
        guard let keywords = schema.schema.members else { throw schema.fault("is no object") }
        for keyword in keywords where !SchemaKeywords.isKept(keyword.key) {
            try leave(keyword.key, at: schema)
        }
        if try schema.flag("nullable"), schema["enum"] == nil, schema["const"] == nil {
            let rest = keywords.filter { $0.key != "nullable" }
            conjunction.choices.append([
                SchemaPart(schema: .object(rest), path: schema.path),
                SchemaPart(
                    schema: .object([.init(key: "type", value: .string("null"))]),
                    path: schema.path),
            ])
            return
        }
        if let reference = try schema.text("$ref") {
            guard !following.contains(reference) else {
                throw schema.fault("refers to itself for ever by '\(reference.prefix(60))'")
            }
            let target = try resolve(reference, from: schema)
            try flatten(
                target, into: &conjunction, following: following.union([reference]))
        }
        for part in try schema.parts("allOf") {
            try flatten(part, into: &conjunction, following: following)
        }
        try flattenChoices(schema, into: &conjunction)
        if keywords.contains(where: { SchemaKeywords.assertions.contains($0.key) }) {
            // Only what says something, so that equal schemas are found again.
            let said = keywords.filter { SchemaKeywords.assertions.contains($0.key) }
            conjunction.parts.append(SchemaPart(schema: .object(said), path: schema.path))
        }
    }

    /// Collects `anyOf` and `oneOf` of a schema. `oneOf` is kept as `anyOf` where the choices are
    /// disjoint, else it is left to the model.
    private mutating func flattenChoices(
        _ schema: SchemaPart, into conjunction: inout Conjunction
    ) throws {
        let tag = schema["discriminator"]?["propertyName"]?.string
        for keyword in ["anyOf", "oneOf"] {
            var choices = try schema.parts(keyword)
            guard !choices.isEmpty else { continue }
            if let tag {
                // The property that tells the choices apart must be there.
                let required = OrderedJSON.object([
                    .init(key: "required", value: .array([.string(tag)]))
                ])
                choices = choices.map {
                    SchemaPart(
                        schema: .object([.init(key: "allOf", value: .array([$0.schema, required]))]),
                        path: $0.path)
                }
            }
            if keyword == "oneOf", !areDisjoint(choices) { try leave("oneOf", at: schema) }
            conjunction.choices.append(choices)
        }
    }

    /// The schema that a reference names: a JSON pointer into the document.
    func resolve(_ reference: String, from schema: SchemaPart) throws -> SchemaPart {
        var found: OrderedJSON? = reference.hasPrefix("#") ? document : nil
        let pointer = reference.dropFirst()
        if !pointer.isEmpty, !pointer.hasPrefix("/") { found = nil }
        for step in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = (String(step).removingPercentEscapes ?? String(step))
                .replacing("~1", with: "/").replacing("~0", with: "~")
            if let elements = found?.elements {
                found = Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            } else {
                found = found?[name]
            }
        }
        guard let found else {
            throw schema.fault("refers to '\(reference.prefix(60))', which is not in it")
        }
        return SchemaPart(schema: found, path: String(pointer))
    }

    // MARK: Nodes

    /// Appends a node; returns its number.
    mutating func add(_ node: SchemaGrammar.Node) -> Int {
        grammar.nodes.append(node)
        return grammar.nodes.count - 1
    }

    /// - Throws: ``EngineError`` if there are too many nodes already.
    func spendNode() throws {
        guard grammar.nodes.count < Self.maximumNodes else {
            throw SchemaPart(schema: document, path: "").fault(
                "is too large: its parts combine to more than \(Self.maximumNodes) forms")
        }
    }

    /// The node of a conjunction that is new: a choice of smaller conjunctions as long as there are
    /// choices, then the values that its parts describe.
    private mutating func build(_ conjunction: Conjunction) throws -> Int {
        if let choices = conjunction.choices.first {
            var rest = conjunction
            rest.choices.removeFirst()
            return add(
                .choice(
                    try choices.map { choice in
                        var one = rest
                        try flatten(choice, into: &one, following: [])
                        return try compile(one)
                    }))
        }
        let parts = conjunction.parts
        let types = try SchemaTypes(parts)
        guard !types.names.isEmpty else {
            return add(.nothing("\(Self.name(parts[0])) wants types that exclude each other"))
        }
        if parts.contains(where: { $0["enum"] != nil || $0["const"] != nil }) {
            return try values(parts, types)
        }
        if types.isOpen { return Self.anything }
        let nodes = try types.names.map { try node(of: $0, parts) }
        return nodes.count == 1 ? nodes[0] : add(.choice(nodes))
    }

    /// The node of one type's values.
    private mutating func node(of type: String, _ parts: [SchemaPart]) throws -> Int {
        switch type {
        case "object": return try object(parts)
        case "array": return try list(parts)
        case "string": return try text(parts)
        case "number", "integer": return try number(parts, isWhole: type == "integer")
        case "boolean": return literals(["true", "false"])
        default: return literals(["null"])
        }
    }

    /// A node of values that are written exactly so.
    mutating func literals(_ texts: [String]) -> Int {
        let sorted = Set(texts.map { Array($0.utf8) }).sorted { $0.lexicographicallyPrecedes($1) }
        grammar.literals.append(sorted)
        return add(.literal(list: grammar.literals.count - 1, sorted.indices))
    }

    // MARK: What cannot be kept

    /// Leaves a keyword to the model.
    ///
    /// - Throws: ``EngineError`` if the schema is strict.
    mutating func leave(_ keyword: String, at schema: SchemaPart) throws {
        guard !isStrict else {
            throw schema.fault(
                "uses '\(keyword.prefix(60))', which cannot be kept while writing")
        }
        if !ignored.contains(keyword) { ignored.append(keyword) }
    }

    /// The place of a schema, as the subject of a message's sentence.
    static func name(_ schema: SchemaPart) -> String {
        schema.path.isEmpty ? "it" : "what stands at \(schema.path.suffix(200))"
    }

    /// The automaton of a pattern; nil if none can be made, which is then left to the model.
    mutating func automaton(
        pattern: String, at schema: SchemaPart, keyword: String
    ) throws -> ByteAutomaton? {
        if let known = patterns[pattern] { return known }
        do {
            let automaton = try ByteAutomaton(pattern: pattern, budget: &budget)
            patterns[pattern] = automaton
            return automaton
        } catch RegexFault.syntax(let what) {
            throw schema.fault("has the \(keyword) '\(pattern.prefix(60))', in which \(what)")
        } catch is RegexFault {
            try leave(keyword, at: schema)
        } catch is AutomatonTooLarge {
            try leave(keyword, at: schema)
        }
        return nil
    }
}

extension String {
    /// The text with `%` and two digits read as bytes; nil if that is no UTF-8.
    fileprivate var removingPercentEscapes: String? {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2).compactMap {
                Character(Unicode.Scalar($0)).hexDigitValue
            }
            if byte == UInt8(ascii: "%"), digits.count == 2 {
                rest = rest.dropFirst(2)
                bytes.append(UInt8(digits[0] * 16 + digits[1]))
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
