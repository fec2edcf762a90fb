import MnemeBase
import MnemeModels
import MnemeNumerics

/// Token-wise swapping and recomputation (MEMO, Zhao et al. 2024) [33]: inputs and attention's outputs of
/// all tokens go to a file, the other values of the first tokens too; those of the last tokens are
/// computed again, without attention.
///
/// Memory holds two inputs and one layer's values whatever the depth. Each layer has its place of
/// the same size in the file, which is made whole before the first step: nothing is fragmented, and
/// no step can find the disk full. Gradients are those of all values kept, to the bit.
final class TokenSwap: SavedTensorPolicy {
    let inputs: [AlignedBuffer<Float>]
    let values: [LayerValues]
    private let file: SwapFile
    private let share: Double
    private let hidden: Int
    private let layerBytes: Int

    /// Those that all tokens have in the file, and those that some have.
    private static let ofAll: [LayerTensor] = [.attended, .lse]
    private static let ofSome = LayerTensor.allCases.filter { !ofAll.contains($0) }

    /// - Throws: ``FileError`` if the file cannot be made; class `full` for a full disk.
    init(_ plan: SavedTensorPlan) throws {
        let sizes = plan.sizes
        let hidden = sizes.configuration.hiddenSize
        (self.hidden, share) = (hidden, plan.share)
        let pair = (0..<2).map { _ in plan.arena.make(sizes.rows * hidden, .saved) }
        inputs = (0...plan.layers).map { pair[$0 % 2] }
        values = plan.ownValues { _ in false }
        let some = Self.tokens(share, of: sizes.rows)
        layerBytes =
            4
            * (sizes.rows * (hidden + Self.ofAll.reduce(0) { $0 + sizes.width($1) })
                + some * Self.ofSome.reduce(0) { $0 + sizes.width($1) * sizes.planes($1) })
        file = try SwapFile(bytes: (plan.layers - 1) * layerBytes)
        plan.arena.add(file.count, .swapped)
    }

    /// Tokens whose values are swapped: whole blocks of 32.
    static func tokens(_ share: Double, of rows: Int) -> Int {
        min(rows, padded(Int((Double(rows) * share).rounded(.up)), 32))
    }

    func save(_ layer: Int, _ pass: LayerPass) {
        move(layer, pass) { at, memory, bytes in
            file.pointer.advanced(by: at).copyMemory(from: memory, byteCount: bytes)
        }
        file.release(layer * layerBytes, layerBytes)
    }

    func restore(_ layer: Int, _ pass: LayerPass) {
        move(layer, pass) { at, memory, bytes in
            memory.copyMemory(from: file.pointer.advanced(by: at), byteCount: bytes)
        }
        file.release(layer * layerBytes, layerBytes)
        pass.recompute(
            layer, rows: Self.tokens(share, of: pass.rows)..<pass.rows, attends: false)
    }

    /// Calls `body` for each run of a layer's values that is in the file, in their order.
    private func move(
        _ layer: Int, _ pass: LayerPass,
        _ body: (_ at: Int, _ memory: UnsafeMutableRawPointer, _ bytes: Int) -> Void
    ) {
        var at = layer * layerBytes
        func run(_ memory: UnsafeMutablePointer<Float>, _ floats: Int) {
            body(at, UnsafeMutableRawPointer(memory), 4 * floats)
            at += 4 * floats
        }
        let layerValues = values[layer]
        let sizes = layerValues.sizes
        run(inputs[layer].pointer, pass.rows * hidden)
        for tensor in Self.ofAll {
            // Runs of heads lie as far apart as the batch is long, rounded up.
            let rows = tensor == .lse ? padded(pass.rows, 32) : pass.rows
            run(layerValues[tensor].pointer, rows * sizes.width(tensor))
        }
        let some = Self.tokens(share, of: pass.rows)
        for tensor in Self.ofSome {
            for plane in 0..<sizes.planes(tensor) {
                run(
                    layerValues[tensor].pointer + plane * sizes.rows * sizes.width(tensor),
                    some * sizes.width(tensor))
            }
        }
    }
}
