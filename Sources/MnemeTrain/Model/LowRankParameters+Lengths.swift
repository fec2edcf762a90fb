import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// Lengths of the rows of W + scale·B·A (DoRA, Liu et al. 2024).
extension LowRankParameters {
    /// Computes them for one map; nothing is done where its rows have none of their own.
    ///
    /// - Complexity: a pass over the map's weights for each rank.
    func measure(_ slot: LowRankSlot, _ weights: StoredRows, scale: Float, _ kernels: TrainingKernels) {
        guard slot.magnitudes != nil else { return }
        kernels.share(slot.outputs) { mine in
            var row = [Float](repeating: 0, count: slot.inputs)
            var factors = [Float](repeating: 0, count: slot.rank)
            for o in mine {
                for r in 0..<slot.rank { factors[r] = scale * values.pointer[slot.b + r * slot.outputs + o] }
                lengths.pointer[slot.lengths + o] = row.withUnsafeMutableBufferPointer { row in
                    let row = row.baseAddress!
                    weights.row(o, into: row)
                    mnk_add_rows(
                        kernels.features, factors, slot.rank, values.pointer + slot.a, slot.inputs, slot.inputs,
                        row)
                    return mnk_dot_f32(kernels.features, row, row, slot.inputs).squareRoot()
                }
            }
        }
    }

    /// Gives all maps the lengths that they have, so that the adapter changes nothing while B is zero.
    func takeLengths(of layers: [FrozenLayer], scale: Float, _ kernels: TrainingKernels) {
        for slot in slots {
            guard let magnitudes = slot.magnitudes else { continue }
            measure(slot, layers[slot.layer][slot.linear].weights, scale: scale, kernels)
            (values.pointer + magnitudes).update(from: lengths.pointer + slot.lengths, count: slot.outputs)
        }
    }

    /// m/‖W + scale·B·A‖ of a row; 0 for a row without a direction.
    func rowScale(_ slot: LowRankSlot, _ magnitudes: Int, _ row: Int) -> Float {
        let length = lengths.pointer[slot.lengths + row]
        return length > 0 ? values.pointer[magnitudes + row] / length : 0
    }
}
