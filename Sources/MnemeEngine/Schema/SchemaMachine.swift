/// Follows a text through a grammar, byte by byte, along all parses at once, and remembers each step
/// that it once made: a grammar's states are few, and texts return to them.
///
/// A stack holds what is open in one parse; stacks share their lower parts. A configuration is the set of
/// stacks at one place of a text. Both are kept once and named by a number.
struct SchemaMachine: Sendable {
    /// An open element at one level of nesting.
    private enum Frame: Sendable, Hashable {
        /// A node's value, of which nothing is written yet.
        case value(Int)
        /// Literals of a list that begin with what was written: so many bytes.
        case literal(list: Int, from: Int, to: Int, depth: Int)
        /// A number: one of the grammar's automata, and its state.
        case number(Int, state: Int32)
        /// Before the opening quote.
        case quote(Int)
        /// A string behind its opening quote: one of the grammar's texts, and the place in it.
        case text(Int, TextRule.Progress)
        /// The next property, and how many members there are as far as it matters.
        case object(Int, next: Int, count: Int)
        /// A name must follow.
        case member(Int, next: Int, count: Int)
        /// An open array: its number of elements as far as it matters, and the distinct ones.
        case list(Int, count: Int, used: UInt64)
        /// The colon behind a member's name.
        case colon
        /// One blank may stand here.
        case blank
    }

    /// A stack of open elements as a linked list, so that stacks with the same lower part share it.
    private struct Stack: Sendable, Hashable {
        /// The innermost open element.
        var top: Frame
        /// The stack below; -1 if there is none.
        var rest: Int32
        /// Objects and arrays in it.
        var height: Int32
    }

    private let grammar: SchemaGrammar
    /// All stacks met so far; a stack's number is its index.
    private var stacks: [Stack] = []
    /// Numbers of the stacks: equal stacks are kept once.
    private var stackIDs: [Stack: Int32] = [:]
    /// All configurations met so far, each the sorted numbers of its stacks.
    private var configurations: [[Int32]] = []
    /// Numbers of the configurations: equal ones are kept once, so that ``steps`` finds them again.
    private var configurationIDs: [[Int32]: Int32] = [:]
    /// Bytes of each stack's shortest end; -1 if nobody asked.
    private var ends: [Int] = []
    /// For each configuration and byte what follows; ``unknown`` if nobody asked.
    private var steps: [Int32] = []

    /// The dead configuration: no parse goes on.
    static let dead: Int32 = -1
    /// Entry of ``steps`` that was not computed yet.
    private static let unknown: Int32 = -2
    /// The empty stack: the text is complete.
    private static let done: Int32 = -1
    /// Ways that are followed at once. Each alone can be finished, so those beyond are left out.
    private static let maximumStacks = 1024
    /// Configurations whose steps are remembered; 16 MB.
    private static let maximumSteps = 1 << 14

    /// The configuration before the first byte.
    private(set) var start: Int32 = 0

    /// The number of configurations met.
    var count: Int { configurations.count }

    /// - Parameter grammar: a pruned grammar (``SchemaGrammar/prune()``).
    init(_ grammar: SchemaGrammar) {
        self.grammar = grammar
        start = keep([push(.value(grammar.root), on: Self.done)])
    }

    /// True if a text may end here.
    func isComplete(_ configuration: Int32) -> Bool {
        configuration >= 0
            && configurations[Int(configuration)].contains { id in
                guard id >= 0 else { return true }
                guard case .number(let i, let state) = stacks[Int(id)].top else { return false }
                return stacks[Int(id)].rest < 0 && grammar.automata[i].accepts(state)
            }
    }

    /// True if a string is open that may go on with a character of its own.
    func isInString(_ configuration: Int32) -> Bool {
        configuration >= 0
            && configurations[Int(configuration)].contains { id in
                guard id >= 0, case .text(let i, let position) = stacks[Int(id)].top else { return false }
                return grammar.texts[i].isOpen(position)
            }
    }

