package import MnemeEmbedding
import MnemeModels
package import MnemeNumerics

/// A frozen encoder with low-rank terms, and the gradient of a loss of its vectors by them.
///
/// Texts go through in parts of some hundred tokens: first for their vectors alone, then, with the
/// gradient of the vectors, part after part through both passes. So a batch may have any number of
/// texts, and memory is that of a part (GradCache, Gao et al. 2021). For one thread at a time; a
/// pool shares the work. Results are the same bits on any number of threads.
package final class EncoderModel {
    /// Elements of a vector.
    package var dimension: Int { head.dimension }
    /// Counts the memory.
    package let arena = TrainingArena()
    package let parameters: LowRankParameters
    /// The shape of the terms.
    package let shape: AdapterShape

    /// Tokens of a part, if no text has more.
    private static let partTokens = 512

    private let head: EncoderHead
    private let model: EncoderPass.Model
    private let hidden, partTokens: Int

    /// - Parameters:
    ///   - folder: the base.
    ///   - settings: the terms' shape, the seed of their first values, and the tokens of a text at most.
    ///   - pool: threads that share a part's products.
    ///   - features: instruction sets to use.
    /// - Throws: ``TrainingError`` for a shape out of range; `ModelError` for files that are no whole
    ///   model.
    package init(
        _ folder: EncoderFolder, _ settings: TrainingSettings, pool: ThreadPool = .shared,
        features: ProcessorFeatures = .current
    ) throws {
        let (c, shape) = (folder.configuration, settings.shape)
        try shape.check()
        let longest = min(settings.sequenceTokens, c.maximumTokens)
        (self.shape, hidden, partTokens) = (shape, c.hiddenSize, max(Self.partTokens, longest))
        let encoder = try FrozenEncoder(folder)
        head = try EncoderHead(folder.modules, hidden: c.hiddenSize)
        parameters = LowRankParameters(shape, layers: c.layers, seed: settings.seed) { FrozenEncoder.size($0, c) }
        let first = encoder.layers[0]
        let bytes = [first.query, first.up, first.down].map { $0.weights.packedBytes(.f32) }.max() ?? 0
        let kernels = TrainingKernels(
            pool: pool, features: features, precision: .f32, rows: padded(partTokens, 32),
            matrixBytes: bytes, width: max(c.hiddenSize, c.intermediateSize), rank: padded(shape.rank, 16))
        let workspace = EncoderWorkspace(
            EncoderWorkspace.Sizes(
                configuration: c, tokens: partTokens, longest: longest, rank: shape.rank,
                threads: pool.threadCount), arena)
        model = EncoderPass.Model(
            encoder: encoder, parameters: parameters, scale: shape.scale, kernels: kernels,
            workspace: workspace)
        arena.add(kernels.byteCount, .products)
        arena.add(4 * parameters.count, .parameters)
        arena.add(4 * parameters.count, .gradients)
    }

    /// Vectors of texts, one behind the other.
    package func vectors(_ texts: [[Int32]]) -> [Float] {
        var vectors = [Float](repeating: 0, count: texts.count * dimension)
        vectors.withUnsafeMutableBufferPointer { all in
            nonisolated(unsafe) let out = all.baseAddress!
            eachPart(of: texts) { pass, rows, part in
                eachText(pass) { text, at in
                    head.vector(
                        rows + at, count: pass.ranges[text].count,
                        into: out + part[text] * dimension)
                }
            }
        }
        return vectors
    }

    /// Adds the gradient of the terms by that of the texts' vectors.
    package func addGradient(_ texts: [[Int32]], vectorGradients: [Float]) {
        vectorGradients.withUnsafeBufferPointer { all in
            nonisolated(unsafe) let gradients = all.baseAddress!
            eachPart(of: texts) { pass, rows, part in
                eachText(pass) { text, at in
                    head.backward(
                        rows + at, count: pass.ranges[text].count,
                        gradient: gradients + part[text] * dimension, into: model.workspace.stream.pointer + at)
                }
                pass.backward()
            }
        }
    }

    /// The texts' indexes, in runs of at most ``partTokens`` tokens.
    private func parts(_ texts: [[Int32]]) -> [[Int]] {
        var parts: [[Int]] = []
        var tokens = partTokens
        for (index, text) in texts.enumerated() {
            precondition((1...partTokens).contains(text.count), "A text is longer than the model was made for.")
            if tokens + text.count > partTokens {
                parts.append([])
                tokens = 0
            }
            parts[parts.count - 1].append(index)
            tokens += text.count
        }
        return parts
    }

    /// Calls `body` for each part of the texts, with its pass, the rows that come out, and which texts
    /// they are of.
    private func eachPart(
        of texts: [[Int32]],
        _ body: (_ pass: EncoderPass, _ rows: UnsafeMutablePointer<Float>, _ part: [Int]) -> Void
    ) {
        for part in parts(texts) {
            let pass = EncoderPass(model, texts: part.map { texts[$0] })
            body(pass, pass.forward(), part)
        }
    }

    /// Calls `body` for each text of a pass, with where its rows begin, on the pool's threads.
    private func eachText(_ pass: EncoderPass, _ body: (_ text: Int, _ at: Int) -> Void) {
        model.kernels.share(pass.texts.count) { mine in
            for text in mine { body(text, pass.ranges[text].lowerBound * hidden) }
        }
    }
}
