import MnemeStore

/// What an owner's decisions teach (A-MemGuard, Wei et al. 2025): quarantined memories are failures
/// that happened, released ones are false alarms. The next similar one is judged by them.
///
/// Of a mail that was injected into, only what it does not share with honest mails of the same template teaches: the
/// template's words and signals are theirs as well.
///
/// Lessons are the memories themselves: erasing one erases its lesson.
struct GuardLessons: Sendable {
    /// Memories in quarantine.
    private let attacks: [Implication]
    /// Memories that somebody has released.
    private let released: [Implication]
    /// Memories in use beside the one that is judged, released ones among them.
    private let honest: [Implication]
    /// From this share of common words on, what implies the same is the same attack.
    private static let leastSimilarity = 0.5
    /// From this share of common words on, a memory in use is a copy of the attack that got through, and no honest sibling.
    private static let copySimilarity = 0.9
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
    init(attacks: [Implication], released: [Implication], honest: [Implication]) {
        (self.attacks, self.released, self.honest) = (attacks, released, honest)
    }

    /// What the lessons say of a memory; nil if nothing.
    ///
    /// A released one counts only for what adds no word, value, place or signal to it, so that
    /// nobody gets past the guard by adding to what was released.
    ///
    /// - Complexity: O(lessons · neighbours) for a memory with a strong signal.
    func verdict(on memory: Implication) -> Verdict? {
        if released.contains(where: { $0.covers(memory) }) { return .honest }
        guard !memory.strongSignals.isEmpty else { return nil }
        return attacks.contains { isLike(memory, $0) } ? .attack : nil
    }

    /// True if a memory is like an attack in what the attack's honest siblings do not say.
    private func isLike(_ memory: Implication, _ attack: Implication) -> Bool {
        let siblings = siblings(of: attack, besides: memory)
        let customary = siblings.reduce(GuardSignals()) { $0.union($1.strongSignals) }
        let strong = memory.strongSignals
        guard !attack.strongSignals.isDisjoint(with: strong) else { return false }
        let template = siblings.reduce(into: Set<String>()) { $0.formUnion($1.terms) }
        let lesson = attack.terms.subtracting(template)
        let own = memory.terms.subtracting(template)
        // An attack that says nothing else than its siblings teaches by its signals alone.
        if lesson.isEmpty { return !attack.strongSignals.subtracting(customary).isDisjoint(with: strong) }
        let shared = Double(lesson.intersection(own).count)
        return 2 * shared >= Self.leastSimilarity * Double(lesson.count + own.count)
    }

    /// Memories in use that are made like an attack, were there before it, or were released: mails of its template.
    private func siblings(of attack: Implication, besides memory: Implication) -> [Implication] {
        honest.filter { other in
            guard other.id != memory.id, other.id != attack.id else { return false }
            let similarity = attack.similarity(to: other)
            let isKnown = other.recorded < attack.recorded || released.contains { $0.id == other.id }
            return isKnown && similarity >= Self.leastSimilarity && similarity < Self.copySimilarity
        }
    }
}

extension Implication {
    /// The signals that can make an outlier, by both sets of rules.
    var strongSignals: GuardSignals { Self.strong(among: signals, implied) }

    /// True for a memory that lessons are asked about: quarantined, or with a strong signal, and nobody
    /// vouches for it.
    static func isJudged(_ cube: MemCube) -> Bool {
        cube.vouchedBy == nil && (cube.state == .quarantined || !strongSignals(in: cube.text).isEmpty)
    }

    /// As ``strongSignals`` of a memory with this text, without all else that it implies.
    private static func strongSignals(in text: String) -> GuardSignals {
        let (signals, implied) = signals(in: String(text.prefix(longestText)))
        return strong(among: signals, implied)
    }

    private static func strong(among signals: GuardSignals, _ implied: GuardSignals) -> GuardSignals {
        signals.subtracting(.weak).union(implied).intersection(strongOnes)
    }

    private static let strongOnes = ImpliedRules.weights.reduce(GuardSignals()) {
        $1.isStrong ? $0.union(GuardSignals($1.signal)) : $0
    }.union([GuardSignals(.override), GuardSignals(.tool), GuardSignals(.concealment), GuardSignals(.persistence)])
}

extension MemoryOS {
    /// The lessons of an owner's memories.
    ///
    /// - Parameter candidates: memories like the one that is judged: of those in use and of released ones only these count.
    /// - Complexity: reads ``GuardLessons/limit`` quarantined memories, and the candidates.
    func lessons(of owner: Owner, among candidates: [CubeID]) throws -> GuardLessons {
        var filter = CubeFilter(owner: owner, limit: GuardLessons.limit)
        filter.state = .quarantined
        let known = try store.cubes(candidates, owner: owner, by: .mneme)
        let likeness = GuardSignal.similarToQuarantined.rawValue
        func read(_ cubes: [MemCube]) -> [Implication] { cubes.map { inspections.implication(of: $0, analyzer) } }
        return GuardLessons(
            // What is quarantined for its likeness alone teaches nothing that the first one does not.
            attacks: read(try store.list(filter, by: .mneme).filter { $0.caution?.contains(likeness) != true }),
            released: read(known.filter { $0.vouchedBy != nil }),
            honest: read(known.filter { $0.state.isRecallable }))
    }

    /// Judges a draft by lessons: like an attack it is quarantined, and what adds nothing to a
    /// memory that somebody has vouched for is let in, and recalled beside that one.
    ///
    /// Most drafts show no strong signal, and cost no look-up.
    func judgeByLessons(_ cube: inout MemCube, neighbours: [CubeID], of owner: Owner) throws {
        guard Implication.isJudged(cube) else { return }
        let implication = Implication(cube, analyzer: analyzer)
        switch try lessons(of: owner, among: neighbours).verdict(on: implication) {
        case .attack where cube.state == .activated:
            cube.state = .quarantined
            cube.caution = Set((cube.caution ?? []) + [GuardSignal.similarToQuarantined.rawValue]).sorted()
        case .honest where cube.state == .quarantined: cube.state = .activated
        default: break
        }
    }
}
