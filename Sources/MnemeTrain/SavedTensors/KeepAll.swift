import MnemeNumerics

/// Keeps all values of all layers: nothing is computed twice, and memory grows with the depth.
final class KeepAll: SavedTensorPolicy {
    let inputs: [AlignedBuffer<Float>]
    let values: [LayerValues]

    init(_ plan: SavedTensorPlan) {
        inputs = plan.ownInputs()
        values = plan.ownValues { _ in true }
    }
}
