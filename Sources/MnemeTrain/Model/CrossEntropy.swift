import CMnemeKernels
import Foundation
import MnemeBase
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

        /// Gives the weight of a row with a target by its log p, in place of ``weight``; nil for one weight.
        var reweigh: ((_ row: Int, _ logProbability: Float) -> Float)?
        /// What it gave.
        fileprivate var weights: [Float] = []

        /// What the gradient of a row is multiplied by.
        fileprivate func factor(_ row: Int) -> Float {
            row >= targets.count ? keptWeight : weights.isEmpty ? weight : weights[row]
        }

        init(targets: [Int32], weight: Float, kept: Int = 0, keptWeight: Float = 0) {
            (self.targets, self.weight, self.kept, self.keptWeight) = (targets, weight, kept, keptWeight)
        }

        /// Rows that have a gradient.
        var learned: Int { targets.count + kept }
        var count: Int { learned + kept }
    }

    /// Counts chunks of the gradient. Those in which no row has a number of 2⁻¹² of its weight or more, which
    /// sums in half precision would lose, are left out, as in the paper.
    final class SkippedChunks {
        static let least: Float = 1 / 4096
        var left = 0
        var all = 0
    }

    let kernels: TrainingKernels
    let output: StoredRows
    let vocabulary: Int
    /// A chunk's logits of all rows.
    let logits: AlignedBuffer<Float>
    /// Chunks whose gradient was left out, and all.
    let skipped = SkippedChunks()
    /// Tokens beside the vocabulary that rows with a target may have, and are chosen among.
    let procedures: ProcedureRows?
    /// Logits of these for all rows.
    private let beside: AlignedBuffer<Float>
    /// Bytes of its memory.
    var byteCount: Int { 4 * (logits.count + beside.count) }

    init(_ kernels: TrainingKernels, _ model: FrozenDecoder, rows: Int, _ procedures: ProcedureRows? = nil) {
        self.kernels = kernels
        self.procedures = procedures
        beside = AlignedBuffer(rows * (procedures?.count ?? 0))
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
        procedures?.score(states, states: targets.count, into: beside.pointer, kernels)
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
                } then: { _ in
                }
                guard let procedures else { return }
                for (row, target) in targets.enumerated() {
                    let logits = beside.pointer + row * procedures.count
                    mnk_softmax_add(kernels.features, logits, procedures.count, softmax.baseAddress! + row)
                    if Int(target) >= vocabulary { chosen[row] = logits[Int(target) - vocabulary] }
                }
            }
        }
        let lse = softmax.map { $0.highest + Float(logOf($0.sum)) }
        let loss = targets.indices.reduce(0) { $0 + Double(lse[$1]) - Double(chosen[$1]) }
        guard gradient != nil || rows.kept > 0 else { return (loss, 0) }
        var rows = rows
        if let reweigh = rows.reweigh { rows.weights = targets.indices.map { reweigh($0, chosen[$0] - lse[$0]) } }
        let divergence = self.gradient(states, rows, lse, into: gradient).reduce(0) { $0 + Double($1) }
        if let procedures, let gradient {
            for (row, target) in targets.enumerated() {
                let logits = beside.pointer + row * procedures.count
                mnk_softmax_gradient(kernels.features, logits, procedures.count, lse[row], rows.factor(row))
                if Int(target) >= vocabulary { logits[Int(target) - vocabulary] -= rows.factor(row) }
            }
            procedures.addGradient(beside.pointer, states: (states, targets.count), to: gradient, kernels)
        }
        return (loss, divergence)
    }

    /// Draws a token for each row by its probabilities, in one pass over the chunks: the largest of logit and a
    /// Gumbel number of row and token (Gumbel 1954). Gives its log p, too.
    func draw(_ states: UnsafePointer<Float>, rows: Int, seed: UInt64) -> [(token: Int32, logProbability: Float)] {
        var softmax = [mnk_softmax_state](
            repeating: mnk_softmax_state(highest: -.infinity, sum: 0), count: rows)
        var best = [(token: Int32, logit: Float, score: Double)](
            repeating: (0, 0, -.infinity), count: rows)
        softmax.withUnsafeMutableBufferPointer { softmax in
            best.withUnsafeMutableBufferPointer { best in
                eachChunk(states, rows..<rows) { row, columns, logits in
                    mnk_softmax_add(kernels.features, logits, columns.count, softmax.baseAddress! + row)
                    for (i, token) in columns.enumerated() {
                        var generator = SplitMix64(
                            seed: SplitMix64.mixed(seed ^ UInt64(row) << 32) &+ UInt64(token))
                        let score = Double(logits[i]) - log(-log(max(generator.unit(), 1e-300)))
                        if score > best[row].score { best[row] = (Int32(token), logits[i], score) }
                    }
                } then: { _ in
                }
            }
        }
        return zip(best, softmax).map { ($0.token, $0.logit - $1.highest - Float(logOf($1.sum))) }
    }

    /// The gradient by the states; gives the divergence of each row, 0 where none is kept.
    private func gradient(
        _ states: UnsafePointer<Float>, _ rows: Rows, _ lse: [Float],
        into gradient: UnsafeMutablePointer<Float>?
    ) -> [Float] {
        let width = { (columns: Range<Int>) in padded(columns.count, 16) }
        let divergence = AlignedBuffer<Float>(rows.learned)
        let counts = AlignedBuffer<Bool>(rows.learned)
        var isWritten = false
        eachChunk(states, rows.learned..<rows.count) { row, columns, logits in
            if row < rows.targets.count {
                mnk_softmax_gradient(
                    kernels.features, logits, columns.count, lse[row], rows.factor(row))
                let target = Int(rows.targets[row])
                if columns.contains(target) { logits[target - columns.lowerBound] -= rows.factor(row) }
            } else {
                let base = row + rows.kept
                var d = mnk_divergence(
                    base: logits + rows.kept * width(columns), base_lse: lse[base], lse: lse[row])
                mnk_divergence_gradient(
                    kernels.features, &d, logits, columns.count, rows.keptWeight,
                    divergence.pointer + row)
            }
            for i in columns.count..<width(columns) { logits[i] = 0 }
            // A row of no weight has no gradient, and any number would reach its bound.
            let weight = abs(rows.factor(row))
            counts.pointer[row] =
                weight > 0 && Self.reaches(SkippedChunks.least * weight, logits, count: width(columns))
        } then: { weights in
            guard let gradient else { return }
            skipped.all += 1
            guard (0..<rows.learned).contains(where: { counts.pointer[$0] }) else {
                skipped.left += 1
                return
            }
            kernels.frozen(
                weights, transposed: true, input: logits.pointer, rows: rows.learned,
                accumulate: isWritten, into: gradient)
            isWritten = true
        }
        if let gradient, !isWritten {
            gradient.update(repeating: 0, count: padded(rows.learned, 32) * output.inputs)
        }
        return Array(UnsafeBufferPointer(start: divergence.pointer, count: rows.learned))
    }

    /// True if a number is as large, either way; of as many as a multiple of 16.
    private static func reaches(_ least: Float, _ x: UnsafePointer<Float>, count: Int) -> Bool {
        let bound = SIMD16<Float>(repeating: least)
        for i in stride(from: 0, to: count, by: 16) {
            let v = UnsafeRawPointer(x + i).loadUnaligned(as: SIMD16<Float>.self)
            if any((v .>= bound) .| (v .<= -bound)) { return true }
        }
        return false
    }

    /// Computes the logits of each chunk, calls `body` for each row and then `then` for the chunk.
    ///
    /// - Parameter computed: logits are computed of rows up to its end; `body` is called for those
    ///   before its beginning.
    private func eachChunk(
        _ states: UnsafePointer<Float>, _ computed: Range<Int>,
        _ body: (_ row: Int, _ columns: Range<Int>, _ logits: UnsafeMutablePointer<Float>) -> Void,
        then: (_ weights: StoredRows) -> Void
    ) {
        for start in stride(from: 0, to: vocabulary, by: Self.chunk) {
            let columns = start..<min(vocabulary, start + Self.chunk)
            let weights = output[columns]
            kernels.frozen(weights, input: states, rows: computed.upperBound, into: logits.pointer)
            let width = padded(columns.count, 16)
            kernels.share(computed.lowerBound) { mine in
                for row in mine { body(row, columns, logits.pointer + row * width) }
            }
            then(weights)
        }
    }
}
