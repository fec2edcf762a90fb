import MnemeBase

/// Compiles schemas of objects.
extension SchemaCompiler {
    /// Patterns of names that are kept: ``others(_:_:_:_:)`` goes through all their 2^n
    /// combinations.
    private static let maximumPatterns = 4

    /// An object that keeps what all parts say of its members.
    ///
    /// As in OpenAI's strict mode, an object whose members are described holds nothing else unless
    /// the schema says so.
    mutating func object(_ parts: [SchemaPart]) throws -> Int {
        var shape = try ObjectShape(parts)
        shape.nameSchemas = try shape.nameSchemas.map(resolved)
        if shape.patterns.count > Self.maximumPatterns {
            try leave("patternProperties", at: parts[0])
            shape.patterns = []
        }
        var automata: [String: ByteAutomaton] = [:]
        for pattern in shape.patterns {
            guard
                let automaton = try automaton(
                    pattern: pattern, at: parts[0], keyword: "patternProperties")
            else { continue }
            automata[pattern] = automaton
        }
        shape.patterns.removeAll { automata[$0] == nil }
        shape.takeListedNames(of: try listedNames(shape))
        var rule = SchemaGrammar.ObjectRule(
            properties: [], names: grammar.literals.count, others: [], least: shape.least,
            most: shape.most)
        grammar.literals.append([])
        var names: [[UInt8]] = []
        let namesRule = try nameRule(shape)
        for name in shape.names {
            let matching = Set(shape.patterns.filter { automata[$0]?.accepts(name.utf8) ?? false })
            let isRequired = shape.isRequired(name)
            var node = try compile(shape.schemas(of: name, matching: matching))
            if !shape.allows(name) || !(namesRule?.accepts(name.utf8) ?? true) {
                node = add(.nothing("\(Self.name(parts[0])) has names that do not fit"))
            }
            names.append(Self.nameText(name))
            rule.properties.append(.init(node: node, isRequired: isRequired))
        }
        grammar.literals[rule.names] = names
        rule.others = try others(shape, automata, namesRule, parts[0])
        if rule.least > 1, !rule.others.isEmpty {
            // Nobody remembers which of the other names were written.
            try leave("minProperties", at: parts[0])
        }
        guard rule.least <= rule.most ?? .max else {
            return add(.nothing("\(Self.name(parts[0])) bounds the members in contradiction"))
        }
        grammar.objects.append(rule)
        return add(.object(grammar.objects.count - 1))
    }

    /// Members that no property names: for each set of patterns that a name can match together,
    /// the name's rule and the value.
    private mutating func others(
        _ shape: ObjectShape, _ automata: [String: ByteAutomaton], _ namesRule: ByteAutomaton?,
        _ part: SchemaPart
    ) throws -> [(name: Int, node: Int)] {
        var result: [(name: Int, node: Int)] = []
        let all = shape.patterns.compactMap { automata[$0] }
        var taken: [ByteAutomaton]?
        for choice in 0..<(1 << all.count) {
            let isIn = all.indices.map { choice >> $0 & 1 == 1 }
            let matching = Set(zip(shape.patterns, isIn).filter(\.1).map(\.0))
            guard let schemas = shape.others(matching: matching) else { continue }
            let node = try compile(schemas)
            if case .nothing = grammar.nodes[node] { continue }
            let required = zip(all, isIn).filter(\.1).map(\.0) + [namesRule ?? TextRule.all]
            do {
                if taken == nil { taken = shape.names.isEmpty ? [] : [try exactly(shape.names)] }
                let excluded = zip(all, isIn).filter { !$0.1 }.map(\.0) + (taken ?? [])
                let automaton = try ByteAutomaton.matching(
                    required, excluding: excluded, budget: &budget)
                if automaton.isEmpty { continue }
                grammar.texts.append(try TextRule(automaton, least: 0, most: nil))
                result.append((grammar.texts.count - 1, node))
            } catch {
                throw part.fault("is too large: its names need too much memory")
            }
        }
        return result
    }

    /// The automaton of some texts.
    private mutating func exactly(
        _ texts: [String]
    ) throws(AutomatonTooLarge) -> ByteAutomaton {
        let sorted = Set(texts.map { Array($0.utf8) }).sorted { $0.lexicographicallyPrecedes($1) }
        struct Place: Hashable {
            var from: Int, to: Int, depth: Int
        }
        budget.beginAnother()
        return try ByteAutomaton(
            start: Place(from: 0, to: sorted.count, depth: 0), classes: Array(0...255),
            budget: &budget,
            accepts: { sorted[$0.from].count == $0.depth },
            step: { (place, byte, _) in
                func begins(_ i: Int) -> Bool {
                    sorted[i].count > place.depth && sorted[i][place.depth] == UInt8(byte)
                }
                guard let from = (place.from..<place.to).first(where: begins) else { return nil }
                let to = (from..<place.to).first { !begins($0) } ?? place.to
                return Place(from: from, to: to, depth: place.depth + 1)
            })
    }

    // MARK: propertyNames

    /// The schema at the end of a chain of references, of which 16 are followed.
    private func resolved(_ schema: SchemaPart) throws -> SchemaPart {
        var schema = schema
        var left = 16
        while let reference = try schema.text("$ref"), left > 0 {
            schema = try resolve(reference, from: schema)
            left -= 1
        }
        return schema
    }

    /// The names that `propertyNames` lists, if it lists any.
    private func listedNames(_ shape: ObjectShape) throws -> [String]? {
        try listedValues(shape.nameSchemas)?.compactMap(\.string)
    }

