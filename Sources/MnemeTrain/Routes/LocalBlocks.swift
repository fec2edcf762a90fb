import MnemeNumerics

/// Local learning in blocks of layers: each block has a loss of its own, and no gradient goes from a
/// block to the one before, so that memory is that of one block and its auxiliary network.
///
/// Plain: a block's output goes to the model's last norm and output matrix. With augmented auxiliary
/// networks (AugLocal, Ma et al. 2024) [170] it goes there through some of the later layers, chosen at even
/// distances, fewer the deeper the block is. The paper trains layers of their own for that; here it
/// is the frozen model's, with the terms that they have learned so far, which this way leaves alone.
struct LocalBlocks: GradientRoute {
    /// Each block's layers, and those of its auxiliary network.
    let blocks: [(layers: Range<Int>, auxiliary: [Int])]
    let slots: Int
    /// A block's output, while its auxiliary network is computed.
    let carry: AlignedBuffer<Float>

    /// - Parameter carry: memory for a layer's output.
    init(_ blocks: [(layers: Range<Int>, auxiliary: [Int])], carry: AlignedBuffer<Float>) {
        (self.blocks, self.carry) = (blocks, carry)
        slots = blocks.map { $0.layers.count + $0.auxiliary.count }.max() ?? 0
    }

    /// The most even blocks, the first ones a layer longer where they differ.
    static func blocks(layers: Int, count: Int, isAugmented: Bool) -> [(layers: Range<Int>, auxiliary: [Int])] {
        let count = min(count, layers)
        var begin = 0
        return (0..<count).map { index in
            let block = begin..<begin + layers / count + (index < layers % count ? 1 : 0)
            begin = block.upperBound
            let later = layers - begin
            guard isAugmented, later > 0 else { return (block, []) }
            // From a block's length down to one layer.
            let steps = max(1, count - 2)
            let depth = min(later, 1 + (block.count - 1) * (count - 2 - index) / steps)
            return (block, (1...depth).map { begin + later * $0 / depth - 1 })
        }
    }

    func addGradient(_ context: RouteContext) -> LossSums {
        var sums: LossSums = (0, 0)
        let inputs = context.saved.inputs
        for (index, block) in blocks.enumerated() {
            if index > 0 { inputs[0].pointer.update(from: carry.pointer, count: context.streamFloats) }
            let pass = context.pass(Array(block.layers) + block.auxiliary, block.layers.count)
            for slot in pass.layers.indices {
                pass.forward(slot)
                if slot < pass.layers.count - 1 { pass.saved.save(slot, pass) }
                if slot == block.layers.count - 1 {
                    carry.pointer.update(
                        from: inputs[slot + 1].pointer, count: context.streamFloats)
                }
            }
            // The last block's is the model's own loss.
            sums = context.head(pass.layers.count)
            pass.backward()
        }
        return sums
    }
}
