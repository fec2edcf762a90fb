/// A deterministic automaton over bytes: which texts fit, and how a text may go on.
///
/// Every state leads to an accepting one, so a text that was taken can always be finished. Bytes
/// that no state tells apart share a class, and a class is one column of the table.
struct ByteAutomaton: Sendable {
    /// The class of each byte.
    private let classes: [UInt8]
    /// Columns of the table.
    private let classCount: Int
    /// The state behind a state and a class; -1 if there is none.
    private let next: [Int32]
    /// True if a text may end in a state.
    private let accepting: [Bool]
    /// Bytes of the shortest text from each state to an accepting one.
    private let remaining: [Int32]

    /// The state before the first byte.
    static let start: Int32 = 0

    /// The number of states; 0 if no text fits.
    var count: Int { accepting.count }
    /// True if no text fits.
    var isEmpty: Bool { accepting.isEmpty }

    /// The state behind a byte, -1 if the byte does not fit.
    func step(_ state: Int32, _ byte: UInt8) -> Int32 {
        next[Int(state) * classCount + Int(classes[Int(byte)])]
    }

    /// True if a text may end in a state.
    func accepts(_ state: Int32) -> Bool { accepting[Int(state)] }

    /// True if a whole text fits.
    func accepts(_ text: some Sequence<UInt8>) -> Bool {
        guard !isEmpty else { return false }
        var state = Self.start
        for byte in text {
            state = step(state, byte)
            if state < 0 { return false }
        }
        return accepts(state)
    }

    /// Bytes of the shortest end of a text that stands in a state.
    func remaining(_ state: Int32) -> Int { Int(remaining[Int(state)]) }

    /// The shortest end of a text that stands in a state.
    func shortestEnd(_ state: Int32) -> [UInt8] {
        var text: [UInt8] = []
        var state = state
        while remaining(state) > 0 {
            // Some byte leads closer, or there were no such distance.
            guard
                let byte = Self.preferred.first(where: {
                    let next = step(state, $0)
                    return next >= 0 && remaining(next) < remaining(state)
                })
            else { break }
            text.append(byte)
            state = step(state, byte)
        }
        return text
    }

    /// All bytes, digits and letters first: of equal texts, the one that people would write.
    static let preferred: [UInt8] =
        Array(0x30...0x39) + Array(0x61...0x7a) + Array(0x41...0x5a)
        + (0...255).filter { byte in
            !(0x30...0x39 ~= byte || 0x61...0x7a ~= byte || 0x41...0x5a ~= byte)
        }

    /// The least weight of a text from each state to an accepting one (Dijkstra's algorithm, by
    /// buckets as weights are small).
    ///
    /// - Parameter weight: of each byte, 1 to 8.
    func distances(_ weight: (UInt8) -> Int) -> [Int32] {
        var weights = [Int](repeating: .max, count: classCount)
        for byte in 0...255 {
            let column = Int(classes[byte])
            weights[column] = min(weights[column], weight(UInt8(byte)))
        }
        return Self.distances(next, accepting, weights)
    }

    /// The least weight of a way from each state to an accepting one; -1 if there is none.
    ///
    /// - Parameter weights: of each column of the table.
    private static func distances(_ table: [Int32], _ accepting: [Bool], _ weights: [Int]) -> [Int32] {
        let width = weights.count
        var before = [[(source: Int32, weight: Int)]](repeating: [], count: accepting.count)
        for (place, target) in table.enumerated() where target >= 0 {
            before[Int(target)].append((Int32(place / width), weights[place % width]))
        }
        var distances = [Int32](repeating: -1, count: accepting.count)
        var buckets = [accepting.indices.filter { accepting[$0] }]
        var distance = 0
        while distance < buckets.count {
            for state in buckets[distance] where distances[state] < 0 {
                distances[state] = Int32(distance)
                for (source, weight) in before[state] where distances[Int(source)] < 0 {
                    while buckets.count <= distance + weight { buckets.append([]) }
                    buckets[distance + weight].append(Int(source))
                }
            }
            buckets[distance] = []
            distance += 1
        }
        return distances
    }

    /// States that follow a state by some byte of a range.
    func targets(_ state: Int32, _ bytes: ClosedRange<UInt8>) -> Set<Int32> {
        var targets: Set<Int32> = []
        for byte in bytes {
            let next = step(state, byte)
            if next >= 0 { targets.insert(next) }
        }
        return targets
    }

    /// The same for each of some states.
    func targets(in states: Range<Int32>, _ bytes: ClosedRange<UInt8>) -> [[Int32]] {
        states.map { Array(targets($0, bytes)) }
    }

