import MnemeNumerics

/// Learning by projected targets (tpSGD, Guo et al. 2021) [160]: a block's output is to be near a vector of
/// random signs that stands for the token to predict; the last block learns the model's own loss.
///
/// No block waits for another's gradient, and all but the last have no product with the vocabulary. A token's
/// signs follow from its number and the block's: a random projection of its one-hot vector.
struct TargetProjection: GradientRoute {
    private let local: LocalBlocks
    var slots: Int { local.slots }

    /// - Parameters:
    ///   - count: blocks.
    ///   - carry: memory for a layer's output.
    init(layers: Int, count: Int, carry: AlignedBuffer<Float>) {
        local = LocalBlocks(
            LocalBlocks.blocks(layers: layers, count: count, isAugmented: false), carry: carry)
    }

    func addGradient(_ context: RouteContext) -> LossSums {
        let inputs = context.saved.inputs
        for (index, block) in local.blocks.dropLast().enumerated() {
            let pass = context.pass(Array(block.layers), block.layers.count)
            pass.forward()
            let end = block.layers.count
            local.carry.pointer.update(from: inputs[end].pointer, count: context.streamFloats)
            context.aim(end, index)
            pass.backward()
            inputs[0].pointer.update(from: local.carry.pointer, count: context.streamFloats)
        }
        let last = local.blocks[local.blocks.count - 1].layers
        let pass = context.pass(Array(last), last.count)
        pass.forward()
        let sums = context.head(last.count)
        pass.backward()
        return sums
    }
}
