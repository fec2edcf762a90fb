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
    /// Rows that have a target, kept ones, and the base's of these: normed, and their gradient.
    private let states: AlignedBuffer<Float>
    private let stateGradients: AlignedBuffer<Float>

    /// - Parameters:
    ///   - source: the base, read from its file where it lies.
    ///   - shape: of the adapter: its rank and scale, and the maps that it changes.
    ///   - batchTokens: of all sequences of a batch together.
    ///   - keptTokens: of these, tokens of kept sequences (``TrainingBatch/kept``) at most.
    ///   - seed: of the adapter's first values.
    ///   - pool: threads that share a batch's products.
    ///   - precision: the number format of products with the base's weights.
    ///   - features: instruction sets to use.
    /// - Throws: ``TrainingError`` for models that are not trained and shapes out of range;
    ///   `ModelError` for files that are no whole model.
    public init(
        _ source: ModelSource, shape: AdapterShape, batchTokens: Int, keptTokens: Int = 0, seed: UInt64,
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
        let rows = batchTokens + keptTokens
        kernels = TrainingKernels(
            pool: pool, features: features, precision: precision, rows: rows,
            matrixBytes: max(
                matrices.max() ?? 0, CrossEntropy.packedBytes(model.output, precision)),
            width: max(width, min(CrossEntropy.chunk, c.vocabularySize)),
            rank: padded(shape.rank, 16))
        workspace = LayerWorkspace(
            c, tokens: batchTokens,
            scratchFloats: mnk_training_scratch(batchTokens, c.headDimension),
            threads: pool.threadCount, rank: shape.rank)
        angles = RotaryAngles(c.rope, positions: batchTokens)
        entropy = CrossEntropy(kernels, model, rows: rows)
        let row = padded(batchTokens, 32) * c.hiddenSize
        streams = (0...c.layers).map { _ in AlignedBuffer(row) }
        states = AlignedBuffer(padded(rows, 32) * c.hiddenSize)
        stateGradients = AlignedBuffer(row)
    }

    /// Bytes by what they are for; the base is in its file's pages, which the system can take back.
    public var byteCounts: (parameters: Int, activations: Int, layer: Int, products: Int) {
        (
            8 * parameters.count, 4 * (streams.reduce(0) { $0 + $1.count } + states.count + stateGradients.count),
            workspace.byteCount, kernels.byteCount + 4 * entropy.logits.count
        )
    }

    /// Parameters that are learned.
    public var parameterCount: Int { parameters.count }

    /// The sum of -log p over the batch's targets.
    public func loss(_ batch: TrainingBatch) -> Double {
        forward(batch)
        return entropy.loss(
            gather(batch), CrossEntropy.Rows(targets: gatherTargets(batch), weight: 0), gradient: nil
        ).loss
    }

    /// The same, and adds `weight` times its gradient to the parameters'.
    public func addGradient(_ batch: TrainingBatch, weight: Float) -> Double {
        addGradient(batch, weight: weight, keeping: [], keptWeight: 0).loss
    }

    /// The base's normed states of the batch's kept rows, computed without the adapter: what
    /// ``addGradient(_:weight:keeping:keptWeight:)`` compares with.
    package func baseStates(_ batch: TrainingBatch) -> [Float] {
        parameters.isOff = true
        defer { parameters.isOff = false }
        forward(batch)
        let hidden = configuration.hiddenSize
        let from = gather(batch) + batch.targetCount * hidden
        return Array(UnsafeBufferPointer(start: from, count: batch.kept.count * hidden))
    }

    /// Adds `weight` times the gradient of the loss, and `keptWeight` times that of KL(base || model)
    /// over the kept rows; gives both sums (learning without forgetting, Li and Hoiem 2016).
    ///
    /// - Parameter base: the base's states of the kept rows, from ``baseStates(_:)``; empty for none.
    package func addGradient(
        _ batch: TrainingBatch, weight: Float, keeping base: [Float], keptWeight: Float
    ) -> (loss: Double, divergence: Double) {
        let hidden = configuration.hiddenSize
        let kept = base.count / hidden
        precondition(base.isEmpty || kept == batch.kept.count, "These are another batch's states.")
        let pass = forward(batch)
        let targets = gatherTargets(batch)
        gather(batch)
        base.withUnsafeBufferPointer {
            guard let from = $0.baseAddress else { return }
            (states.pointer + (targets.count + kept) * hidden).update(from: from, count: $0.count)
        }
        let rows = CrossEntropy.Rows(
            targets: targets, weight: weight, kept: kept, keptWeight: keptWeight)
        let sums = entropy.loss(states.pointer, rows, gradient: stateGradients.pointer)
        guard rows.learned > 0 else { return sums }
        scatter(batch, rows: rows.learned)
        let last = configuration.layers - 1
        for layer in stride(from: last, through: 0, by: -1) {
            // The workspace still holds the last layer's values.
            if layer < last {
                pass.forward(layer, input: streams[layer].pointer, output: nil)
            }
            pass.backward(layer, input: streams[layer].pointer, needsInput: layer > 0)
        }
        return sums
    }

    private func gatherTargets(_ batch: TrainingBatch) -> [Int32] { batch.targets.filter { $0 >= 0 } }

    /// Tokens whose rows go through the output: those with a target, then kept ones.
    private func outputTokens(_ batch: TrainingBatch) -> [Int] {
        batch.tokens.indices.filter { batch.targets[$0] >= 0 } + batch.kept
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

    /// The last layer's rows that have a target and then those that are kept, normed.
    @discardableResult
    private func gather(_ batch: TrainingBatch) -> UnsafePointer<Float> {
        let hidden = configuration.hiddenSize
        let last = streams[configuration.layers].pointer
        for (row, t) in outputTokens(batch).enumerated() {
            mnk_rms_norm(
                kernels.features, last + t * hidden, model.outputNorm, configuration.normEpsilon,
                1, hidden, 0, states.pointer + row * hidden)
        }
        return UnsafePointer(states.pointer)
    }

    /// The gradient of the last layer's output from that of the first `rows` normed rows.
    private func scatter(_ batch: TrainingBatch, rows: Int) {
        let hidden = configuration.hiddenSize
        let last = streams[configuration.layers].pointer
        let stream = workspace.stream.pointer
        stream.update(repeating: 0, count: batch.tokens.count * hidden)
        for (row, t) in outputTokens(batch).prefix(rows).enumerated() {
            mnk_rms_norm_backward(
                kernels.features, last + t * hidden, model.outputNorm, configuration.normEpsilon,
                1, hidden, stateGradients.pointer + row * hidden, stream + t * hidden)
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