    /// Explores an automaton that is given by its rules.
    ///
    /// - Parameters:
    ///   - classes: the class of each byte; bytes of one class must be alike to `step`.
    ///   - budget: transitions that may still be made, over all automata of one schema.
    ///   - step: the state behind a state and a class, nil if there is none.
    /// - Throws: ``AutomatonTooLarge``.
    init<State: Hashable>(
        start: State, classes: [UInt8], budget: inout AutomatonBudget,
        accepts: (State) -> Bool,
        step: (State, Int, inout AutomatonBudget) throws(AutomatonTooLarge) -> State?
    ) throws(AutomatonTooLarge) {
        let width = Int(classes.max() ?? 0) + 1
        var ids: [State: Int32] = [start: 0]
        var states = [start]
        var table: [Int32] = []
        var place = 0
        while place < states.count {
            for column in 0..<width {
                try budget.spend()
                guard let target = try step(states[place], column, &budget) else {
                    table.append(-1)
                    continue
                }
                if let id = ids[target] {
                    table.append(id)
                } else {
                    let id = Int32(states.count)
                    ids[target] = id
                    states.append(target)
                    table.append(id)
                }
            }
            place += 1
        }
        self.init(classes: classes, width: width, table: table, accepting: states.map(accepts))
    }

    /// Leaves out states that lead nowhere and numbers the others anew.
    private init(classes: [UInt8], width: Int, table: [Int32], accepting: [Bool]) {
        let distances = Self.distances(table, accepting, [Int](repeating: 1, count: width))
        var numbers = [Int32](repeating: -1, count: accepting.count)
        var kept: [Int] = []
        // Without a useful start no text fits.
        if distances.first ?? -1 >= 0 {
            for state in accepting.indices where distances[state] >= 0 {
                numbers[state] = Int32(kept.count)
                kept.append(state)
            }
        }
        self.classes = classes
        classCount = width
        self.accepting = kept.map { accepting[$0] }
        remaining = kept.map { distances[$0] }
        next = kept.flatMap { state in
            table[state * width..<(state + 1) * width].map { $0 < 0 ? -1 : numbers[Int($0)] }
        }
    }
}

extension ByteAutomaton {
    /// The texts that fit some automata and do not fit others.
    ///
    /// - Parameter excluded: automata whose texts are left out; what is left out is taken from
    ///   what fits `required`, of which there must be at least one.
    /// - Throws: ``AutomatonTooLarge``.
    static func matching(
        _ required: [ByteAutomaton], excluding excluded: [ByteAutomaton] = [],
        budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) -> ByteAutomaton {
        if required.count == 1, excluded.isEmpty { return required[0] }
        budget.beginAnother()
        let all = required + excluded
        let (classes, examples) = commonClasses(all.map(\.classes))
        return try ByteAutomaton(
            start: all.map { $0.isEmpty ? -1 : start }, classes: classes, budget: &budget,
            accepts: { states in
                zip(all.indices, states).allSatisfy { i, state in
                    (state >= 0 && all[i].accepts(state)) == (i < required.count)
                }
            },
            step: { states, column, _ in
                var next = states
                for i in all.indices where states[i] >= 0 {
                    next[i] = all[i].step(states[i], examples[column])
                }
                return next[..<required.count].contains { $0 < 0 } ? nil : next
            })
    }

    /// Classes that are no coarser than any of the given, and a byte of each.
    private static func commonClasses(_ given: [[UInt8]]) -> ([UInt8], examples: [UInt8]) {
        var known: [[UInt8]: UInt8] = [:]
        var examples: [UInt8] = []
        let classes = (0...255).map { byte -> UInt8 in
            let key = given.map { $0[byte] }
            if let number = known[key] { return number }
            let number = UInt8(examples.count)
            known[key] = number
            examples.append(UInt8(byte))
            return number
        }
        return (classes, examples)
    }
}

/// The steps that the building of a schema's automata may still take. A schema that needs more is
/// hostile, or asks for what cannot be kept in memory.
struct AutomatonBudget {
    private var left: Int
    /// Steps left for the automaton that is built now, so that one does not take them all.
    private var leftForOne: Int

    /// Steps of one automaton.
    private static let most = 1_000_000

    /// - Parameter steps: transitions and states that all automata of a schema may take together.
    init(_ steps: Int) {
        left = steps
        leftForOne = min(steps, Self.most)
    }

    /// Another automaton begins.
    mutating func beginAnother() { leftForOne = min(left, Self.most) }

    /// Takes steps off the budget.
    ///
    /// - Throws: ``AutomatonTooLarge`` if so many are not left.
    mutating func spend(_ steps: Int = 1) throws(AutomatonTooLarge) {
        guard steps <= leftForOne else { throw AutomatonTooLarge() }
        left -= steps
        leftForOne -= steps
    }
}

/// An automaton would take more steps to build than ``AutomatonBudget`` allows.
struct AutomatonTooLarge: Error {}
