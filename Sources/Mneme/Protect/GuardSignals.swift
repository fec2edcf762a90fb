/// Several signs as bits, so that to add them up for each sentence allocates nothing.
struct GuardSignals: OptionSet, Sendable {
    let rawValue: UInt16

    init(rawValue: UInt16) { self.rawValue = rawValue }

    init(_ signal: GuardSignal) {
        let place = GuardSignal.allCases.firstIndex(of: signal) ?? 0
        rawValue = 1 << UInt16(place)
    }

    static let role = GuardSignals(.role), disguise = GuardSignals(.disguise)
    /// Signs that mean nothing by themselves.
    static let weak = GuardSignals(
        [.command, .agent, .audience, .trigger].map { GuardSignals($0) })
    /// What makes somebody wait to be told what to do.
    static let awaitedCommand = GuardSignals([GuardSignals(.trigger), GuardSignals(.command)])
    /// Signs of which none is enough to take "system: …" for a forged role.
    static let harmless = GuardSignals([GuardSignals(.audience), GuardSignals(.trigger)])

    /// What the signs count together.
    var weight: Double {
        var sum = 0.0, bits = rawValue
        while bits != 0 {
            sum += Self.weights[bits.trailingZeroBitCount]
            bits &= bits - 1
        }
        return sum
    }

    /// The signs one by one.
    var all: Set<GuardSignal> { Set(GuardSignal.allCases.filter { contains(GuardSignals($0)) }) }

    private static let weights = GuardSignal.allCases.map(\.weight)
}
