import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// The loss of next-token prediction, and the distance from the base model, over chunks of the
/// vocabulary: the logits of all tokens are never held, only those of a chunk, twice computed (Cut
/// Your Losses, Wijmans et al. 2024).
struct CrossEntropy {
    /// Columns of a chunk.
    static let chunk = 2048

    /// What the rows of a product are: first those with a target, then kept ones, then as many of
    /// the base model, in the same order.
    struct Rows {
        var targets: [Int32]
        /// The loss's gradient is multiplied by it.
        var weight: Float
        /// Rows whose distribution is to stay what the base model's is.
        var kept = 0
        /// The divergence's gradient is multiplied by it.
        var keptWeight: Float = 0

        /// Rows that have a gradient.
        var learned: Int { targets.count + kept }
        var count: Int { learned + kept }
    }

    let kernels: TrainingKernels
    let output: StoredRows
    let vocabulary: Int
    /// A chunk's logits of all rows.
    let logits: AlignedBuffer<Float>

    init(_ kernels: TrainingKernels, _ model: FrozenDecoder, rows: Int) {
        self.kernels = kernels
        output = model.output
        vocabulary = model.configuration.vocabularySize
        logits = AlignedBuffer(padded(rows, 32) * min(Self.chunk, padded(vocabulary, 16)))
    }

    /// Bytes of a chunk of the output matrix, packed.
    static func packedBytes(_ output: StoredRows, _ precision: TrainingPrecision) -> Int {
        output[0..<min(chunk, output.outputs)].packedBytes(precision)
    }

    /// The sum of -log p(target) over the rows with a target, and that of KL(base || model) over
    /// kept rows; where `gradient` is given, the gradient of both, times their weights, by the states.
    ///
    /// - Parameters:
    ///   - states: normed rows of the last layer, of all kinds.
    ///   - gradient: as many rows as have one; replaced.
    func loss(
        _ states: UnsafePointer<Float>, _ rows: Rows, gradient: UnsafeMutablePointer<Float>?
    ) -> (loss: Double, divergence: Double) {
        guard rows.count > 0 else { return (0, 0) }
        let targets = rows.targets
        var softmax = [mnk_softmax_state](
            repeating: mnk_softmax_state(highest: -.infinity, sum: 0), count: rows.count)
        var chosen = [Float](repeating: 0, count: rows.count)
        softmax.withUnsafeMutableBufferPointer { softmax in
            chosen.withUnsafeMutableBufferPointer { chosen in
                eachChunk(states, rows.count..<rows.count) { row, columns, logits in
                    mnk_softmax_add(
                        kernels.features, logits, columns.count, softmax.baseAddress! + row)
                    guard row < targets.count else { return }
                    let target = Int(targets[row])
                    if columns.contains(target) {
                        chosen[row] = logits[target - columns.lowerBound]
                    }
                } then: { _, _ in
                }
            }
        }
        let lse = softmax.map { $0.highest + Float(logOf($0.sum)) }
        let loss = targets.indices.reduce(0) { $0 + Double(lse[$1]) - Double(chosen[$1]) }
        guard gradient != nil || rows.kept > 0 else { return (loss, 0) }
        return (loss, self.gradient(states, rows, lse, into: gradient).reduce(0) { $0 + Double($1) })
    }

    /// The gradient by the states; gives the divergence of each row, 0 where none is kept.
    private func gradient(
        _ states: UnsafePointer<Float>, _ rows: Rows, _ lse: [Float],
        into gradient: UnsafeMutablePointer<Float>?
    ) -> [Float] {
        let width = { (columns: Range<Int>) in padded(columns.count, 16) }
        let divergence = AlignedBuffer<Float>(rows.learned)
        eachChunk(states, rows.learned..<rows.count) { row, columns, logits in
            if row < rows.targets.count {
                mnk_softmax_gradient(
                    kernels.features, logits, columns.count, lse[row], rows.weight)
                let target = Int(rows.targets[row])
                if columns.contains(target) { logits[target - columns.lowerBound] -= rows.weight }
            } else {
                let base = row + rows.kept
                var d = mnk_divergence(
                    base: logits + rows.kept * width(columns), base_lse: lse[base], lse: lse[row])
                mnk_divergence_gradient(
                    kernels.features, &d, logits, columns.count, rows.keptWeight,
                    divergence.pointer + row)
            }
            for i in columns.count..<width(columns) { logits[i] = 0 }
        } then: { weights, isFirst in
            guard let gradient else { return }
            kernels.frozen(
                weights, transposed: true, input: logits.pointer, rows: rows.learned,
                accumulate: !isFirst, into: gradient)
        }
        return Array(UnsafeBufferPointer(start: divergence.pointer, count: rows.learned))
    }

    /// Computes the logits of each chunk, calls `body` for each row and then `then` for the chunk.
    ///
    /// - Parameter computed: logits are computed of rows up to its end; `body` is called for those
    ///   before its beginning.
    private func eachChunk(
        _ states: UnsafePointer<Float>, _ computed: Range<Int>,
        _ body: (_ row: Int, _ columns: Range<Int>, _ logits: UnsafeMutablePointer<Float>) -> Void,
        then: (_ weights: StoredRows, _ isFirst: Bool) -> Void
    ) {
        for start in stride(from: 0, to: vocabulary, by: Self.chunk) {
            let columns = start..<min(vocabulary, start + Self.chunk)
            let weights = output[columns]
            kernels.frozen(weights, input: states, rows: computed.upperBound, into: logits.pointer)
            let width = padded(columns.count, 16)
            kernels.share(computed.lowerBound) { mine in
                for row in mine { body(row, columns, logits.pointer + row * width) }
            }
            then(weights, start == 0)
        }
    }
}
