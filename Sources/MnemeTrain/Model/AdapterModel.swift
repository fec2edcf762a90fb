import CMnemeKernels
import Foundation
public import MnemeModels
public import MnemeNumerics

/// A frozen decoder with low-rank terms, and the gradient of the loss by them.
///
/// For one thread at a time; the work is shared by a pool. Results are the same bits on any number
/// of threads.
public final class AdapterModel {
    /// The model's shape.
    public let configuration: DecoderConfiguration
    /// The adapter's shape.
    public let shape: AdapterShape
    /// Tokens of a batch at most.
    public let batchTokens: Int
    /// The number format of products with frozen weights.
    public let precision: TrainingPrecision
    package let parameters: LowRankParameters

    private let model: FrozenDecoder
    private let kernels: TrainingKernels
    private let workspace: LayerWorkspace
    private let angles: RotaryAngles
    private let entropy: CrossEntropy
    /// Each layer's input, and the last one's output.
    private let streams: [AlignedBuffer<Float>]
    /// Rows that have a target: normed, and their gradient.
    private let states: AlignedBuffer<Float>
    private let stateGradients: AlignedBuffer<Float>

    /// - Parameters:
    ///   - source: the base, read from its file where it lies.
    ///   - shape: of the adapter: its rank and scale, and the maps that it changes.
    ///   - batchTokens: of all sequences of a batch together.
    ///   - seed: of the adapter's first values.
    ///   - pool: threads that share a batch's products.
    ///   - precision: the number format of products with the base's weights.
    ///   - features: instruction sets to use.
    /// - Throws: ``TrainingError`` for models that are not trained and shapes out of range;
    ///   `ModelError` for files that are no whole model.
    public init(
        _ source: ModelSource, shape: AdapterShape, batchTokens: Int, seed: UInt64,
        pool: ThreadPool = .shared, precision: TrainingPrecision = .fastest,
        features: ProcessorFeatures = .current
    ) throws {
        let model = try FrozenDecoder(source)
        let c = model.configuration
        try shape.check()
        guard precision == .f32 || features.contains(.amxBF16) else {
            throw TrainingError(
                .invalidSetting, "This processor has no products of bfloat16. Train with f32.")
        }
        if let window = c.slidingWindow, window < batchTokens {
            throw TrainingError(
                .unsupportedModel,
                "\(source.path) sees \(window) positions. Train with batches of at most as many tokens."
            )
        }
        self.model = model
        self.shape = shape
        self.batchTokens = batchTokens
        self.precision = precision
        configuration = c
        parameters = LowRankParameters(shape, c, seed: seed)
        let matrices = model.layers[0].linears.map { $0.weights.packedBytes(precision) }
        let width = max(c.hiddenSize, c.intermediateSize, c.heads * c.headDimension)
        kernels = TrainingKernels(
            pool: pool, features: features, precision: precision, rows: batchTokens,
            matrixBytes: max(
                matrices.max() ?? 0, CrossEntropy.packedBytes(model.output, precision)),
            width: max(width, min(CrossEntropy.chunk, c.vocabularySize)),
            rank: padded(shape.rank, 16))
        workspace = LayerWorkspace(
            c, tokens: batchTokens,
            scratchFloats: mnk_training_scratch(batchTokens, c.headDimension),
            threads: pool.threadCount, rank: shape.rank)
        angles = RotaryAngles(c.rope, positions: batchTokens)
        entropy = CrossEntropy(kernels, model, rows: batchTokens)
        let row = padded(batchTokens, 32) * c.hiddenSize
        streams = (0...c.layers).map { _ in AlignedBuffer(row) }
        states = AlignedBuffer(row)
        stateGradients = AlignedBuffer(row)
    }

    /// Bytes by what they are for; the base is in its file's pages, which the system can take back.
    public var byteCounts: (parameters: Int, activations: Int, layer: Int, products: Int) {
        (
            8 * parameters.count, 4 * (streams.reduce(0) { $0 + $1.count } + 2 * states.count),
            workspace.byteCount, kernels.byteCount + 4 * entropy.logits.count
        )
    }

