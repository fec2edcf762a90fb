import CMnemeKernels
import MnemeBase
import MnemeModels
import MnemeNumerics

/// The directions in which the inputs of linear maps lie in texts of the base, layer by layer.
///
/// A term B·A whose A is orthogonal to them gives such texts next to nothing, whatever B is: what is
/// learned is read from the directions that they leave free (gradient projection memory, Saha et al.
/// 2021; FOT [217]; for edits of single facts AlphaEdit, Fang et al. 2024). Steps are projected behind
/// the optimizer: Adam's are not in the span of the gradients.
package struct InputSubspace {
    /// Directions of a map's inputs at most, and the part of its width that they may be.
    private static let (most, share) = (256, 0.5)
    /// Times that the texts are read: each turns the directions towards the largest eigenvalues of
    /// the inputs' covariance (subspace iteration, Halko et al. 2011).
    private static let rounds = 2

    /// An orthonormal basis: [count][width]. Rows of zeros where the inputs have fewer directions.
    private struct Basis {
        let layer: Int
        let tensor: LayerTensor
        let width: Int
        let count: Int
        let rows: AlignedBuffer<Float>
    }

    private let bases: [Basis]
    private let kernels: TrainingKernels

    /// Directions for inputs of a width: a multiple of 16.
    static func directions(_ width: Int) -> Int { min(most, Int(Double(width) * share)) / 16 * 16 }

    /// Reads texts with the base alone.
    ///
    /// - Parameter seed: of the first directions.
    /// - Complexity: two forward passes over the texts, and O(*directions*²·*width*) for each input.
    package init(_ model: AdapterModel, texts: [ExampleEncoder.Sequence], seed: UInt64) {
        kernels = model.kernels
        var seen: Set<[Int]> = []
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x73_7061_6e))
        bases = model.parameters.slots.compactMap { slot in
            let tensor = slot.linear.input
            let count = Self.directions(slot.inputs)
            guard count > 0, seen.insert([slot.layer, tensor.rawValue]).inserted else { return nil }
            let rows = model.arena.make(count * slot.inputs, .directions)
            for i in 0..<rows.count { rows.pointer[i] = Float(2 * generator.unit() - 1) }
            return Basis(
                layer: slot.layer, tensor: tensor, width: slot.inputs, count: count, rows: rows)
        }
        for _ in 0..<Self.rounds { turn(model, texts) }
    }

    /// Each basis times the covariance of its inputs, made orthonormal.
    private func turn(_ model: AdapterModel, _ texts: [ExampleEncoder.Sequence]) {
        let sums = bases.map { AlignedBuffer<Float>($0.rows.count) }
        let places = Dictionary(grouping: bases.indices) { bases[$0].layer }
        let most = bases.map(\.count).max() ?? 0
        let projected = AlignedBuffer<Float>(padded(model.batchTokens, 32) * most)
        for batch in Self.batches(texts, tokens: model.batchTokens) {
            model.readBase(batch) { layer, values in
                for place in places[layer] ?? [] {
                    let basis = bases[place]
                    let input = values[basis.tensor].pointer
                    kernels.project(
                        input, rows: batch.tokens.count, width: basis.width, by: basis.rows.pointer,
                        rank: basis.count, scale: 1, into: projected.pointer)
                    kernels.factorGradient(
                        projected.pointer, input, rows: batch.tokens.count, rank: basis.count,
                        width: basis.width, scale: 1, into: sums[place].pointer)
                }
            }
        }
        kernels.share(bases.count) { mine in
            for place in mine {
                let basis = bases[place]
                basis.rows.pointer.update(from: sums[place].pointer, count: basis.rows.count)
                orthonormalize(basis)
            }
        }
    }

    /// Gram and Schmidt's way, each row twice: once is not enough in floats.
    private func orthonormalize(_ basis: Basis) {
        for i in 0..<basis.count {
            let row = basis.rows.pointer + i * basis.width
            let before = length(row, basis.width)
            remove(basis, i, from: row)
            remove(basis, i, from: row)
            let after = length(row, basis.width)
            // What is left of a row that the others span is rounding.
            let scale = after > 1e-6 * before ? 1 / after : 0
            for k in 0..<basis.width { row[k] *= scale }
        }
    }

    /// Subtracts what a vector has of a basis' first rows.
    private func remove(_ basis: Basis, _ count: Int, from vector: UnsafeMutablePointer<Float>) {
        for i in 0..<count {
            let row = basis.rows.pointer + i * basis.width
            let part = mnk_dot_f32(kernels.features, row, vector, basis.width)
            for k in 0..<basis.width { vector[k] -= part * row[k] }
        }
    }

    private func length(_ vector: UnsafePointer<Float>, _ count: Int) -> Float {
        mnk_dot_f32(kernels.features, vector, vector, count).squareRoot()
    }

    /// Takes the directions out of what A has changed by.
    ///
    /// - Parameters:
    ///   - before: the parameters then; nil takes them out of A itself.
    ///   - own: those that are changed; nil for all.
    package func project(
        _ parameters: LowRankParameters, since before: UnsafePointer<Float>?, only own: Range<Int>? = nil
    ) {
        let places = Dictionary(
            uniqueKeysWithValues: bases.indices.map { ([bases[$0].layer, bases[$0].tensor.rawValue], $0) })
        let slots = parameters.slots.filter { own?.contains($0.a) ?? true }
        kernels.share(slots.count) { mine in
            for slot in slots[mine] {
                guard let place = places[[slot.layer, slot.linear.input.rawValue]] else { continue }
                for r in 0..<slot.rank {
                    let at = slot.a + r * slot.inputs
                    let row = parameters.values.pointer + at
                    for k in 0..<slot.inputs where before != nil { row[k] -= before![at + k] }
                    remove(bases[place], bases[place].count, from: row)
                    for k in 0..<slot.inputs where before != nil { row[k] += before![at + k] }
                }
            }
        }
    }

    /// Texts together, as many as have memory.
    private static func batches(_ texts: [ExampleEncoder.Sequence], tokens: Int) -> [TrainingBatch] {
        var batches: [TrainingBatch] = []
        for text in texts {
            if (batches.last?.tokens.count ?? tokens) + text.tokens.count > tokens {
                batches.append(TrainingBatch())
            }
            batches[batches.count - 1].keep(text.tokens, promptTokens: text.tokens.count)
        }
        return batches
    }
}

extension LayerLinear {
    /// What of a layer's values the map reads.
    var input: LayerTensor {
        switch self {
        case .query, .key, .value: .normed1
        case .attentionOutput: .attended
        case .gate, .up: .normed2
        case .down: .gated
        }
    }
}
