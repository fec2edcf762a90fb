/// A compiled schema: which values fit, as nodes that refer to each other by number.
///
/// Every value that a node allows can be written to its end: what nothing satisfies was left out
/// (``SchemaGrammar/prune()``).
struct SchemaGrammar: Sendable {
    /// One rule of the grammar. Numbers refer to lists of the grammar, those of `choice` to nodes.
    enum Node: Sendable {
        /// Not compiled yet.
        case pending
        /// No value fits, and why.
        case nothing(String)
        /// One of ``literals``' lists, from a place to another.
        case literal(list: Int, Range<Int>)
        /// A number: one of ``automata``.
        case number(Int)
        /// A string: one of ``texts``.
        case text(Int)
        /// An object: one of ``objects``.
        case object(Int)
        /// An array: one of ``lists``.
        case list(Int)
        /// Any of these nodes.
        case choice([Int])
    }

    /// An object's members: those with names in their order, behind them others.
    struct ObjectRule: Sendable {
        /// A member with a name of its own: its value's node.
        struct Property: Sendable {
            var node: Int
            var isRequired: Bool
        }
        /// Members in the order in which they are written; those that are not required can be left
        /// out.
        var properties: [Property]
        /// One of ``literals``' lists: each property's name as JSON, with its colon.
        var names: Int
        /// Members that have no name of their own: a rule for the name (one of ``texts``), and the
        /// value.
        var others: [(name: Int, node: Int)]
        var least: Int
        var most: Int?
        /// The number of required properties at a position or behind it; as long as `properties`
        /// and one more.
        var requiredFrom: [Int] = []
    }

    /// An array's elements: the first ones each with a node of its own, then others.
    struct ListRule: Sendable {
        /// Nodes of the first elements, as `prefixItems` lists them.
        var first: [Int]
        /// nil if nothing may follow.
        var rest: Int?
        var least: Int
        var most: Int?
        /// Nodes of one value each, none of which may stand there twice; `first` is empty then.
        var distinct: [Int]?
    }

    /// The rules; a node's number is its index here.
    var nodes: [Node] = []
    /// Values as they are written; each list is sorted if more than one of it is followed at once.
    var literals: [[[UInt8]]] = []
    /// Numbers' automata, over the bytes of their texts.
    var automata: [ByteAutomaton] = []
    /// Rules of strings, for values and for names of members.
    var texts: [TextRule] = []
    /// Rules of objects that nodes refer to.
    var objects: [ObjectRule] = []
    /// Rules of arrays that nodes refer to.
    var lists: [ListRule] = []
    /// The node of the whole answer.
    var root = 0

    /// Nodes to which each node reduces: no choices, and nothing that no value satisfies.
    private(set) var alternatives: [[Int]] = []
    /// The least nesting depth of objects and arrays in a node's value.
    private(set) var heights: [Int] = []
    /// Bytes of each node's shortest value.
    var shortest: [Int] = []

    /// Objects and arrays inside of each other that a value may have.
    static let maximumHeight = 100

    /// True if a node's value fits inside of so many objects and arrays.
    func fits(_ node: Int, below height: Int) -> Bool {
        heights[node] <= Self.maximumHeight - height
    }
}

// MARK: - What can be satisfied

extension SchemaGrammar {
    /// No value of finite height.
    private static let never = Int.max

    /// Finds out which nodes have a value, leaves out what has none, and reduces choices to what
    /// they come down to.
    ///
    /// - Complexity: O(nodes · ``maximumHeight``).
    mutating func prune() {
        heights = [Int](repeating: Self.never, count: nodes.count)
        // Each round knows values that are higher by one; choices hand them on in between.
        var changes = true
        while changes {
            changes = false
            for node in nodes.indices {
                let height = height(node)
                if height < heights[node], height <= Self.maximumHeight {
                    heights[node] = height
                    changes = true
                }
            }
        }
        for i in objects.indices { pruneObject(i) }
        for i in lists.indices { pruneList(i) }
        alternatives = nodes.indices.map { flattened($0) }
        measure()
    }

    /// The height of a node's lowest value, as far as the heights found so far tell.
    private func height(_ node: Int) -> Int {
        switch nodes[node] {
        case .pending, .nothing: return Self.never
        case .literal(_, let range): return range.isEmpty ? Self.never : 0
        case .number(let i): return automata[i].isEmpty ? Self.never : 0
        case .text(let i): return texts[i].isEmpty ? Self.never : 0
        case .choice(let nodes): return nodes.map { heights[$0] }.min() ?? Self.never
        case .object(let i): return Self.above(height(of: objects[i]))
        case .list(let i): return Self.above(height(of: lists[i]))
        }
    }

