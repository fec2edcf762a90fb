import MnemeBase

/// `oneOf`: exactly one choice may fit. It is kept as any of them, which is the same where no value
/// fits two.
extension SchemaCompiler {
    /// References and members that are followed down; deeper ones count as unknown.
    private static let maximumDepth = 4

    /// True if it is plain that no value fits two of the schemas.
    func areDisjoint(_ schemas: [SchemaPart]) -> Bool {
        let known = schemas.map { facts($0.schema, depth: 0) }
        return known.indices.allSatisfy { i in
            known[..<i].allSatisfy { $0.excludes(known[i]) }
        }
    }

    /// Facts that a schema states without a choice. `anyOf` is not looked into, so that what is
    /// found is true of every value, but may not be all that is true.
    private func facts(_ schema: OrderedJSON, depth: Int) -> SchemaFacts {
        var facts = SchemaFacts()
        guard depth < Self.maximumDepth else { return facts }
        if schema == .bool(false) { facts.values = [] }
        let whole = SchemaPart(schema: schema, path: "")
        if let reference = schema["$ref"]?.string,
            let target = try? resolve(reference, from: whole)
        {
            facts.add(self.facts(target.schema, depth: depth + 1))
        }
        for part in schema["allOf"]?.elements ?? [] { facts.add(self.facts(part, depth: depth + 1)) }
        var own = SchemaFacts()
        own.types = (try? SchemaTypes([whole])).map { Set($0.names) }
        if let values = try? listedValues([whole]) { own.values = Set(values.map(\.text)) }
        own.required = Set((schema["required"]?.elements ?? []).compactMap(\.string))
        for property in schema["properties"]?.members ?? [] {
            own.properties[property.key] = self.facts(property.value, depth: depth + 1)
        }
        if schema["additionalProperties"] == .bool(false), schema["patternProperties"] == nil {
            own.isClosed = true
        }
        facts.add(own)
        return facts
    }
}

/// Facts about the values of a schema, each true of every value that fits.
private struct SchemaFacts {
    /// The types that a value may have; nil if any.
    var types: Set<String>?
    /// Texts of the listed values; nil if none are listed.
    var values: Set<String>?
    /// Names of members that are always there.
    var required: Set<String> = []
    /// Facts about members, where they are there.
    var properties: [String: SchemaFacts] = [:]
    /// True if no member but those of `properties` may be there.
    var isClosed = false

    /// Takes what another schema says of the same value.
    mutating func add(_ other: SchemaFacts) {
        if let own = other.types { types = types.map { $0.intersection(own) } ?? own }
        if let own = other.values { values = values.map { $0.intersection(own) } ?? own }
        required.formUnion(other.required)
        for (name, facts) in other.properties { properties[name, default: .init()].add(facts) }
        isClosed = isClosed || other.isClosed
    }

    /// True if no value fits both, as far as is plain.
    func excludes(_ other: SchemaFacts) -> Bool {
        if let a = values, let b = other.values { return a.isDisjoint(with: b) }
        if let a = types, let b = other.types, Self.apart(a, b) { return true }
        guard types == ["object"] || other.types == ["object"] else { return false }
        return excludesMembers(other) || other.excludesMembers(self)
    }

    /// Whole numbers are numbers.
    private static func apart(_ a: Set<String>, _ b: Set<String>) -> Bool {
        func wide(_ types: Set<String>) -> Set<String> {
            types.contains("number") ? types.union(["integer"]) : types
        }
        return wide(a).isDisjoint(with: wide(b))
    }

    /// True if a required member is not allowed by the other, or has no value that fits both.
    private func excludesMembers(_ other: SchemaFacts) -> Bool {
        required.contains { name in
            guard let theirs = other.properties[name] else { return other.isClosed }
            return properties[name].map { $0.excludes(theirs) } ?? false
        }
    }
}
