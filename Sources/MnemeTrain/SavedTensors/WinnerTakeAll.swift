import MnemeBase
import MnemeNumerics

/// Winner-take-all column-row sampling (WTA-CRS, Liu et al. 2023) [41]: of the rows that gradients of the
/// low-rank terms' A are summed over, a part is kept, and the sum is right on average.
///
/// The inputs of all linear maps but attention's last one, whose input attention's gradient needs,
/// are kept so; all else is kept whole. Rows are chosen by their own norms: the paper also keeps the
/// norms of each example's gradients from the epoch before.
final class WinnerTakeAll: SavedTensorPolicy {
    let inputs: [AlignedBuffer<Float>]
    let values: [LayerValues]
    private let share: Double
    private let seed: UInt64
    /// The sampled rows of each layer and tensor.
    private let kept: [[Sampled]]

    private static let tensors: [LayerTensor] = [.normed1, .normed2, .gated]

    private struct Sampled {
        let rows: AlignedBuffer<Float>
        let indices: AlignedBuffer<Int32>
        let weights: AlignedBuffer<Float>
    }

    init(_ plan: SavedTensorPlan) {
        (share, seed) = (plan.share, plan.seed)
        inputs = plan.ownInputs()
        values = plan.ownValues { !Self.tensors.contains($0) }
        let most = Self.budget(plan.share, of: plan.sizes.rows)
        kept = (0..<plan.layers - 1).map { _ in
            Self.tensors.map { tensor in
                Sampled(
                    rows: plan.arena.make(most * plan.sizes.width(tensor), .saved),
                    indices: plan.arena.make(Int32.self, most, .saved),
                    weights: plan.arena.make(most, .saved))
            }
        }
    }

    /// Rows that are kept.
    static func budget(_ share: Double, of rows: Int) -> Int {
        min(rows, max(1, Int((Double(rows) * share).rounded(.up))))
    }

    func save(_ layer: Int, _ pass: LayerPass) {
        for (tensor, kept) in zip(Self.tensors, kept[layer]) {
            let width = values[layer].sizes.width(tensor)
            let x = values[layer][tensor].pointer
            let norms = Self.norms(x, rows: pass.rows, width: width, pass.kernels)
            var generator = SplitMix64(
                seed: SplitMix64.mixed(
                    seed ^ UInt64(pass.step) << 20 ^ UInt64(layer * 8 + tensor.rawValue)))
            let sample = ColumnRowSample(
                norms, keeping: Self.budget(share, of: pass.rows), using: &generator)
            for (i, (row, weight)) in zip(sample.rows, sample.weights).enumerated() {
                (kept.indices.pointer[i], kept.weights.pointer[i]) = (Int32(row), Float(weight))
                (kept.rows.pointer + i * width).update(from: x + row * width, count: width)
            }
        }
    }

    /// Of each row, summed in eight lanes.
    private static func norms(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, _ kernels: TrainingKernels
    ) -> [Double] {
        var norms = [Double](repeating: 0, count: rows)
        norms.withUnsafeMutableBufferPointer { norms in
            let to = norms.baseAddress!
            kernels.share(rows) { mine in
                for row in mine {
                    var sums = SIMD8<Float>()
                    for i in stride(from: row * width, to: (row + 1) * width, by: 8) {
                        let v = UnsafeRawPointer(x + i).loadUnaligned(as: SIMD8<Float>.self)
                        sums += v * v
                    }
                    to[row] = Double(sums.sum()).squareRoot()
                }
            }
        }
        return norms
    }

    func restore(_ layer: Int, _ pass: LayerPass) {
        for (tensor, kept) in zip(Self.tensors, kept[layer]) {
            let width = values[layer].sizes.width(tensor)
            let x = values[layer][tensor].pointer
            x.update(repeating: 0, count: pass.rows * width)
            // Rows that were not kept are zeros; one that was drawn twice counts twice.
            for i in 0..<Self.budget(share, of: pass.rows) {
                let to = x + Int(kept.indices.pointer[i]) * width
                let from = kept.rows.pointer + i * width
                let weight = kept.weights.pointer[i]
                for j in 0..<width { to[j] += weight * from[j] }
            }
        }
    }
}