    /// The most characters of a string that may come next, of any kind; nil if anything else may
    /// come, or not every character.
    func room(_ configuration: Int32) -> Int? {
        guard configuration >= 0 else { return nil }
        var most = 0
        for id in configurations[Int(configuration)] {
            guard id >= 0, case .text(let i, let place) = stacks[Int(id)].top,
                let room = grammar.texts[i].room(place)
            else { return nil }
            most = max(most, room)
        }
        return most
    }

    /// The configuration behind a byte; ``dead`` if it does not fit.
    mutating func step(_ configuration: Int32, _ byte: UInt8) -> Int32 {
        let position = Int(configuration) << 8 | Int(byte)
        if position < steps.count, steps[position] != Self.unknown { return steps[position] }
        var next: [Int32] = []
        for stack in configurations[Int(configuration)] { feed(stack, byte, &next) }
        let result = next.isEmpty ? Self.dead : keep(next.sorted())
        if Int(configuration) < Self.maximumSteps {
            if position >= steps.count {
                let missing = (Int(configuration) + 1) << 8 - steps.count
                steps += [Int32](repeating: Self.unknown, count: missing)
            }
            steps[position] = result
        }
        return result
    }

    /// The number of a configuration, a new one if it was not met before.
    private mutating func keep(_ stacks: [Int32]) -> Int32 {
        if let id = configurationIDs[stacks] { return id }
        let id = Int32(configurations.count)
        configurations.append(stacks)
        configurationIDs[stacks] = id
        return id
    }

    /// The number of the stack with one more element on top.
    private mutating func push(_ top: Frame, on rest: Int32) -> Int32 {
        var height = rest < 0 ? 0 : stacks[Int(rest)].height
        switch top {
        case .object, .list: height += 1
        default: break
        }
        let stack = Stack(top: top, rest: rest, height: height)
        if let id = stackIDs[stack] { return id }
        let id = Int32(stacks.count)
        stacks.append(stack)
        ends.append(-1)
        stackIDs[stack] = id
        return id
    }

    /// Objects and arrays that are open in a stack.
    private func height(_ stack: Int32) -> Int { stack < 0 ? 0 : Int(stacks[Int(stack)].height) }

    // MARK: The shortest end

    /// Bytes of the shortest text that completes a configuration.
    mutating func bytesToEnd(_ configuration: Int32) -> Int {
        guard configuration >= 0 else { return SchemaGrammar.endless }
        var least = SchemaGrammar.endless
        for stack in configurations[Int(configuration)] { least = min(least, bytes(stack)) }
        return least
    }

    /// The shortest text that completes a configuration; nil if it is too long to be kept in mind.
    mutating func shortestEnd(_ configuration: Int32) -> [UInt8]? {
        guard bytesToEnd(configuration) < SchemaGrammar.endless else { return nil }
        var stack = configurations[Int(configuration)].min { bytes($0) < bytes($1) } ?? Self.done
        var text: [UInt8] = []
        while stack >= 0 {
            text += grammar.text(parts(stacks[Int(stack)].top) ?? [])
            stack = stacks[Int(stack)].rest
        }
        return text
    }

    /// Bytes of a stack's shortest end, kept for when it is asked for again.
    private mutating func bytes(_ stack: Int32) -> Int {
        guard stack >= 0 else { return 0 }
        if ends[Int(stack)] < 0 {
            let rest = bytes(stacks[Int(stack)].rest)
            ends[Int(stack)] = min(
                SchemaGrammar.endless, rest + grammar.bytes(parts(stacks[Int(stack)].top)))
        }
        return ends[Int(stack)]
    }

