import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// Derivatives in four bits (S2A, Jin et al. 2025) [257]: of SiLU(gate)·up, which has no parameters, both
/// derivatives are kept in place of gate and up, in groups of 64 with two floats each.
///
/// A derivative is off by at most half a step of its group, a thirtieth of the group's range. All
/// else is kept whole.
final class DerivativeCodes: SavedTensorPolicy {
    let inputs: [AlignedBuffer<Float>]
    let values: [LayerValues]
    private let gates: [FourBits]
    private let ups: [FourBits]
    private let wide: Int
    /// Ones, for which a gradient is the derivative.
    private let ones: AlignedBuffer<Float>

    init(_ plan: SavedTensorPlan) {
        wide = plan.sizes.configuration.intermediateSize
        inputs = plan.ownInputs()
        values = plan.ownValues { $0 != .gate && $0 != .up }
        // The memory of rows is whole blocks of 32, and a row is a multiple of 16.
        let count = plan.sizes.rows * wide
        gates = (1..<plan.layers).map { _ in FourBits(count, plan.arena) }
        ups = (1..<plan.layers).map { _ in FourBits(count, plan.arena) }
        ones = plan.arena.make(FourBits.group, .layer)
        ones.pointer.update(repeating: 1, count: FourBits.group)
    }

    func save(_ layer: Int, _ pass: LayerPass) {
        let gate = values[layer][.gate].pointer
        let up = values[layer][.up].pointer
        // A group may reach into the rows behind the batch, where an earlier one was.
        let (end, behind) = (pass.rows * wide, (padded(pass.rows, 32) - pass.rows) * wide)
        (gate + end).update(repeating: 0, count: behind)
        (up + end).update(repeating: 0, count: behind)
        pass.kernels.share(groups(pass)) { mine in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * FourBits.group) { x in
                let (dgate, dup) = (x.baseAddress!, x.baseAddress! + FourBits.group)
                for i in mine {
                    mnk_swiglu_backward(
                        pass.kernels.features, gate + i * FourBits.group, up + i * FourBits.group,
                        ones.pointer, FourBits.group, dgate, dup)
                    gates[layer].encode(dgate, group: i)
                    ups[layer].encode(dup, group: i)
                }
            }
        }
    }

    func restore(_ layer: Int, _ pass: LayerPass) {
        let gate = values[layer][.gate].pointer
        let up = values[layer][.up].pointer
        pass.kernels.share(groups(pass)) { mine in
            for i in mine {
                gates[layer].decode(group: i, into: gate + i * FourBits.group)
                ups[layer].decode(group: i, into: up + i * FourBits.group)
            }
        }
        values[layer].gateDerivatives.isSet = true
    }

    private func groups(_ pass: LayerPass) -> Int { padded(pass.rows, 32) * wide / FourBits.group }
}
