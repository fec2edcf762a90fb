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
    /// Counts the memory.
    public let arena = TrainingArena()
    package let parameters: LowRankParameters
    /// The number of the step that is computed: draws follow from it.
    package var step = 0

    private let model: FrozenDecoder
    private let kernels: TrainingKernels
    private let workspace: LayerWorkspace
    private let angles: RotaryAngles
    private let entropy: CrossEntropy
    /// Owns each layer's input and values.
    private let saved: any SavedTensorPolicy
    private let route: any GradientRoute
    private let placement: any WeightPlacement
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
    ///   - strategies: what is kept between the passes, how gradients are found, and where the base's
    ///     weights are meanwhile.
    /// - Throws: ``TrainingError`` for models that are not trained and shapes out of range;
    ///   `ModelError` for files that are no whole model.
    public init(
        _ source: ModelSource, shape: AdapterShape, batchTokens: Int, keptTokens: Int = 0, seed: UInt64,
        pool: ThreadPool = .shared, precision: TrainingPrecision = .fastest,
        features: ProcessorFeatures = .current, strategies: TrainingStrategies = TrainingStrategies()
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
        let sizes = LayerSizes(c, tokens: batchTokens, rank: shape.rank)
        workspace = LayerWorkspace(
            sizes, arena, scratchFloats: mnk_training_scratch(batchTokens, c.headDimension),
            threads: pool.threadCount)
        placement = strategies.placement.make(model.layers, arena)
        route = strategies.route.make(sizes, layers: c.layers, arena: arena)
        saved = try strategies.savedTensors.make(
            SavedTensorPlan(
                sizes: sizes, layers: route.slots, arena: arena,
                share: strategies.savedTensors.share, seed: seed))
        angles = RotaryAngles(c.rope, positions: batchTokens)
        entropy = CrossEntropy(kernels, model, rows: rows)
        states = arena.make(padded(rows, 32) * c.hiddenSize, .products)
        stateGradients = arena.make(sizes.rows * c.hiddenSize, .products)
        arena.add(kernels.byteCount + 4 * entropy.logits.count, .products)
        arena.add(4 * parameters.count, .parameters)
        arena.add(4 * parameters.count, .gradients)
    }

    /// Rows of layers that were computed a second time, of all steps.
    public var recomputedRows: Int { workspace.recomputedRows }

    /// Parameters that are learned.
    public var parameterCount: Int { parameters.count }

    /// The sum of -log p over the batch's targets.
    public func loss(_ batch: TrainingBatch) -> Double {
        let end = forward(batch)
        return entropy.loss(
            gather(batch, slot: end), CrossEntropy.Rows(targets: gatherTargets(batch), weight: 0),
            gradient: nil
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
        let end = forward(batch)
        let hidden = configuration.hiddenSize
        let from = gather(batch, slot: end) + batch.targetCount * hidden
        return Array(UnsafeBufferPointer(start: from, count: batch.kept.count * hidden))
    }

    /// Adds `weight` times the gradient of the loss, and `keptWeight` times that of KL(base || model)
    /// over the kept rows; gives both sums (learning without forgetting, Li and Hoiem 2016).
    ///
    /// - Parameter base: the base's states of the kept rows, from ``baseStates(_:)``; empty for none.
    package func addGradient(
        _ batch: TrainingBatch, weight: Float, keeping base: [Float], keptWeight: Float
    ) -> LossSums {
        let hidden = configuration.hiddenSize
        let kept = base.count / hidden
        precondition(base.isEmpty || kept == batch.kept.count, "These are another batch's states.")
        let rows = CrossEntropy.Rows(
            targets: gatherTargets(batch), weight: weight, kept: kept, keptWeight: keptWeight)
        guard rows.learned > 0 else { return (0, 0) }
        embed(batch)
        return route.addGradient(
            RouteContext(
                layers: configuration.layers, saved: saved,
                streamFloats: batch.tokens.count * hidden,
                pass: { self.pass(batch, $0, learning: $1) },
                head: { self.head(batch, slot: $0, rows, base) }))
    }

    /// The sums for a slot's input as the last layer's output; their gradient is left in the
    /// workspace's stream.
    private func head(
        _ batch: TrainingBatch, slot: Int, _ rows: CrossEntropy.Rows, _ base: [Float]
    ) -> LossSums {
        gather(batch, slot: slot)
        base.withUnsafeBufferPointer {
            guard let from = $0.baseAddress else { return }
            (states.pointer + rows.learned * configuration.hiddenSize).update(
                from: from, count: $0.count)
        }
        let sums = entropy.loss(states.pointer, rows, gradient: stateGradients.pointer)
        scatter(batch, slot: slot, rows: rows.learned)
        return sums
    }

    private func gatherTargets(_ batch: TrainingBatch) -> [Int32] { batch.targets.filter { $0 >= 0 } }

    /// Tokens whose rows go through the output: those with a target, then kept ones.
    private func outputTokens(_ batch: TrainingBatch) -> [Int] {
        batch.tokens.indices.filter { batch.targets[$0] >= 0 } + batch.kept
    }

    /// Through all layers, keeping nothing; gives the slot whose input is the last one's output.
    private func forward(_ batch: TrainingBatch) -> Int {
        embed(batch)
        var (start, end) = (0, 0)
        while start < configuration.layers {
            if start > 0 {
                // Where not all layers have memory, the next ones have that of the ones before.
                saved.inputs[0].pointer.update(
                    from: saved.inputs[end].pointer,
                    count: batch.tokens.count * configuration.hiddenSize)
            }
            end = min(route.slots, configuration.layers - start)
            pass(batch, Array(start..<start + end), learning: 0).forward()
            start += end
        }
        return end
    }

    /// A pass for the gradient where some of the layers learn.
    private func pass(_ batch: TrainingBatch, _ layers: [Int], learning: Int) -> LayerPass {
        LayerPass(
            configuration: configuration, placement: placement, parameters: parameters,
            shape: shape, kernels: kernels,
            workspace: workspace, angles: angles, batch: batch, layers: layers,
            learning: learning, saved: saved, step: step, trains: learning > 0)
    }

    /// Embeddings of the batch's tokens: the first layer's input.
    private func embed(_ batch: TrainingBatch) {
        precondition(batch.tokens.count <= batchTokens, "The batch is too large.")
        let hidden = configuration.hiddenSize
        kernels.share(batch.tokens.count) { mine in
            for t in mine {
                model.embedding.row(
                    Int(batch.tokens[t]), into: saved.inputs[0].pointer + t * hidden)
            }
        }
    }

    /// The last layer's rows that have a target and then those that are kept, normed.
    @discardableResult
    private func gather(_ batch: TrainingBatch, slot: Int) -> UnsafePointer<Float> {
        let hidden = configuration.hiddenSize
        let last = saved.inputs[slot].pointer
        for (row, t) in outputTokens(batch).enumerated() {
            mnk_rms_norm(
                kernels.features, last + t * hidden, model.outputNorm, configuration.normEpsilon,
                1, hidden, 0, states.pointer + row * hidden)
        }
        return UnsafePointer(states.pointer)
    }

    /// The gradient of the last layer's output from that of the first `rows` normed rows.
    private func scatter(_ batch: TrainingBatch, slot: Int, rows: Int) {
        let hidden = configuration.hiddenSize
        let last = saved.inputs[slot].pointer
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
