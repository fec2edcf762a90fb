import Crypto
import Foundation
import MnemeStore

extension MemoryOS {
    /// Raises the labels of adapters and of kept keys and values that a memory is in to its own, so that
    /// who may not see the memory may not use them either. Summaries are texts of their own, made anew
    /// where their sources' labels differ.
    ///
    /// - Parameters:
    ///   - cube: has its new label, and need not be written yet.
    ///   - caller: who changes it; the history of what is raised names the operation.
    /// - Complexity: linear in the links of the memory.
    /// - Throws: `StoreError`; of class conflict if one of them was changed meanwhile.
    func raiseLabels(ofDerivedFrom cube: MemCube, by caller: Caller) throws {
        let owner = cube.scope.owner
        let derived = try store.links(of: cube.id, owner: owner, by: .mneme)
            .filter { $0.target == cube.id && $0.kind == CubeLink.derivedFrom }.map(\.source)
        let lower = try store.cubes(derived, owner: owner, by: .mneme)
            .filter { !$0.isPlaintext && $0.sensitivity < cube.sensitivity }
        guard !lower.isEmpty else { return }
        let reason = "\(cube.id), which it is made from, is \(cube.sensitivity) now"
        _ = try store.commit(
            lower.flatMap { Self.labelled(cube.sensitivity, $0) }, owner: owner,
            by: Caller(Caller.mneme.principal, operation: caller.operation, reason: reason, time: caller.time))
    }

    /// What gives a memory another label; one that is frozen is frozen again.
    private static func labelled(_ label: Sensitivity, _ known: MemCube) -> [Mutation] {
        var next = known
        next.sensitivity = label
        let isFrozen = known.state == .frozen
        if isFrozen { (next.version, next.state) = (known.version + 1, .activated) }
        let update = Mutation.update(next, analysis: [], contentHash: derivedHash(next))
        return isFrozen ? [.restore(known.id), update, .freeze(known.id)] : [update]
    }

    /// Tells adapters, and kept keys and values, from one another: the hash of an adapter's name, or of
    /// the first block's.
    static func derivedHash(_ cube: MemCube) -> [UInt8] {
        let name = cube.adapter.map { "adapter \($0.key)" } ?? "activation \(cube.activation?.block ?? "")"
        return Array(SHA256.hash(data: Data(name.utf8)).prefix(16))
    }
}
