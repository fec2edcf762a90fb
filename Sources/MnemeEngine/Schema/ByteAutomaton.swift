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

    /// States that follow a state by some byte of a range.
    func targets(_ state: Int32, _ bytes: ClosedRange<UInt8>) -> Set<Int32> {
        var targets: Set<Int32> = []
        for byte in bytes {
            let next = step(state, byte)
            if next >= 0 { targets.insert(next) }
        }
        return targets
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
        var ids: [State: Int32] = [start: 0], states = [start], table: [Int32] = []
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
        let useful = Self.useful(width: width, table: table, accepting: accepting)
        var numbers = [Int32](repeating: -1, count: accepting.count), kept: [Int] = []
        // Without a useful start no text fits.
        if useful.first == true {
            for state in accepting.indices where useful[state] {
                numbers[state] = Int32(kept.count)
                kept.append(state)
            }
        }
        self.classes = classes
        classCount = width
        self.accepting = kept.map { accepting[$0] }
        next = kept.flatMap { state in
            table[state * width..<(state + 1) * width].map { $0 < 0 ? -1 : numbers[Int($0)] }
        }
    }

    /// Which states lead to an accepting one.
    private static func useful(width: Int, table: [Int32], accepting: [Bool]) -> [Bool] {
        var before = [[Int32]](repeating: [], count: accepting.count)
        for (place, target) in table.enumerated() where target >= 0 {
            let source = Int32(place / width)
            if before[Int(target)].last != source { before[Int(target)].append(source) }
        }
        var useful = accepting, open = accepting.indices.filter { accepting[$0] }
        while let state = open.popLast() {
            for source in before[state] where !useful[Int(source)] {
                useful[Int(source)] = true
                open.append(Int(source))
            }
        }
        return useful
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
        var known: [[UInt8]: UInt8] = [:], examples: [UInt8] = []
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

/// How many steps the building of a schema's automata may still take. A schema that needs more is
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
