import MnemeNumerics

/// Keeps each layer's input and computes the rest again (gradient checkpointing, Chen et al. 2016).
final class Checkpointing: SavedTensorPolicy {
    let inputs: [AlignedBuffer<Float>]
    let values: [LayerValues]

    init(_ plan: SavedTensorPlan) {
        inputs = plan.ownInputs()
        values = plan.ownValues { _ in false }
    }

    func restore(_ layer: Int, _ pass: LayerPass) {
        pass.recompute(layer, rows: 0..<pass.rows, attends: true)
    }
}
