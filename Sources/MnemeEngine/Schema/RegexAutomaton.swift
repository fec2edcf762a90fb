extension ByteAutomaton {
    /// Texts in which a pattern is found, as `pattern` of a JSON schema means it: anywhere, unless
    /// the pattern has anchors.
    ///
    /// - Throws: ``RegexFault``, ``AutomatonTooLarge``.
    init(pattern: String, budget: inout AutomatonBudget) throws {
        budget.beginAnother()
        let syntax = try RegexParser.parse(pattern)
        try self.init(RegexNetwork(searching: syntax, budget: &budget), budget: &budget)
    }

    /// Follows all ways through a network at once (the subset construction).
    private init(
        _ network: RegexNetwork, budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) {
        let (classes, examples) = network.classes
        let begin = try network.closure([network.begin], atStart: true, &budget)
        var accepting: [[Int32]: Bool] = [:]
        try self.init(
            start: begin, classes: classes, budget: &budget,
            accepts: { states in
                if let known = accepting[states] { return known }
                let accepts = network.ends(states, atStart: states == begin)
                accepting[states] = accepts
                return accepts
            },
            step: { (states, column, budget) throws(AutomatonTooLarge) in
                try budget.spend(states.count / 4)
                let targets = network.targets(states, examples[column])
                guard !targets.isEmpty else { return nil }
                return try network.closure(targets, atStart: false, &budget)
            })
    }
}

/// A nondeterministic automaton over bytes (Thompson 1968), with edges for the text's beginning and
/// end.
private struct RegexNetwork {
    /// A transition over one byte of a range.
    private struct Edge {
        var bytes: ClosedRange<UInt8>
        var target: Int32
    }
    /// A state with its transitions over bytes and its empty ones.
    private struct State {
        var edges: [Edge] = []
        /// The states that it leads to without a byte: always, only at the beginning, only at the
        /// end.
        var free: [Int32] = [], atStart: [Int32] = [], atEnd: [Int32] = []
    }

    /// All states; a state's number is its index.
    private var states: [State] = []
    /// The state before the text's first byte.
    private(set) var begin: Int32 = 0
    /// The state behind what was found, in which every text fits.
    private var final: Int32 = 0

    /// - Throws: ``AutomatonTooLarge``.
    init(searching syntax: RegexSyntax, budget: inout AutomatonBudget) throws(AutomatonTooLarge) {
        // Anything may stand behind what was found.
        final = try add(&budget)
        try loop(final, &budget)
        let found = try build(syntax, before: final, &budget)
        let behind = try add(&budget)
        states[Int(behind)].free = [found]
        try loop(behind, &budget)
        begin = behind
        // `^` holds at the text's first byte only: what was skipped is skipped by another state.
        let first = try add(&budget)
        states[Int(first)].free = [found]
        states[Int(first)].edges = states[Int(behind)].edges
        begin = first
    }

    /// A new state without transitions.
    private mutating func add(_ budget: inout AutomatonBudget) throws(AutomatonTooLarge) -> Int32 {
        try budget.spend()
        states.append(State())
        return Int32(states.count - 1)
    }

    /// Lets a state read any scalar and come back to itself.
    private mutating func loop(
        _ state: Int32, _ budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) {
        let entry = try set(.all, before: state, &budget)
        states[Int(state)].edges += states[Int(entry)].edges
    }

    /// Adds states that read `syntax` and lead to `target`; returns the first.
    private mutating func build(
        _ syntax: RegexSyntax, before target: Int32, _ budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) -> Int32 {
        switch syntax {
        case .set(let scalars): return try set(scalars, before: target, &budget)
        case .sequence(let terms):
            var next = target
            for term in terms.reversed() { next = try build(term, before: next, &budget) }
            return next
        case .choice(let branches):
            let state = try add(&budget)
            for branch in branches {
                states[Int(state)].free.append(try build(branch, before: target, &budget))
            }
            return state
        case .start:
            let state = try add(&budget)
            states[Int(state)].atStart = [target]
            return state
        case .end:
            let state = try add(&budget)
            states[Int(state)].atEnd = [target]
            return state
        case .repeated(let inner, let least, let most):
            var next = target
            if let most {
                for _ in least..<most {
                    let state = try add(&budget)
                    states[Int(state)].free = [try build(inner, before: next, &budget), target]
                    next = state
                }
            } else {
                let state = try add(&budget)
                states[Int(state)].free = [try build(inner, before: state, &budget), target]
                next = state
            }
            for _ in 0..<least { next = try build(inner, before: next, &budget) }
            return next
        }
    }

    /// Adds states that read one scalar of a set as UTF-8 and lead to `target`; returns the first.
    ///
    /// Sequences that end alike share the states of their ends, which keeps large sets such as
    /// `\p{L}` small.
    private mutating func set(
        _ scalars: ScalarSet, before target: Int32, _ budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) -> Int32 {
        struct Suffix: Hashable {
            var bytes: ClosedRange<UInt8>
            var target: Int32
        }
        let first = try add(&budget)
        // Many scalars end with the same bytes.
        var known: [Suffix: Int32] = [:]
        for sequence in scalars.byteSequences {
            var next = target
            for bytes in sequence.dropFirst().reversed() {
                let suffix = Suffix(bytes: bytes, target: next)
                if let state = known[suffix] {
                    next = state
                } else {
                    let state = try add(&budget)
                    states[Int(state)].edges = [Edge(bytes: bytes, target: next)]
                    known[suffix] = state
                    next = state
                }
            }
            if let bytes = sequence.first {
                states[Int(first)].edges.append(Edge(bytes: bytes, target: next))
            }
        }
        return first
    }

    // MARK: Following it

    /// The class of each byte, and a byte of each class.
    var classes: ([UInt8], examples: [UInt8]) {
        var begins = [Bool](repeating: false, count: 257)
        begins[0] = true
        for edge in states.flatMap(\.edges) {
            begins[Int(edge.bytes.lowerBound)] = true
            begins[Int(edge.bytes.upperBound) + 1] = true
        }
        var classes: [UInt8] = []
        var examples: [UInt8] = []
        for byte in 0..<256 {
            if begins[byte] { examples.append(UInt8(byte)) }
            classes.append(UInt8(examples.count - 1))
        }
        return (classes, examples)
    }

    /// States that are reached by one byte, before empty transitions; may hold one twice.
    func targets(_ from: [Int32], _ byte: UInt8) -> [Int32] {
        from.flatMap { state in
            states[Int(state)].edges.lazy.filter { $0.bytes.contains(byte) }.map(\.target)
        }
    }

    /// All states that are reached without a byte, sorted. Where the pattern was found all texts
    /// fit, whatever else is still followed.
    func closure(
        _ from: [Int32], atStart: Bool, _ budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) -> [Int32] {
        var seen = Set(from)
        var open = from
        while let state = open.popLast() {
            try budget.spend()
            let more = states[Int(state)].free + (atStart ? states[Int(state)].atStart : [])
            for target in more where seen.insert(target).inserted { open.append(target) }
        }
        return seen.contains(final) ? [final] : seen.sorted()
    }

    /// True if a text may end here.
    func ends(_ from: [Int32], atStart: Bool) -> Bool {
        var seen = Set(from)
        var open = from
        while let state = open.popLast() {
            if state == final { return true }
            let s = states[Int(state)]
            for target in s.free + s.atEnd + (atStart ? s.atStart : [])
            where seen.insert(target).inserted { open.append(target) }
        }
        return false
    }
}
