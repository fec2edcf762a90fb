import Foundation
import MnemeStore

/// Redaction and screening of memories by the tenant's policy: on the way into the store, and once
/// more on the way into a prompt.
extension MemoryOS {
    /// Score from which a memory is marked as suspicious; it stays in recall, and a prompt says
    /// that it is quoted.
    private static let suspicionThreshold = 0.6
    /// Score from which a memory is quarantined.
    static let quarantineThreshold = 1.0

    /// Redacts an input as the policy asks.
    ///
    /// - Parameters:
    ///   - input: changed in place.
    ///   - policy: what to redact, and whether originals are kept.
    /// - Returns: the input as it was, if something was redacted and the policy keeps originals;
    ///   otherwise nil.
    func redact(_ input: inout MemoryInput, _ policy: MemoryPolicy) -> MemoryInput? {
        let content = Redactor.Content(input.text, input.tags, input.metadata)
        guard let kept = content.redacted(policy.redaction) else { return nil }
        let whole = input
        (input.text, input.tags, input.metadata) = (kept.text, kept.tags, kept.metadata)
        return policy.keepsOriginals ? whole : nil
    }

    /// Takes out of a memory what is not to be kept; an original that was put aside for that very
    /// reason stays as it is.
    static func redact(_ cube: inout MemCube, _ policy: MemoryPolicy) {
        guard cube.provenance.source != Provenance.redaction,
            let kept = Redactor.Content(cube.text, cube.tags, cube.metadata)
                .redacted(policy.redaction)
        else { return }
        cube.text = kept.text
        cube.tags = kept.tags
        cube.metadata = kept.metadata
    }

    /// Screens a memory for injection: from ``suspicionThreshold`` on its signals
    /// are noted, from ``quarantineThreshold`` on it is quarantined.
    ///
    /// A request that has nothing to do with the document that it stands in is quarantined, whatever it says. A memory that
    /// somebody has vouched for is marked and never quarantined, and a policy can ask
    /// for marks only. Marks of an earlier text are removed first.
    func screen(_ cube: inout MemCube, _ policy: MemoryPolicy, isStray: Bool = false) {
        cube.caution = nil
        guard policy.protection != .off else { return }
        var (signals, score) = InjectionGuard.inspect(cube.text)
        if isStray {
            signals.insert(.stray)
            score += GuardSignal.stray.weight
        }
        guard score >= Self.suspicionThreshold else { return }
        cube.caution = signals.map(\.rawValue).sorted()
        if score >= Self.quarantineThreshold, cube.vouchedBy == nil, policy.protection == .hold {
            cube.state = .quarantined
        }
    }

    /// The parts of an input's text: a request that somebody put into a mail or document becomes a part of its own, so that
    /// it is quarantined and the rest is remembered, see ``StrayRequests``.
    ///
    /// What somebody says in a conversation is theirs to ask, and a text that is quarantined as a whole stays one.
    func pieces(of input: MemoryInput, _ policy: MemoryPolicy) -> [StrayRequests.Piece] {
        let whole = [StrayRequests.Piece(text: input.text[...], isStray: false)]
        guard policy.protection == .hold, input.speaker == nil, !input.isTrusted else { return whole }
        let pieces = StrayRequests(analyzer).pieces(of: input.text)
        guard pieces.count > 1, InjectionGuard.inspect(input.text).score < Self.quarantineThreshold else {
            return whole
        }
        return pieces
    }

    /// Memories of one answer that are compared with one another.
    private static let compared = 50

    /// Puts aside what must not reach a prompt though it was let in: by rules of another day, or
    /// since others agree that it is not so.
    ///
    /// Consensus after A-MemGuard (Wei et al. 2025) [254]: what one memory claims or implies is
    /// compared with the others that were recalled with it, see ``Consensus``.
    ///
    /// Memories that contradict others, where too few agree to tell who is right, are passed on and marked, both sides:
    /// to leave one out would be to decide, and a wrong decision is one that nobody sees.
    ///
    /// - Parameter question: what the memories were recalled for; nil compares claims alone.
    func screened(_ memories: [RecalledMemory], _ policy: MemoryPolicy, question: String? = nil) -> (
        passed: [RecalledMemory], quarantined: Int
    ) {
        guard policy.protection == .hold else { return (memories, 0) }
        var passed = memories.filter { item in
            let cube = item.memory
            guard cube.vouchedBy == nil else { return true }
            let (signals, score) = inspections.inspect(cube)
            if score >= Self.quarantineThreshold { return isCovered(cube, by: memories) }
            guard
                !signals.isDisjoint(with: [
                    .redirection, .persistence, .disarming, .concealment, .trigger,
                ]),
                score + GuardSignal.contradictsConsensus.weight >= Self.quarantineThreshold
            else { return true }
            return !Self.contradictsConsensus(cube, from: memories.map(\.memory))
        }
        if let question, passed.count > Consensus.voices {
            let cubes = passed.prefix(Self.compared).map(\.memory)
            let consensus = Consensus(question: Consensus.Question(question, analyzer: analyzer))
            let verdict = consensus.verdict(
                on: cubes.map { inspections.implication(of: $0, analyzer) },
                sparing: Set(cubes.lazy.filter { $0.vouchedBy != nil }.map(\.id)))
            if !verdict.outliers.isEmpty { passed.removeAll { verdict.outliers[$0.memory.id] != nil } }
            for (id, others) in verdict.disputes {
                guard let place = passed.firstIndex(where: { $0.memory.id == id }) else { continue }
                passed[place].disputedBy = others.sorted()
            }
        }
        return (passed, memories.count - passed.count)
    }

    /// True if a memory adds nothing to one beside it that somebody has vouched for.
    private func isCovered(_ cube: MemCube, by others: [RecalledMemory]) -> Bool {
        let implication = inspections.implication(of: cube, analyzer)
        return others.contains {
            $0.memory.vouchedBy != nil && inspections.implication(of: $0.memory, analyzer).covers(implication)
        }
    }

    /// Dissent: a claim of the memory that at least two others contradict, with one voice. Denied
    /// claims do not count as a voice.
    private static func contradictsConsensus(_ cube: MemCube, from others: [MemCube]) -> Bool {
        cube.claims.contains { claim in
            let rivals = others.filter { $0.id != cube.id }.flatMap(\.claims).filter {
                $0.key == claim.key && !$0.isDenied
            }
            return rivals.count > 1 && Set(rivals.map(\.value)).count == 1
                && rivals[0].value != claim.value
        }
    }
}