    /// The automaton of the names that `propertyNames` allows; nil if it allows any.
    private mutating func nameRule(_ shape: ObjectShape) throws -> ByteAutomaton? {
        var automata: [ByteAutomaton] = []
        for schema in shape.nameSchemas where schema.schema != .bool(true) {
            for keyword in schema.schema.members ?? [] {
                switch keyword.key {
                case "pattern":
                    let pattern = try schema.text("pattern") ?? ""
                    if let automaton = try automaton(
                        pattern: pattern, at: schema, keyword: "propertyNames")
                    {
                        automata.append(automaton)
                    }
                case "format":
                    let name = try schema.text("format") ?? ""
                    if let automaton = TextFormat(rawValue: name)?.automaton {
                        automata.append(automaton)
                    } else {
                        try leave("propertyNames", at: schema)
                    }
                case "minLength", "maxLength": break
                case "type", "enum", "const": break
                default:
                    if !SchemaKeywords.annotations.contains(keyword.key) {
                        try leave("propertyNames", at: schema)
                    }
                }
            }
            let least = try schema.count("minLength") ?? 0
            let most = try schema.count("maxLength")
            if least > 0 || most != nil {
                let lengths = "^[^]{\(least),\(most.map(String.init) ?? "")}$"
                if let automaton = try automaton(
                    pattern: lengths, at: schema, keyword: "propertyNames")
                {
                    automata.append(automaton)
                }
            }
        }
        if automata.isEmpty { return nil }
        guard let rule = try? ByteAutomaton.matching(automata, budget: &budget) else {
            if let schema = shape.nameSchemas.first { try leave("propertyNames", at: schema) }
            return nil
        }
        return rule
    }
}

/// The members of an object, as schemas that hold together describe them.
private struct ObjectShape {
    /// The schemas; the lists below have one entry for each.
    private let parts: [SchemaPart]
    /// By the name's bytes: Swift takes names for equal that differ in the form of an accent.
    private let properties: [[[UInt8]: SchemaPart]]
    /// Members by a pattern of their names.
    private let patternProperties: [[(name: String, part: SchemaPart)]]
    /// Names of members that must be there, as bytes.
    private let required: Set<[UInt8]>
    /// Names of members in the order in which they are written.
    private(set) var names: [String] = []
    /// Patterns of names, each once.
    var patterns: [String] = []
    /// Fewest and most members; nil for any number.
    private(set) var least = 0, most: Int?
    /// Schemas of `propertyNames`, all of which a name must fit.
    var nameSchemas: [SchemaPart] = []
    /// Names that `propertyNames` lists, as bytes; nil if it lists none.
    private var allowed: Set<[UInt8]>?

    init(_ parts: [SchemaPart]) throws {
        self.parts = parts
        let described = try parts.map { try $0.members("properties") }
        properties = described.map { members in
            Dictionary(uniqueKeysWithValues: members.map { (Array($0.name.utf8), $0.part) })
        }
        patternProperties = try parts.map { try $0.members("patternProperties") }
        let wanted = try parts.flatMap { try $0.names("required") }
        required = Set(wanted.map { Array($0.utf8) })
        var seen: Set<[UInt8]> = []
        for name in described.flatMap({ $0.map(\.name) }) + wanted
        where seen.insert(Array(name.utf8)).inserted { names.append(name) }
        for pattern in patternProperties.flatMap({ $0.map(\.name) })
        where !patterns.contains(pattern) { patterns.append(pattern) }
        for part in parts {
            least = max(least, try part.count("minProperties") ?? 0)
            if let count = try part.count("maxProperties") { most = min(most ?? count, count) }
            if let schema = part.part("propertyNames") { nameSchemas.append(schema) }
        }
    }

    /// True if some schema requires the member.
    func isRequired(_ name: String) -> Bool { required.contains(Array(name.utf8)) }

    /// Adds listed names as members of their own: there are no others.
    mutating func takeListedNames(of listed: [String]?) {
        guard let listed else { return }
        let old = Set(names.map { Array($0.utf8) })
        names += listed.filter { !old.contains(Array($0.utf8)) }
        allowed = Set(listed.map { Array($0.utf8) })
    }

    /// True if a member may have the name, where names are listed.
    func allows(_ name: String) -> Bool { allowed?.contains(Array(name.utf8)) ?? true }

    /// True if some schema names a member.
    private var described: Bool { !properties.allSatisfy(\.isEmpty) }

    /// The schema of members that a part does not describe; nil if it says nothing of them.
    private func additional(_ part: SchemaPart) -> SchemaPart? {
        part.part("additionalProperties") ?? part.part("unevaluatedProperties")
    }

    /// The schemas of a member by its name and the patterns that the name matches.
    func schemas(of name: String, matching: Set<String>) -> [SchemaPart] {
        parts.indices.flatMap { i -> [SchemaPart] in
            let own = properties[i][Array(name.utf8)].map { [$0] } ?? []
            let matched = patternProperties[i].filter { matching.contains($0.name) }
            let found = own + matched.map(\.part)
            return found.isEmpty ? additional(parts[i]).map { [$0] } ?? [] : found
        }
    }

    /// The schemas of members that have no name of their own; nil if there are none.
    func others(matching: Set<String>) -> [SchemaPart]? {
        let said = parts.contains { additional($0) != nil }
        let isDescribed = described || !patternProperties.allSatisfy(\.isEmpty)
        guard allowed == nil, !matching.isEmpty || said || !isDescribed else { return nil }
        return parts.indices.flatMap { i -> [SchemaPart] in
            let found = patternProperties[i].filter { matching.contains($0.name) }
            return found.isEmpty ? additional(parts[i]).map { [$0] } ?? [] : found.map(\.part)
        }
    }
}
