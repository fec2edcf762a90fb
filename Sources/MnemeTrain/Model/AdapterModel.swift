import CMnemeKernels
import Foundation
import MnemeBase
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
    /// Of each block but the last, what it learns to make small where tokens are projected targets: of the last
    /// batch, times its weight.
    package private(set) var targetDistances: [Double] = []

    private let model: FrozenDecoder
    let kernels: TrainingKernels
    private let workspace: LayerWorkspace
    private let angles: RotaryAngles
    let entropy: CrossEntropy
    /// Tokens that stand for procedures; nil where none are learned.
    let procedures: ProcedureRows?
    /// A network beside the model; nil where none is learned.
    let side: SideRows?
    /// Owns each layer's input and values.
    private let saved: any SavedTensorPolicy
    private let route: any GradientRoute
    private var placement: any WeightPlacement
    private let ownPlacement: any WeightPlacement
    /// The other ranks, while there are some.
    private var shared: SharedParameters?
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
        guard shape.learnsMagnitudes != true || strategies.savedTensors.kind != .wtacrs else {
            throw TrainingError(
                .invalidSetting,
                "wtacrs keeps some of the inputs, and rows' lengths (DoRA) need all. Save tensors another way.")
        }
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
        let more = strategies.route.layout(c)
        parameters = LowRankParameters(shape, c, seed: seed)
        if let more { parameters.grow(learned: more.biases, copies: more.averages) }
        procedures = try strategies.route.procedures(shape, c, parameters)
        procedures?.begin(model.embedding, seed: seed)
        let side = try strategies.route.side(shape, c, parameters)
        let matrices = model.layers[0].linears.map { $0.weights.packedBytes(precision) }
        let width = max(c.hiddenSize, c.intermediateSize, c.heads * c.headDimension)
        let rows = batchTokens + keptTokens
        kernels = TrainingKernels(
            pool: pool, features: features, precision: precision, rows: rows,
            matrixBytes: max(
                matrices.max() ?? 0, CrossEntropy.packedBytes(model.output, precision)),
            width: max(width, min(CrossEntropy.chunk, c.vocabularySize)),
            rank: padded(
                max(shape.rank, keptTokens > 0 ? InputSubspace.directions(width) : 0), 16))
        var sizes = LayerSizes(c, tokens: batchTokens, rank: shape.rank)
        sizes.learnsMagnitudes = shape.learnsMagnitudes == true
        sizes.isForwardOnly = side != nil
        workspace = LayerWorkspace(
            sizes, arena, scratchFloats: mnk_training_scratch(batchTokens, c.headDimension),
            threads: pool.threadCount)
        ownPlacement = strategies.placement.make(model.layers, arena)
        placement = ownPlacement
        self.side = side.map { [memory = (parameters, kernels, arena)] in
            SideRows($0, seed: seed, rows: batchTokens, in: memory)
        }
        route = strategies.route.make(
            sizes, parameters, beside: (procedures, self.side), arena: arena)
        saved = try strategies.savedTensors.make(
            SavedTensorPlan(
                sizes: sizes, layers: route.slots, arena: arena,
                share: strategies.savedTensors.share, seed: seed))
        angles = RotaryAngles(c.rope, positions: batchTokens)
        entropy = CrossEntropy(kernels, model, rows: rows, procedures)
        states = arena.make(padded(rows, 32) * c.hiddenSize, .products)
        stateGradients = arena.make(sizes.rows * c.hiddenSize, .products)
        arena.add(kernels.byteCount + entropy.byteCount, .products)
        arena.add(4 * (parameters.count + parameters.lengths.count), .parameters)
        arena.add(4 * parameters.count, .gradients)
        parameters.takeLengths(of: model.layers, scale: shape.scale, kernels)
    }

    /// Memory that nothing reads between a step's gradient and the next one's.
    var idleMemory: [AlignedBuffer<Float>] {
        [workspace.wide1, workspace.wide2, workspace.stream, workspace.attendedGradient]
    }

    /// Shares the parameters with other ranks, or with none any more.
    func share(_ shared: SharedParameters?) {
        count(self.shared, -4)
        self.shared = shared
        placement = shared.map { GatheredTerms(ownPlacement, $0) } ?? ownPlacement
        count(shared, 4)
    }

    /// Counts a rank's part, and one layer for what comes and goes; or all.
    private func count(_ shared: SharedParameters?, _ bytes: Int) {
        let layer = (0..<configuration.layers).map { parameters.range(of: $0).count }.max() ?? 0
        let part = shared.map { $0.own.count + layer } ?? parameters.count
        let stage = shared?.settings.stage ?? 0
        arena.add(bytes * (stage > 2 ? part : parameters.count), .parameters)
        arena.add(bytes * (stage > 1 ? part : parameters.count), .gradients)
    }

    /// Rows of layers that were computed a second time, of all steps.
    public var recomputedRows: Int { workspace.recomputedRows }

    /// The part of the loss's gradient, in chunks of the vocabulary, that was too small to be computed (Cut
    /// Your Losses, Wijmans et al. 2024 [233]), of all steps.
    public var skippedLossShare: Double {
        Double(entropy.skipped.left) / Double(max(1, entropy.skipped.all))
    }

    /// Parameters that are learned.
    public var parameterCount: Int { parameters.extra + parameters.extraLearned }

    /// What was learned so far.
    public var adapter: Adapter {
        if let procedures { return Adapter(procedures.tokens) }
        return side.map { Adapter($0.network) } ?? parameters.adapter(shape, configuration)
    }

    /// Begins with an adapter's values.
    ///
    /// - Throws: ``TrainingError`` if it is of another kind or shape.
    func load(_ start: Adapter) throws {
        if let procedures {
            if let earlier = start.procedures { try procedures.load(earlier) }
            procedures.renormalize()
        } else if let side {
            guard let network = start.side else {
                throw TrainingError(
                    .invalidSetting, "The adapter to start from has no side network. Take another --route.")
            }
            try side.load(network)
        } else {
            try parameters.load(start, configuration)
        }
    }

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

    /// The sum of KL(base || model) over the batch's kept rows, from a model's normed states of them.
    func divergence(_ batch: TrainingBatch, from base: [Float]) -> Double {
        let end = forward(batch)
        gather(batch, slot: end)
        let hidden = configuration.hiddenSize
        let kept = base.count / hidden
        base.withUnsafeBufferPointer {
            guard let from = $0.baseAddress else { return }
            (states.pointer + (batch.targetCount + kept) * hidden).update(from: from, count: $0.count)
        }
        let rows = CrossEntropy.Rows(targets: gatherTargets(batch), weight: 0, kept: kept)
        return entropy.loss(states.pointer, rows, gradient: nil).divergence
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
        return addGradient(batch, rows, base)
    }

    /// Adds the gradient of the rows' losses, times their weights.
    func addGradient(_ batch: TrainingBatch, _ rows: CrossEntropy.Rows, _ base: [Float]) -> LossSums {
        let hidden = configuration.hiddenSize
        guard rows.learned > 0 || shared != nil else { return (0, 0) }
        embed(batch)
        return route.addGradient(
            RouteContext(
                layers: configuration.layers, saved: saved,
                streamFloats: batch.tokens.count * hidden, hidden: hidden, parameters: parameters,
                stream: workspace.stream.pointer,
                pass: { self.pass(batch, $0, learning: $1) },
                head: { self.head(batch, slot: $0, rows, base) },
                aim: { self.aim(batch, slot: $0, block: $1, weight: rows.weight) }))
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

    /// Leaves in the workspace's stream the gradient of half the mean square between the normed rows that have
    /// a target and random signs for it, times `weight`.
    private func aim(_ batch: TrainingBatch, slot: Int, block: Int, weight: Float) {
        let (hidden, targets) = (configuration.hiddenSize, gatherTargets(batch))
        gather(batch, slot: slot)
        let scale = weight / Float(hidden)
        kernels.share(targets.count) { mine in
            for row in mine {
                var bits: UInt64 = 0
                for i in 0..<hidden {
                    if i % 64 == 0 {
                        let place = UInt64(block) << 32 | UInt64(i / 64) << 48
                        bits = SplitMix64.mixed(UInt64(targets[row]) | place)
                    }
                    let sign: Float = bits >> UInt64(i % 64) & 1 == 1 ? 1 : -1
                    let at = row * hidden + i
                    states.pointer[at] -= sign
                    stateGradients.pointer[at] = scale * states.pointer[at]
                }
            }
        }
        let squares = (0..<targets.count * hidden).reduce(0.0) {
            $0 + Double(states.pointer[$1]) * Double(states.pointer[$1])
        }
        if block == 0 { targetDistances = [] }
        targetDistances.append(Double(scale) * squares / 2)
        scatter(batch, slot: slot, rows: targets.count)
    }

    func gatherTargets(_ batch: TrainingBatch) -> [Int32] { batch.targets.filter { $0 >= 0 } }

    /// Tokens whose rows go through the output: those with a target, then kept ones.
    private func outputTokens(_ batch: TrainingBatch) -> [Int] {
        batch.tokens.indices.filter { batch.targets[$0] >= 0 } + batch.kept
    }

    /// Calls `body` with each layer's values in turn, computed without the adapter.
    func readBase(_ batch: TrainingBatch, _ body: (_ layer: Int, LayerValues) -> Void) {
        parameters.isOff = true
        defer { parameters.isOff = false }
        forward(batch, seen: body)
    }

    /// Through all layers, keeping nothing; gives the slot whose input is the last one's output.
    @discardableResult
    func forward(
        _ batch: TrainingBatch, seen: (_ layer: Int, LayerValues) -> Void = { _, _ in }
    ) -> Int {
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
            let pass = pass(batch, Array(start..<start + end), learning: 0)
            for slot in 0..<end {
                pass.forward(slot)
                seen(start + slot, saved.values[slot])
                side?.take(start + slot, saved.inputs[slot + 1].pointer)
            }
            start += end
        }
        if !parameters.isOff { side?.add(to: saved.inputs[end].pointer) }
        return end
    }

    /// A pass for the gradient where some of the layers learn.
    private func pass(_ batch: TrainingBatch, _ layers: [Int], learning: Int) -> LayerPass {
        LayerPass(
            configuration: configuration, placement: placement, parameters: parameters,
            shape: shape, kernels: kernels,
            workspace: workspace, angles: angles, batch: batch, layers: layers,
            learning: learning, saved: saved, step: step, trains: learning > 0,
            didLearn: { self.shared?.finish($0) },
            ring: batch.parts == nil ? nil : shared?.ring(configuration))
    }

    /// Embeddings of the batch's tokens: the first layer's input.
    private func embed(_ batch: TrainingBatch) {
        precondition(batch.tokens.count <= batchTokens, "The batch is too large.")
        side?.begin(outputTokens(batch))
        let hidden = configuration.hiddenSize
        kernels.share(batch.tokens.count) { mine in
            for t in mine {
                let to = saved.inputs[0].pointer + t * hidden
                if let row = procedures?.embedding(batch.tokens[t]) {
                    to.update(from: row, count: hidden)
                } else {
                    model.embedding.row(Int(batch.tokens[t]), into: to)
                }
            }
        }
    }

    /// The last layer's rows that have a target and then those that are kept, normed.
    @discardableResult
    func gather(_ batch: TrainingBatch, slot: Int) -> UnsafePointer<Float> {
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
        if let procedures { return try procedures.check() }
        if let side {
            guard (2...256).contains(side.reduction) else {
                throw TrainingError(.invalidSetting, "A side network is narrower than its model by 2 to 256.")
            }
            return
        }
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
