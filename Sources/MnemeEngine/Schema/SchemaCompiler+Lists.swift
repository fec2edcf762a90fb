import MnemeBase

/// Compiles schemas of arrays.
extension SchemaCompiler {
    /// Largest `minItems` that is taken.
    private static let maximumElements = 1 << 24

    /// An array that keeps what all parts say of its elements and their number.
    mutating func list(_ parts: [SchemaPart]) throws -> Int {
        var least = 0
        var most: Int?
        var isUnique = false
        var shapes: [ListShape] = []
        for part in parts {
            least = max(least, try part.count("minItems") ?? 0)
            if let count = try part.count("maxItems") { most = min(most ?? count, count) }
            isUnique = try part.flag("uniqueItems") || isUnique
            shapes.append(try ListShape(part))
        }
        // No array of so many is ever written.
        guard least <= Self.maximumElements else {
            throw parts[0].fault("asks for an array that is too long to write")
        }
        let first = try (0..<(shapes.map(\.first.count).max() ?? 0)).map { index in
            try compile(shapes.compactMap { $0.element(index) })
        }
        let rest = try compile(shapes.compactMap(\.rest))
        var rule = SchemaGrammar.ListRule(first: first, rest: rest, least: least, most: most)
        if isUnique, most ?? .max > 1 {
            rule.distinct = first.isEmpty ? distinct(rest) : nil
            if rule.distinct == nil { try leave("uniqueItems", at: parts[0]) }
        }
        guard least <= most ?? .max, least <= rule.distinct?.count ?? .max else {
            return add(.nothing("\(Self.name(parts[0])) bounds the elements in contradiction"))
        }
        grammar.lists.append(rule)
        return add(.list(grammar.lists.count - 1))
    }

    /// A node for each value of a node that has few; nil if it has many.
    private mutating func distinct(_ node: Int) -> [Int]? {
        guard let values = literalValues(node, following: []) else { return nil }
        return values.map { list, index in add(.literal(list: list, index..<index + 1)) }
    }

    /// Places of a node's values among the literals, each value once; nil if there are more than
    /// the 64 that a frame's bit set tells apart, or if they are not listed.
    private func literalValues(_ node: Int, following: Set<Int>) -> [(list: Int, index: Int)]? {
        var found: [(list: Int, index: Int)] = []
        switch grammar.nodes[node] {
        case .literal(let list, let range): found = range.map { (list, $0) }
        case .choice(let nodes) where !following.contains(node):
            for choice in nodes {
                guard let values = literalValues(choice, following: following.union([node])) else {
                    return nil
                }
                found += values
            }
        default: return nil
        }
        // The same value may be offered by several choices.
        var seen: Set<[UInt8]> = []
        found = found.filter { seen.insert(grammar.literals[$0.list][$0.index]).inserted }
        return found.count <= UInt64.bitWidth ? found : nil
    }
}

/// The elements of an array, as one schema describes them: the first ones by place, then the
/// others.
private struct ListShape {
    /// Schemas of the first elements, by place.
    var first: [SchemaPart] = []
    /// The schema of further elements; nil if any may follow.
    var rest: SchemaPart?

    /// Reads `prefixItems` and `items`, and before draft 2020-12 a list of `items` and
    /// `additionalItems`.
    init(_ part: SchemaPart) throws {
        if part["items"]?.elements != nil {
            first = part["items"]?.elements == [] ? [] : try part.parts("items")
            rest = part.part("additionalItems") ?? part.part("unevaluatedItems")
        } else {
            first = part["prefixItems"]?.elements == [] ? [] : try part.parts("prefixItems")
            rest = part.part("items") ?? part.part("unevaluatedItems")
        }
    }

    /// The schema of one element; nil if any value will do.
    func element(_ index: Int) -> SchemaPart? { index < first.count ? first[index] : rest }
}
