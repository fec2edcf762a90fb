import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// The loss of next-token prediction, over chunks of the vocabulary: the logits of all tokens are
/// never held, only those of a chunk, twice computed (Cut Your Losses, Wijmans et al. 2024).
struct CrossEntropy {
    /// Columns of a chunk.
    static let chunk = 2048

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

    /// The sum of -log p(target) over the rows; where `gradient` is given, its gradient by the
    /// states, times `weight`.
    ///
    /// - Parameters:
    ///   - states: normed rows of the last layer that have a target.
    ///   - gradient: as many rows; replaced.
    func loss(
        _ states: UnsafePointer<Float>, targets: [Int32], weight: Float,
        gradient: UnsafeMutablePointer<Float>?
    ) -> Double {
        guard !targets.isEmpty else { return 0 }
        var softmax = [mnk_softmax_state](
            repeating: mnk_softmax_state(highest: -.infinity, sum: 0), count: targets.count)
        var chosen = [Float](repeating: 0, count: targets.count)
        softmax.withUnsafeMutableBufferPointer { softmax in
            chosen.withUnsafeMutableBufferPointer { chosen in
                eachChunk(states, targets.count) { row, columns, logits in
                    mnk_softmax_add(
                        kernels.features, logits, columns.count, softmax.baseAddress! + row)
                    let target = Int(targets[row])
                    if columns.contains(target) {
                        chosen[row] = logits[target - columns.lowerBound]
                    }
                } then: { _, _ in
                }
            }
        }
        let lse = softmax.map { $0.highest + Float(logOf($0.sum)) }
        if let gradient {
            eachChunk(states, targets.count) { row, columns, logits in
                mnk_softmax_gradient(
                    kernels.features, logits, columns.count, lse[row], weight)
                let target = Int(targets[row])
                if columns.contains(target) { logits[target - columns.lowerBound] -= weight }
                for i in columns.count..<padded(columns.count, 16) { logits[i] = 0 }
            } then: { rows, isFirst in
                kernels.frozen(
                    rows, transposed: true, input: logits.pointer, rows: targets.count,
                    accumulate: !isFirst, into: gradient)
            }
        }
        return zip(lse, chosen).reduce(0) { $0 + Double($1.0) - Double($1.1) }
    }

    /// Computes the logits of each chunk, calls `body` for each row and then `then` for the chunk.
    private func eachChunk(
        _ states: UnsafePointer<Float>, _ rows: Int,
        _ body: (_ row: Int, _ columns: Range<Int>, _ logits: UnsafeMutablePointer<Float>) -> Void,
        then: (_ weights: StoredRows, _ isFirst: Bool) -> Void
    ) {
        for start in stride(from: 0, to: vocabulary, by: Self.chunk) {
            let columns = start..<min(vocabulary, start + Self.chunk)
            let weights = output[columns]
            kernels.frozen(weights, input: states, rows: rows, into: logits.pointer)
            let width = padded(columns.count, 16)
            kernels.share(rows) { mine in
                for row in mine { body(row, columns, logits.pointer + row * width) }
            }
            then(weights, start == 0)
        }
    }
}
