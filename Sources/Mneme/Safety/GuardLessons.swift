import MnemeStore

/// What an owner's decisions teach (A-MemGuard, Wei et al. 2025): quarantined memories are failures
/// that happened, released ones are false alarms. The next similar one is judged by them.
///
/// Lessons are the memories themselves: erasing one erases its lesson.
struct GuardLessons: Sendable {
    /// Memories in quarantine.
    private let attacks: [Implication]
    /// Memories that somebody has released.
    private let released: [Implication]
    /// From this share of common words on, what implies the same is the same attack.
    private static let leastSimilarity = 0.5
    /// Lessons of each kind that are read: the latest.
    static let limit = 256

    /// A lesson on a memory.
    enum Verdict: Equatable {
        /// It is like an attack.
        case attack
        /// It says nothing that somebody has not vouched for.
        case honest
    }

    /// Lessons of some memories.
    init(attacks: [Implication], released: [Implication]) {
        (self.attacks, self.released) = (attacks, released)
    }

    /// What the lessons say of a memory; nil if nothing.
    ///
    /// A released one counts only for what adds no word, value, place or signal to it, so that
    /// nobody gets past the guard by adding to what was released.
    func verdict(on memory: Implication) -> Verdict? {
        if released.contains(where: { $0.covers(memory) }) { return .honest }
        let strong = memory.strongSignals
        guard !strong.isEmpty else { return nil }
        let isAttack = attacks.contains { attack in
            !attack.strongSignals.isDisjoint(with: strong)
                && attack.similarity(to: memory) >= Self.leastSimilarity
        }
        return isAttack ? .attack : nil
    }
}

extension Implication {
    /// The signals that can make an outlier, by both sets of rules.
    var strongSignals: GuardSignals {
        signals.subtracting(.weak).union(implied).intersection(Self.strong)
    }

    private static let strong = ImpliedRules.weights.reduce(GuardSignals()) {
        $1.isStrong ? $0.union(GuardSignals($1.signal)) : $0
    }.union([GuardSignals(.override), GuardSignals(.tool), GuardSignals(.concealment), GuardSignals(.persistence)])
}

extension MemoryOS {
    /// The lessons of an owner's memories.
    ///
    /// - Complexity: reads ``GuardLessons/limit`` quarantined memories; of released ones those among
    ///   `candidates`.
    func lessons(of owner: Owner, among candidates: [CubeID]) throws -> GuardLessons {
        var filter = CubeFilter(owner: owner, limit: GuardLessons.limit)
        filter.state = .quarantined
        let released = try store.cubes(candidates, owner: owner, by: .mneme).filter { $0.vouchedBy != nil }
        func read(_ cubes: [MemCube]) -> [Implication] { cubes.map { inspections.implication(of: $0, analyzer) } }
        return GuardLessons(attacks: read(try store.list(filter, by: .mneme)), released: read(released))
    }

    /// Judges a draft by lessons: like an attack it is quarantined, and what adds nothing to a
    /// memory that somebody has vouched for is let in, and recalled beside that one.
    ///
    /// Most drafts show no strong signal, and cost no look-up.
    func judgeByLessons(_ cube: inout MemCube, neighbours: [CubeID], of owner: Owner) throws {
        let implication = Implication(cube, analyzer: analyzer)
        guard cube.vouchedBy == nil, cube.state == .quarantined || !implication.strongSignals.isEmpty
        else { return }
        switch try lessons(of: owner, among: neighbours).verdict(on: implication) {
        case .attack where cube.state == .activated:
            cube.state = .quarantined
            cube.caution = Set((cube.caution ?? []) + [GuardSignal.similarToQuarantined.rawValue]).sorted()
        case .honest where cube.state == .quarantined: cube.state = .activated
        default: break
        }
    }
}