    /// Parameters that are learned.
    public var parameterCount: Int { parameters.count }

    /// The sum of -log p over the batch's targets.
    public func loss(_ batch: TrainingBatch) -> Double {
        forward(batch)
        return entropy.loss(
            gather(batch), targets: batch.targets.filter { $0 >= 0 }, weight: 0, gradient: nil)
    }

    /// The same, and adds `weight` times its gradient to the parameters'.
    public func addGradient(_ batch: TrainingBatch, weight: Float) -> Double {
        let pass = forward(batch)
        let targets = batch.targets.filter { $0 >= 0 }
        let loss = entropy.loss(
            gather(batch), targets: targets, weight: weight, gradient: stateGradients.pointer)
        guard !targets.isEmpty else { return 0 }
        scatter(batch)
        let last = configuration.layers - 1
        for layer in stride(from: last, through: 0, by: -1) {
            // The workspace still holds the last layer's values.
            if layer < last {
                pass.forward(layer, input: streams[layer].pointer, output: nil)
            }
            pass.backward(layer, input: streams[layer].pointer, needsInput: layer > 0)
        }
        return loss
    }

    @discardableResult
    private func forward(_ batch: TrainingBatch) -> LayerPass {
        precondition(batch.tokens.count <= batchTokens, "The batch is too large.")
        let pass = LayerPass(
            model: model, parameters: parameters, shape: shape, kernels: kernels,
            workspace: workspace, angles: angles, batch: batch)
        let hidden = configuration.hiddenSize
        kernels.share(batch.tokens.count) { mine in
            for t in mine {
                model.embedding.row(
                    Int(batch.tokens[t]), into: streams[0].pointer + t * hidden)
            }
        }
        for layer in 0..<configuration.layers {
            pass.forward(
                layer, input: streams[layer].pointer, output: streams[layer + 1].pointer)
        }
        return pass
    }

    /// The last layer's rows that have a target, normed.
    private func gather(_ batch: TrainingBatch) -> UnsafePointer<Float> {
        let hidden = configuration.hiddenSize
        let last = streams[configuration.layers].pointer
        var row = 0
        for t in batch.tokens.indices where batch.targets[t] >= 0 {
            mnk_rms_norm(
                kernels.features, last + t * hidden, model.outputNorm, configuration.normEpsilon,
                1, hidden, 0, states.pointer + row * hidden)
            row += 1
        }
        return UnsafePointer(states.pointer)
    }

    /// The gradient of the last layer's output from that of the normed rows.
    private func scatter(_ batch: TrainingBatch) {
        let hidden = configuration.hiddenSize
        let last = streams[configuration.layers].pointer
        let stream = workspace.stream.pointer
        stream.update(repeating: 0, count: batch.tokens.count * hidden)
        var row = 0
        for t in batch.tokens.indices where batch.targets[t] >= 0 {
            mnk_rms_norm_backward(
                kernels.features, last + t * hidden, model.outputNorm, configuration.normEpsilon,
                1, hidden, stateGradients.pointer + row * hidden, stream + t * hidden)
            row += 1
        }
    }
}

/// The natural logarithm, in double precision.
func logOf(_ x: Float) -> Double { log(Double(x)) }

extension AdapterShape {
    /// - Throws: ``TrainingError``.
    func check() throws {
        guard (1...256).contains(rank) else {
            throw TrainingError(.invalidSetting, "A rank of \(rank) is not between 1 and 256.")
        }
        guard alpha > 0, alpha.isFinite else {
            throw TrainingError(.invalidSetting, "An alpha of \(alpha) is not a positive number.")
        }
        let known = LayerLinear.allCases.map(\.peftName)
        guard !targets.isEmpty, let bad = targets.first(where: { !known.contains($0) }) else {
            guard targets.isEmpty else { return }
            throw TrainingError(.invalidSetting, "An adapter needs at least one target module.")
        }
        throw TrainingError(
            .invalidSetting,
            "'\(bad.prefix(40))' is no target module. They are \(known.joined(separator: ", ")).")
    }
}