    /// The rest of an open element.
    private func parts(_ frame: Frame) -> [SchemaGrammar.Part]? {
        switch frame {
        case .value(let node): [.node(node)]
        case .literal(let list, let from, let to, let depth):
            grammar.literals[list][from..<to].min { $0.count < $1.count }
                .map { [.bytes(Array($0.dropFirst(depth)))] }
        case .number(let i, let state): [.number(i, state)]
        case .quote(let i): [.string("\""), .text(i, TextRule.Progress()), .string("\"")]
        case .text(let i, let position): [.text(i, position), .string("\"")]
        case .object(let i, let next, let count):
            grammar.end(ofObject: i, next: next, count: count)
        case .member(let i, let next, let count):
            grammar.end(ofObject: i, next: next, count: count, isMember: true)
        case .list(let i, let count, let used): grammar.end(ofList: i, count: count, used: used)
        case .colon: [.string(":")]
        case .blank: []
        }
    }

    // MARK: One stack, one byte

    /// Adds the stacks that one stack leads to.
    private mutating func feed(_ id: Int32, _ byte: UInt8, _ out: inout [Int32]) {
        guard id >= 0, out.count < Self.maximumStacks else { return }
        let stack = stacks[Int(id)]
        let rest = stack.rest
        switch stack.top {
        case .value(let node):
            for choice in grammar.alternatives[node] { begin(choice, byte, rest, &out) }
        case .literal(let list, let from, let to, let depth):
            literal(list, from..<to, depth, byte, rest, &out)
        case .number(let i, let state):
            let next = grammar.automata[i].step(state, byte)
            if next >= 0 {
                add(push(.number(i, state: next), on: rest), &out)
            } else if grammar.automata[i].accepts(state) {
                // A number ends where something else begins.
                feed(rest, byte, &out)
            }
        case .quote(let i):
            guard byte == UInt8(ascii: "\"") else { return }
            add(push(.text(i, TextRule.Progress()), on: rest), &out)
        case .text(let i, let position):
            if byte == UInt8(ascii: "\""), grammar.texts[i].mayEnd(position) { add(rest, &out) }
            if let next = grammar.texts[i].step(position, byte) {
                add(push(.text(i, next), on: rest), &out)
            }
        case .object(let i, let next, let count): object(i, next, count, byte, rest, &out)
        case .member(let i, let next, let count):
            for name in names(i, next, count, on: rest) { feed(name, byte, &out) }
        case .list(let i, let count, let used): list(i, count, used, byte, rest, &out)
        case .colon: if byte == UInt8(ascii: ":") { add(rest, &out) }
        case .blank:
            if byte == UInt8(ascii: " ") { add(rest, &out) } else { feed(rest, byte, &out) }
        }
    }

    /// Adds a stack once. The list stays below ``maximumStacks``, so a linear search does.
    private func add(_ stack: Int32, _ out: inout [Int32]) {
        if !out.contains(stack) { out.append(stack) }
    }

    /// The first byte of a value.
    private mutating func begin(_ node: Int, _ byte: UInt8, _ rest: Int32, _ out: inout [Int32]) {
        switch grammar.nodes[node] {
        case .pending, .nothing, .choice: break
        case .literal(let list, let range): literal(list, range, 0, byte, rest, &out)
        case .number(let i):
            let next = grammar.automata[i].step(ByteAutomaton.start, byte)
            if next >= 0 { add(push(.number(i, state: next), on: rest), &out) }
        case .text(let i):
            guard byte == UInt8(ascii: "\"") else { return }
            add(push(.text(i, TextRule.Progress()), on: rest), &out)
        case .object(let i):
            guard byte == UInt8(ascii: "{"), grammar.fits(node, below: height(rest)) else { return }
            add(push(.object(i, next: 0, count: 0), on: rest), &out)
        case .list(let i):
            guard byte == UInt8(ascii: "["), grammar.fits(node, below: height(rest)) else { return }
            add(push(.list(i, count: 0, used: 0), on: rest), &out)
        }
    }

    /// Goes on with those of sorted literals that have the byte at `depth`.
    private mutating func literal(
        _ list: Int, _ range: Range<Int>, _ depth: Int, _ byte: UInt8, _ rest: Int32,
        _ out: inout [Int32]
    ) {
        let texts = grammar.literals[list]
        let from = range.first { texts[$0].count > depth && texts[$0][depth] >= byte }
        guard var from, texts[from][depth] == byte else { return }
        let to = (from..<range.upperBound).first { texts[$0][depth] != byte } ?? range.upperBound
        // Sorted, the literal that ends here comes first.
        if texts[from].count == depth + 1 {
            add(rest, &out)
            from += 1
        }
        guard from < to else { return }
        add(push(.literal(list: list, from: from, to: to, depth: depth + 1), on: rest), &out)
    }

