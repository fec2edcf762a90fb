import MnemeKV

/// Evicts blocks that were used least often (LFU); of equals those that rest longer.
struct LeastFrequentlyUsed: Evictor {
    /// It has no settings.
    init() {}
    /// The number of uses, and a fraction for the idle time.
    func value(_ candidate: EvictionCandidate) -> Double {
        Double(candidate.uses) + 1 / (2 + max(0, candidate.idle))
    }
}
