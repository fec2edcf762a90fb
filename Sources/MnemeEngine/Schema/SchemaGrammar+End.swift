/// The shortest values, and the shortest ends of values that are begun: what must still be written
/// when an answer's last tokens come.
extension SchemaGrammar {
    /// A piece of a shortest text.
    enum Part {
        case bytes([UInt8])
        /// A node's shortest value.
        case node(Int)
        /// A number from a state of one of ``automata``.
        case number(Int, Int32)
        /// The rest of one of ``texts`` up to the closing quote.
        case text(Int, TextRule.Progress)

        static func string(_ text: String) -> Part { .bytes(Array(text.utf8)) }
    }

    /// Bytes of a value that no answer needs to have room for.
    static let endless = 1 << 20
    /// Elements and members of a shortest value; those with more count as ``endless``.
    private static let maximumParts = 4096

    /// Bytes of a piece.
    func bytes(_ part: Part) -> Int {
        switch part {
        case .bytes(let bytes): bytes.count
        case .node(let node): shortest[node]
        case .number(let i, let state): automata[i].remaining(state)
        case .text(let i, let place): texts[i].bytesToEnd(place)
        }
    }

    /// Bytes of pieces together; ``endless`` if there are more, or no pieces.
    func bytes(_ parts: [Part]?) -> Int {
        guard let parts else { return Self.endless }
        var sum = 0
        for part in parts {
            sum += min(bytes(part), Self.endless)
            if sum >= Self.endless { return Self.endless }
        }
        return sum
    }

    /// The text of pieces, each shorter than ``endless``.
    func text(_ parts: [Part]) -> [UInt8] {
        parts.flatMap { part -> [UInt8] in
            switch part {
            case .bytes(let bytes): bytes
            case .node(let node):
                // Each holds less than what holds it, so this comes to an end.
                alternatives[node].compactMap { self.parts(of: $0) }
                    .min { self.bytes($0) < self.bytes($1) }.map { text($0) } ?? []
            case .number(let i, let state): automata[i].shortestEnd(state)
            case .text(let i, let place): texts[i].shortestEnd(place)
            }
        }
    }

    /// Finds each node's shortest value, round by round: each round knows values that are made of
    /// those of the last.
    mutating func measure() {
        shortest = [Int](repeating: Self.endless, count: nodes.count)
        var changes = true
        var rounds = 0
        while changes, rounds <= Self.maximumHeight {
            changes = false
            rounds += 1
            for node in nodes.indices {
                let length = bytes(parts(of: node))
                if length < shortest[node] {
                    shortest[node] = length
                    changes = true
                }
            }
        }
    }

    /// The pieces of a node's shortest value; nil if there is none.
    private func parts(of node: Int) -> [Part]? {
        switch nodes[node] {
        case .pending, .nothing: return nil
        case .literal(let list, let range):
            return literals[list][range].min { $0.count < $1.count }.map { [.bytes($0)] }
        case .number(let i):
            return automata[i].isEmpty ? nil : [.number(i, ByteAutomaton.start)]
        case .text(let i):
            return texts[i].isEmpty
                ? nil : [.string("\""), .text(i, TextRule.Progress()), .string("\"")]
        case .object(let i): return end(ofObject: i).map { [.string("{")] + $0 }
        case .list(let i): return end(ofList: i).map { [.string("[")] + $0 }
        case .choice(let nodes):
            return nodes.min { shortest[$0] < shortest[$1] }.map { [.node($0)] }
        }
    }

    /// The rest of an object: members that it must have, and its bracket.
    ///
    /// - Parameters:
    ///   - next: the next property that may come.
    ///   - count: members that there are.
    ///   - isMember: a comma was written, so that at least one member follows.
    func end(ofObject i: Int, next: Int = 0, count: Int = 0, isMember: Bool = false) -> [Part]? {
        let rule = objects[i]
        let names = literals[rule.names]
        func member(_ place: Int) -> [Part] {
            [.bytes(names[place]), .node(rule.properties[place].node)]
        }
        let places = next..<rule.properties.count
        var chosen = places.filter { rule.properties[$0].isRequired }
        var missing = max(rule.least - count, isMember ? 1 : 0) - chosen.count
        var members: [[Part]] = []
        if missing > 0 {
            let other = rule.others.map { other -> [Part] in
                [
                    .string("\""), .text(other.name, TextRule.Progress()), .string("\":"),
                    .node(other.node),
                ]
            }.min { bytes($0) < bytes($1) }
            let optional = places.filter { !rule.properties[$0].isRequired }
                .map { (place: $0, bytes: bytes(member($0))) }.sorted { $0.bytes < $1.bytes }
            for candidate in optional.prefix(missing) where candidate.bytes <= bytes(other) {
                chosen.append(candidate.place)
                missing -= 1
            }
            guard missing <= Self.maximumParts else { return nil }
            if missing > 0 {
                guard let other else { return nil }
                members = [[Part]](repeating: other, count: missing)
            }
        }
        members = chosen.sorted().map(member) + members
        return separated(members, isFirst: count == 0 || isMember) + [.string("}")]
    }

    /// The rest of an array: elements that it must have, and its bracket.
    ///
    /// - Parameters:
    ///   - count: elements that there are.
    ///   - used: of distinct ones, those that are there, a bit for each.
    func end(ofList i: Int, count: Int = 0, used: UInt64 = 0) -> [Part]? {
        let rule = lists[i]
        let missing = max(0, rule.least - count)
        guard missing <= Self.maximumParts else { return nil }
        var elements: [Int] = []
        if let distinct = rule.distinct {
            elements = Array(
                distinct.indices.filter { used >> UInt64($0) & 1 == 0 }.map { distinct[$0] }
                    .sorted { shortest[$0] < shortest[$1] }.prefix(missing))
        } else {
            for place in count..<count + missing {
                guard let node = place < rule.first.count ? rule.first[place] : rule.rest
                else { return nil }
                elements.append(node)
            }
        }
        return separated(elements.map { [.node($0)] }, isFirst: count == 0) + [.string("]")]
    }

    /// Members or elements with commas between them.
    private func separated(_ members: [[Part]], isFirst: Bool) -> [Part] {
        members.enumerated().flatMap { i, parts in
            (i == 0 && isFirst ? [] : [.string(",")]) + parts
        }
    }
}
