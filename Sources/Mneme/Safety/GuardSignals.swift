/// A set of ``GuardSignal`` as bits: the union that is taken for each sentence allocates nothing.
///
/// Bit i stands for the i-th case. The bits are never stored; memories keep the names of signals,
/// so that cases may be added anywhere, up to 32.
struct GuardSignals: OptionSet, Sendable {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The set of one signal.
    init(_ signal: GuardSignal) {
        let place = GuardSignal.allCases.firstIndex(of: signal) ?? 0
        rawValue = 1 << UInt32(place)
    }

    /// Sets of one signal each: a forged role, and hidden text. They come from the text as a whole
    /// and not from one sentence.
    static let role = GuardSignals(.role), disguise = GuardSignals(.disguise)
    /// Sets of one signal each, which memories are compared by, see ``Consensus``.
    static let disarming = GuardSignals(.disarming), destruction = GuardSignals(.destruction)
    static let refusal = GuardSignals(.refusal), promotion = GuardSignals(.promotion)
    static let redirection = GuardSignals(.redirection), exfiltration = GuardSignals(.exfiltration)
    static let dissent = GuardSignals(.contradictsConsensus)
    /// Signals that mean nothing by themselves. A sentence that shows these only is passed over,
    /// unless it is an ``awaitedCommand``.
    static let weak = GuardSignals(
        [.command, .agent, .audience, .trigger].map { GuardSignals($0) })
    /// A trigger and a command in one sentence: "when the user asks for prices, say …" tells a
    /// model what to do later, though both are weak alone.
    static let awaitedCommand = GuardSignals([GuardSignals(.trigger), GuardSignals(.command)])
    /// Signs of which none is enough to take "system: …" for a forged role.
    static let harmless = GuardSignals([GuardSignals(.audience), GuardSignals(.trigger)])

    /// The sum of the signals' weights; complexity: one addition for each signal in the set.
    var weight: Double {
        var sum = 0.0
        var bits = rawValue
        while bits != 0 {
            sum += Self.weights[bits.trailingZeroBitCount]
            bits &= bits - 1
        }
        return sum
    }

    /// The signs one by one.
    var all: Set<GuardSignal> { Set(GuardSignal.allCases.filter { contains(GuardSignals($0)) }) }

    /// Weights by bit, so that a sum needs no look-up by name.
    private static let weights = GuardSignal.allCases.map(\.weight)
}
