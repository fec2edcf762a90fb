import MnemeModels
import MnemeNumerics

/// Local learning in blocks whose auxiliary networks follow the next block (MAN, Su et al. 2024) [161]:
/// behind a block comes the next one's first layer, with a moving average of the terms that it learns, and
/// a bias between the two that is learned.
///
/// So a block hears of the next one without a gradient from it. The average and the biases lie behind the
/// terms among the parameters, and in checkpoints; the adapter has neither.
struct MomentumBlocks: GradientRoute {
    /// The part of the average that a step leaves. The paper's is 0.995, for ten thousands of steps.
    static let momentum: Float = 0.9

    private let local: LocalBlocks
    private let layout: Layout
    var slots: Int { local.slots }

    /// Where biases and averages lie.
    struct Layout {
        /// Each block's layers; the next one's first layer is behind all but the last.
        let blocks: [(layers: Range<Int>, auxiliary: [Int])]
        /// Floats of the biases, one a channel and block but the last.
        let biases: Int
        /// Layers whose terms have an average.
        var averages: Int { blocks.count - 1 }

        init(count: Int, _ c: DecoderConfiguration) {
            let layers = c.layers
            let plain = LocalBlocks.blocks(layers: layers, count: count, isAugmented: false)
            blocks = plain.map { ($0.layers, $0.layers.upperBound < layers ? [$0.layers.upperBound] : []) }
            biases = (plain.count - 1) * c.hiddenSize
        }
    }

    /// - Parameter carry: memory for a layer's output.
    init(_ layout: Layout, carry: AlignedBuffer<Float>, _ parameters: LowRankParameters) {
        self.layout = layout
        local = LocalBlocks(layout.blocks, carry: carry)
        follow(parameters, momentum: 0)
    }

    func addGradient(_ context: RouteContext) -> LossSums {
        let parameters = context.parameters
        follow(parameters, momentum: Self.momentum)
        var sums: LossSums = (0, 0)
        let inputs = context.saved.inputs
        for (index, block) in layout.blocks.enumerated() {
            if index > 0 { inputs[0].pointer.update(from: local.carry.pointer, count: context.streamFloats) }
            let bias = block.auxiliary.isEmpty ? nil : parameters.extra + index * context.hidden
            exchange(parameters, index)
            let pass = context.pass(Array(block.layers) + block.auxiliary, block.layers.count)
            for slot in pass.layers.indices {
                pass.forward(slot)
                if slot < pass.layers.count - 1 { pass.saved.save(slot, pass) }
                guard slot == block.layers.count - 1 else { continue }
                let output = inputs[slot + 1].pointer
                local.carry.pointer.update(from: output, count: context.streamFloats)
                guard let bias else { continue }
                for i in 0..<context.streamFloats {
                    output[i] += parameters.values.pointer[bias + i % context.hidden]
                }
            }
            sums = context.head(pass.layers.count)
            for slot in pass.layers.indices.reversed() {
                if slot < pass.layers.count - 1 { pass.saved.restore(slot, pass) }
                if let bias, slot == block.layers.count - 1 {
                    // The stream has the gradient of what the auxiliary network was given.
                    for i in 0..<context.streamFloats {
                        parameters.gradients.pointer[bias + i % context.hidden] += context.stream[i]
                    }
                }
                pass.backward(slot, needsInput: slot > 0)
            }
            exchange(parameters, index)
        }
        return sums
    }

    /// The terms of a block's auxiliary layer, and their average.
    private func places(_ parameters: LowRankParameters, _ index: Int) -> (terms: Range<Int>, average: Int)? {
        guard let layer = layout.blocks[index].auxiliary.first else { return nil }
        let terms = parameters.range(of: layer)
        return (terms, parameters.extra + layout.biases + index * terms.count)
    }

    private func follow(_ parameters: LowRankParameters, momentum: Float) {
        let values = parameters.values.pointer
        for index in layout.blocks.indices {
            guard let (terms, average) = places(parameters, index) else { continue }
            for (i, term) in terms.enumerated() {
                values[average + i] = momentum * values[average + i] + (1 - momentum) * values[term]
            }
        }
    }

    /// Puts the average in the terms' place, and the terms in the average's.
    private func exchange(_ parameters: LowRankParameters, _ index: Int) {
        guard let (terms, average) = places(parameters, index) else { return }
        let values = parameters.values.pointer
        for (i, term) in terms.enumerated() { swap(&values[term], &values[average + i]) }
    }
}