    /// One level more, unless there is no value.
    private static func above(_ height: Int) -> Int { height == never ? never : height + 1 }

    /// The lowest value of an object: its required members, and as many others as it must have.
    private func height(of object: ObjectRule) -> Int {
        let required = object.properties.filter(\.isRequired).map { heights[$0.node] }
        let missing = object.least - required.count
        guard required.count <= object.most ?? .max else { return Self.never }
        guard missing > 0 else { return required.max() ?? 0 }
        guard object.least <= object.most ?? .max else { return Self.never }
        let others = object.others.filter { !texts[$0.name].isEmpty }.map { heights[$0.node] }.min()
        let optional = object.properties.filter { !$0.isRequired }.map { heights[$0.node] }.sorted()
        var added = Array(optional.prefix(missing)).map { min($0, others ?? Self.never) }
        if added.count < missing { added.append(others ?? Self.never) }
        return max(required.max() ?? 0, added.max() ?? 0)
    }

    /// The lowest value of an array: the elements that it must have.
    private func height(of list: ListRule) -> Int {
        guard list.least <= list.most ?? .max else { return Self.never }
        if let distinct = list.distinct { return distinct.count < list.least ? Self.never : 0 }
        var elements = list.first.prefix(list.least).map { heights[$0] }
        if list.least > list.first.count {
            elements.append(list.rest.map { heights[$0] } ?? Self.never)
        }
        return elements.max() ?? 0
    }

    /// Drops optional members without a value, and counts the required ones behind each place.
    private mutating func pruneObject(_ i: Int) {
        var object = objects[i]
        let kept = object.properties.indices.filter { place in
            let property = object.properties[place]
            return property.isRequired || heights[property.node] != Self.never
        }
        literals[object.names] = kept.map { literals[object.names][$0] }
        object.properties = kept.map { object.properties[$0] }
        object.others.removeAll { heights[$0.node] == Self.never || texts[$0.name].isEmpty }
        var behind = [0]
        for property in object.properties.reversed() {
            behind.append(behind[behind.count - 1] + (property.isRequired ? 1 : 0))
        }
        object.requiredFrom = behind.reversed()
        objects[i] = object
    }

    /// Ends an array before the first element without a value, and tightens its longest length.
    private mutating func pruneList(_ i: Int) {
        var list = lists[i]
        if let end = list.first.firstIndex(where: { heights[$0] == Self.never }) {
            list.first.removeLast(list.first.count - end)
            list.rest = nil
        }
        if let rest = list.rest, heights[rest] == Self.never { list.rest = nil }
        if let distinct = list.distinct { list.most = min(list.most ?? .max, distinct.count) }
        if list.rest == nil, list.distinct == nil {
            list.most = min(list.most ?? .max, list.first.count)
        }
        lists[i] = list
    }

    /// Follows choices within choices to nodes that are none, each once; a choice that holds itself
    /// ends there.
    private func flattened(_ node: Int) -> [Int] {
        var found: [Int] = []
        var seen: Set<Int> = [node]
        var open = [node]
        while let next = open.popLast() {
            guard heights[next] != Self.never else { continue }
            guard case .choice(let nodes) = self.nodes[next] else {
                found.append(next)
                continue
            }
            for choice in nodes.reversed() where seen.insert(choice).inserted { open.append(choice) }
        }
        return found
    }

    /// The reason for which a node has no value: the one furthest down, nil if none is known.
    func reason(_ node: Int) -> String? {
        var seen: Set<Int> = []
        return reason(node, &seen)
    }

    /// Depth-first search for a node whose reason is known; `seen` ends cycles.
    private func reason(_ node: Int, _ seen: inout Set<Int>) -> String? {
        guard seen.insert(node).inserted, heights[node] == Self.never else { return nil }
        let below: [Int]
        switch nodes[node] {
        case .nothing(let why): return why
        case .choice(let nodes): below = nodes
        case .object(let i): below = objects[i].properties.filter(\.isRequired).map(\.node)
        case .list(let i): below = lists[i].first + (lists[i].rest.map { [$0] } ?? [])
        default: return nil
        }
        for node in below {
            if let why = reason(node, &seen) { return why }
        }
        return nil
    }
}