    // MARK: Objects and arrays

    /// An object's brace or comma, or the first byte of its first name. Properties come in the
    /// schema's order, so that a frame holds one index and not a set.
    private mutating func object(
        _ i: Int, _ next: Int, _ count: Int, _ byte: UInt8, _ rest: Int32, _ out: inout [Int32]
    ) {
        let rule = grammar.objects[i]
        if byte == UInt8(ascii: "}") {
            if rule.requiredFrom[next] == 0, count >= rule.least { add(rest, &out) }
        } else if count == 0, next == 0 {
            for name in names(i, next, count, on: rest) { feed(name, byte, &out) }
        } else if byte == UInt8(ascii: ","), !names(i, next, count, on: rest).isEmpty {
            add(push(.blank, on: push(.member(i, next: next, count: count), on: rest)), &out)
        }
    }

    /// The stacks on which the next member's name may come: only such that the object can be
    /// finished behind it.
    private mutating func names(_ i: Int, _ next: Int, _ count: Int, on rest: Int32) -> [Int32] {
        let rule = grammar.objects[i]
        let inside = height(rest) + 1
        let most = rule.most ?? .max
        let now = rule.most == nil ? min(count + 1, max(rule.least, 1)) : count + 1
        var stacks: [Int32] = []
        func value(_ node: Int, next: Int) -> Int32 {
            let object = push(.object(i, next: next, count: now), on: rest)
            return push(.blank, on: push(.value(node), on: object))
        }
        for position in next..<rule.properties.count {
            let property = rule.properties[position]
            let behind = rule.requiredFrom[position + 1]
            let canGrow =
                !rule.others.isEmpty
                || count + 1 + rule.properties.count - position - 1 >= rule.least
            if count + 1 + behind <= most, canGrow,
                grammar.fits(property.node, below: inside)
            {
                let name = Frame.literal(list: rule.names, from: position, to: position + 1, depth: 0)
                stacks.append(push(name, on: value(property.node, next: position + 1)))
            }
            if property.isRequired { return stacks }
        }
        guard count < most else { return stacks }
        for other in rule.others where grammar.fits(other.node, below: inside) {
            let behind = value(other.node, next: rule.properties.count)
            stacks.append(push(.quote(other.name), on: push(.colon, on: behind)))
        }
        return stacks
    }

    /// An array's bracket or comma, or the first byte of its first element.
    private mutating func list(
        _ i: Int, _ count: Int, _ used: UInt64, _ byte: UInt8, _ rest: Int32, _ out: inout [Int32]
    ) {
        let rule = grammar.lists[i]
        let inside = height(rest) + 1
        if byte == UInt8(ascii: "]") {
            if count >= rule.least { add(rest, &out) }
            return
        }
        guard count < rule.most ?? .max else { return }
        let isFirst = count == 0
        guard isFirst || byte == UInt8(ascii: ",") else { return }
        let now = rule.most == nil ? min(count + 1, max(rule.least, rule.first.count, 1)) : count + 1
        var elements: [(node: Int, used: UInt64)] = []
        if let distinct = rule.distinct {
            elements = distinct.indices.filter { used >> UInt64($0) & 1 == 0 }.map {
                (distinct[$0], used | 1 << UInt64($0))
            }
        } else if let node = count < rule.first.count ? rule.first[count] : rule.rest {
            elements = [(node, 0)]
        }
        for element in elements where grammar.fits(element.node, below: inside) {
            let list = push(.list(i, count: now, used: element.used), on: rest)
            let value = push(.value(element.node), on: list)
            if isFirst { feed(value, byte, &out) } else { add(push(.blank, on: value), &out) }
        }
    }
}
