import Foundation
import MnemeStore

/// What a text has to pass before it is kept, as the tenant's policy has it.
extension MemoryOS {
    /// The least that is worth a mark.
    private static let marked = 0.6
    /// From here on a text is held.
    static let held = 1.0

    /// Takes out of an input what is not to be kept.
    ///
    /// - Returns: the input as it was, if something was taken out and the policy keeps that.
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

    /// Looks whether a cube's text wants to steer who reads it, marks it and holds it.
    func screen(_ cube: inout MemCube, _ policy: MemoryPolicy) {
        cube.caution = nil
        guard policy.protection != .off else { return }
        let (signals, score) = InjectionGuard.inspect(cube.text)
        guard score >= Self.marked else { return }
        cube.caution = signals.map(\.rawValue).sorted()
        if score >= Self.held, cube.vouchedBy == nil, policy.protection == .hold {
            cube.state = .quarantined
        }
    }

    /// Puts aside what must not reach a prompt though it was let in: by rules of another day, or
    /// since others agree that it is not so.
    ///
    /// Consensus after A-MemGuard (Wei et al. 2025) [254], by what memories claim: one that shows
    /// signs and says otherwise than the others that were recalled with it is left out.
    func screened(_ memories: [RecalledMemory], _ policy: MemoryPolicy) -> (
        passed: [RecalledMemory], held: Int
    ) {
        guard policy.protection == .hold else { return (memories, 0) }
        let passed = memories.filter { item in
            let cube = item.memory
            guard cube.vouchedBy == nil else { return true }
            let (signals, score) = inspections.inspect(cube)
            if score >= Self.held { return false }
            guard
                !signals.isDisjoint(with: [
                    .redirection, .persistence, .disarming, .concealment, .trigger,
                ]),
                score + GuardSignal.dissent.weight >= Self.held
            else { return true }
            return !Self.dissents(cube, from: memories.map(\.memory))
        }
        return (passed, memories.count - passed.count)
    }

    /// Whether two or more others claim something else, and agree.
    private static func dissents(_ cube: MemCube, from others: [MemCube]) -> Bool {
        cube.claims.contains { claim in
            let rivals = others.filter { $0.id != cube.id }.flatMap(\.claims).filter {
                $0.key == claim.key && !$0.isDenied
            }
            return rivals.count > 1 && Set(rivals.map(\.value)).count == 1
                && rivals[0].value != claim.value
        }
    }
}
