package import Foundation
package import MnemeCube
import MnemeStore

extension MemoryOS {
    /// Related memories that one is compared with.
    private static let guardRelatives = 20

    /// Compares an owner's memories with their relatives, and quarantines outliers and what is like
    /// an attack, see ``Consensus`` and ``GuardLessons``. Memories that show no sign cost one reading.
    ///
    /// Each is looked at with the relatives that recall finds for its own text, by words and by
    /// dense similarity. A memory that somebody changed meanwhile is left for the next run.
    ///
    /// - Parameters:
    ///   - isDry: counts only.
    ///   - now: the time of the changes in the journal.
    /// - Returns: what was done, in words.
    /// - Throws: `StoreError`, `ModelError`, `CancellationError` between two memories.
    package func guardMemories(of owner: Owner, isDry: Bool, now: Date) async throws -> String {
        let policy = try await run { [store] in try store.policy(of: owner.tenant) }
        guard policy.protection == .hold else { return "the policy holds nothing" }
        let caller = Caller(
            Caller.mneme.principal, operation: "guard", reason: "contradicts consensus", time: now)
        var filter = CubeFilter(owner: owner, limit: 256)
        filter.state = .activated
        var pages = CubePages(filter, by: .mneme)
        var looked = 0
        var held = 0
        while let page = try await pages.next(from: self) {
            for cube in page where cube.isPlaintext && cube.vouchedBy == nil {
                try Task.checkCancellation()
                let implication = inspections.implication(of: cube, analyzer)
                guard !implication.strongSignals.isEmpty || !implication.places.isEmpty else { continue }
                looked += 1
                guard let signals = try await dissent(of: cube, implication, owner, now: now) else { continue }
                held += 1
                if !isDry { try await quarantine(cube, signals, owner: owner, by: caller) }
            }
        }
        return "\(held) of \(looked) with signs \(isDry ? "would be quarantined" : "quarantined")"
    }

    /// The signals by which a memory is an outlier among its relatives or like an attack; nil if it
    /// is neither.
    private func dissent(of cube: MemCube, _ implication: Implication, _ owner: Owner, now: Date)
        async throws -> GuardSignals?
    {
        var request = RecallRequest(
            String(cube.text.prefix(2_000)), owner: owner, limit: Self.guardRelatives)
        request.now = now
        guard implication.words.count > 2 else { return nil }
        let related = try await recall(request, by: .mneme).memories.map(\.memory)
        return try await run { [self] in
            let lessons = try lessons(of: owner, among: related.map(\.id))
            switch lessons.verdict(on: implication) {
            case .attack: return GuardSignals(.similarToQuarantined).union(implication.strongSignals)
            case .honest: return nil
            case nil: break
            }
            let others = related.filter { $0.id != cube.id }
            let trusted = Set(others.lazy.filter { $0.vouchedBy != nil }.map(\.id))
            let among = others.map { inspections.implication(of: $0, analyzer) }
            return Consensus(question: nil).verdict(on: among + [implication], sparing: trusted).outliers[cube.id]
        }
    }

    /// Quarantines a memory and says why.
    private func quarantine(_ cube: MemCube, _ signals: GuardSignals, owner: Owner, by caller: Caller)
        async throws
    {
        do {
            _ = try await run { [self] in
                var cube = cube
                let (analysis, hash) = try describe(&cube)
                cube.state = .quarantined
                cube.caution = Set((cube.caution ?? []) + signals.all.map(\.rawValue)).sorted()
                return try store.commit(
                    [.update(cube, analysis: analysis, contentHash: hash)], owner: owner, by: caller)
            }
        } catch let error as StoreError where error.code == .notFound || error.code == .conflict {}
    }
}
