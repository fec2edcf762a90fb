import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// Mixture of channels (MoC, Wu et al. 2025) [131]: of each token's gate the largest outputs are used, in
/// the forward pass already, and only theirs are kept, with a bit a channel that says which.
///
/// Gradients are exact for the network that was computed so. Held-out examples, like answers, are
/// computed with all channels: an adapter is to be used without the choice.
final class TopChannels: SavedTensorPolicy {
    let inputs: [AlignedBuffer<Float>]
    let values: [LayerValues]
    private let wide: Int
    /// Channels of a token that are used.
    private let count: Int
    private let gates: [AlignedBuffer<Float>]
    private let ups: [AlignedBuffer<Float>]
    private let masks: [AlignedBuffer<UInt16>]

    init(_ plan: SavedTensorPlan) {
        let (rows, wide) = (plan.sizes.rows, plan.sizes.configuration.intermediateSize)
        let count = Self.channels(plan.share, of: wide)
        (self.wide, self.count) = (wide, count)
        inputs = plan.ownInputs()
        values = plan.ownValues { ![.gate, .up, .gated].contains($0) }
        gates = (1..<plan.layers).map { _ in plan.arena.make(rows * count, .saved) }
        ups = (1..<plan.layers).map { _ in plan.arena.make(rows * count, .saved) }
        masks = (1..<plan.layers).map { _ in
            plan.arena.make(UInt16.self, rows * wide / 16, .saved)
        }
    }

    static func channels(_ share: Double, of wide: Int) -> Int {
        min(wide, max(1, Int((Double(wide) * share).rounded(.up))))
    }

    func changeGate(_ layer: Int, rows: Range<Int>, _ pass: LayerPass) {
        let gate = values[layer][.gate].pointer
        let up = values[layer][.up].pointer
        pass.kernels.share(rows.count) { mine in
            var scratch = [Float](repeating: 0, count: wide)
            for row in mine {
                let at = (rows.lowerBound + row) * wide
                let limit = LargestNumbers.limit(
                    gate + at, count: wide, keeping: count, &scratch)
                var equal = count - limit.above
                for i in at..<at + wide where gate[i] <= limit.value {
                    if gate[i] == limit.value, equal > 0 {
                        equal -= 1
                        continue
                    }
                    // Both zero: neither has a gradient, and the product is zero.
                    (gate[i], up[i]) = (0, 0)
                }
            }
        }
    }

    func save(_ layer: Int, _ pass: LayerPass) {
        let gate = values[layer][.gate].pointer
        let up = values[layer][.up].pointer
        pass.kernels.share(pass.rows) { mine in
            for row in mine {
                let mask = masks[layer].pointer + row * wide / 16
                var next = row * count
                for i in 0..<wide {
                    if i % 16 == 0 { mask[i / 16] = 0 }
                    let at = row * wide + i
                    guard gate[at] != 0 || up[at] != 0, next < (row + 1) * count else { continue }
                    mask[i / 16] |= 1 << UInt16(i % 16)
                    (gates[layer].pointer[next], ups[layer].pointer[next]) = (gate[at], up[at])
                    next += 1
                }
            }
        }
    }

    func restore(_ layer: Int, _ pass: LayerPass) {
        let gate = values[layer][.gate].pointer
        let up = values[layer][.up].pointer
        pass.kernels.share(pass.rows) { mine in
            for row in mine {
                let mask = masks[layer].pointer + row * wide / 16
                var next = row * count
                for i in 0..<wide {
                    let isKept = mask[i / 16] >> UInt16(i % 16) & 1 == 1
                    gate[row * wide + i] = isKept ? gates[layer].pointer[next] : 0
                    up[row * wide + i] = isKept ? ups[layer].pointer[next] : 0
                    if isKept { next += 1 }
                }
            }
        }
        pass.multiplyGate(layer, rows: 0..<pass.rows)
    }
}
