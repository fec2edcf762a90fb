import MnemeModels
import MnemeNumerics

/// Maps whose rows have lengths of their own (DoRA, Liu et al. 2024): y = s·(W + scale·B·A)·x + bias with
/// s = m/‖W + scale·B·A‖ for each output, in both passes.
extension LayerPass {
    /// Such a map, its input, and the rows of the batch that are computed.
    struct ScaledMap {
        let linear: FrozenLinear
        let slot: LowRankSlot
        /// The place in the pass.
        let layer: Int
        let x: LayerTensor
        let rows: Range<Int>
        /// Where m is among the parameters.
        let magnitudes: Int
    }

    /// Nil for a map without a term, or with one that gives rows no lengths.
    func scaledMap(_ linear: FrozenLinear, _ layer: Int, _ x: LayerTensor, _ rows: Range<Int>) -> ScaledMap? {
        guard let slot = parameters.slot(layers[layer], linear.name), let magnitudes = slot.magnitudes else {
            return nil
        }
        return ScaledMap(linear: linear, slot: slot, layer: layer, x: x, rows: rows, magnitudes: magnitudes)
    }

    /// Lengths of the rows of a layer's maps, as A and B are now.
    func measure(_ layer: FrozenLayer, _ index: Int) {
        for linear in layer.linears {
            guard let slot = parameters.slot(layers[index], linear.name) else { continue }
            parameters.measure(slot, linear.weights, scale: shape.scale, kernels)
        }
    }

    /// u = (W + scale·B·A)·x, by A·x, in the workspace's scaled rows.
    func sum(_ map: ScaledMap) {
        let u = workspace.scaled.pointer
        let from = saved.values[map.layer][map.x].pointer + map.rows.lowerBound * map.slot.inputs
        kernels.frozen(map.linear.weights, input: from, rows: map.rows.count, accumulate: false, into: u)
        expand(map.slot, map.layer, map.rows, into: u)
    }

    /// y (+)= s·u: each column with its output's scale.
    func scaleRows(_ map: ScaledMap, accumulate: Bool, into y: UnsafeMutablePointer<Float>) {
        let (u, width) = (workspace.scaled.pointer, map.slot.outputs)
        kernels.share(width) { mine in
            let scales = mine.map { parameters.rowScale(map.slot, map.magnitudes, $0) }
            for row in 0..<map.rows.count {
                let (from, to) = (u + row * width + mine.lowerBound, y + row * width + mine.lowerBound)
                for i in scales.indices { to[i] = (accumulate ? to[i] : 0) + scales[i] * from[i] }
            }
        }
    }

    /// From the gradient of y to that of u, which takes u's place; gradients of m are added where the
    /// layer learns.
    func pullLengths(_ map: ScaledMap, _ dy: UnsafePointer<Float>) {
        let (u, width) = (workspace.scaled.pointer, map.slot.outputs)
        let gradients = parameters.gradients.pointer + map.magnitudes
        kernels.share(width) { mine in
            let scales = mine.map { parameters.rowScale(map.slot, map.magnitudes, $0) }
            var totals = [Float](repeating: 0, count: mine.count)
            for row in 0..<map.rows.count {
                let (from, to) = (dy + row * width + mine.lowerBound, u + row * width + mine.lowerBound)
                for i in scales.indices {
                    totals[i] += from[i] * to[i]
                    to[i] = scales[i] * from[i]
                }
            }
            guard map.layer < learning else { return }
            for (total, o) in zip(totals, mine) {
                let length = parameters.lengths.pointer[map.slot.lengths + o]
                if length > 0 { gradients[o] += total / length }
            }
        }
    }
}
