import MnemeModels
import MnemeNumerics

/// What of each layer's forward pass is kept for its backward pass.
///
/// A policy owns the memory of all layers' inputs and values; layers that share memory share what is
/// in it. Conforming types are a file each, named in ``SavedTensors``. The last layer is neither
/// saved nor restored: its values are still there when the backward pass begins.
protocol SavedTensorPolicy: AnyObject {
    /// Where each layer's input lies in both passes; last, the output of the last layer.
    var inputs: [AlignedBuffer<Float>] { get }
    /// Where each layer's forward pass leaves its values, and its gradient reads them.
    var values: [LayerValues] { get }
    /// May change outputs of the gate's and the up map before they are multiplied.
    ///
    /// - Parameter rows: those that are computed.
    func changeGate(_ layer: Int, rows: Range<Int>, _ pass: LayerPass)
    /// Behind a layer's forward pass.
    func save(_ layer: Int, _ pass: LayerPass)
    /// Before a layer's gradient: puts its input and values where ``inputs`` and ``values`` say.
    func restore(_ layer: Int, _ pass: LayerPass)
}

extension SavedTensorPolicy {
    func changeGate(_ layer: Int, rows: Range<Int>, _ pass: LayerPass) {}
    func save(_ layer: Int, _ pass: LayerPass) {}
    func restore(_ layer: Int, _ pass: LayerPass) {}
}

/// What a policy is made for.
struct SavedTensorPlan {
    let sizes: LayerSizes
    let layers: Int
    let arena: TrainingArena
    /// The setting's number: a part of the tokens or channels.
    let share: Double
    /// Of draws.
    let seed: UInt64

    /// An input of its own for each layer.
    func ownInputs() -> [AlignedBuffer<Float>] {
        (0...layers).map { _ in
            arena.make(sizes.rows * sizes.configuration.hiddenSize, .saved)
        }
    }

    /// Values of which all layers share some, and have the others each for itself.
    func ownValues(_ own: @escaping (LayerTensor) -> Bool) -> [LayerValues] {
        let shared = LayerValues(sizes, arena, .layer, sharing: (none, { !own($0) }))
        return (0..<layers).map { _ in
            LayerValues(sizes, arena, .saved, sharing: (shared, own))
        }
    }

    /// No memory.
    private var none: LayerValues {
        LayerValues(
            LayerSizes(sizes.configuration, tokens: 0, rank: 0), arena, .layer)
    }
}
