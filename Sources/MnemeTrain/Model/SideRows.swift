import MnemeBase
import MnemeModels
import MnemeNumerics

/// Which side network a training learns (`SideNetwork`).
public struct SideShape: Sendable, Equatable, Codable {
    /// The hidden size by the network's width.
    public var reduction: Int

    /// A network narrower than the model by this factor.
    public init(reduction: Int = 16) { self.reduction = reduction }

    /// Sizes beside a model: the width is a multiple of 4.
    func sizes(_ c: DecoderConfiguration) -> SideSizes {
        SideSizes(hidden: c.hiddenSize, layers: c.layers, width: max(4, padded(c.hiddenSize / reduction, 4)))
    }
}

/// A side network's learned numbers behind all terms, and its values of the rows of a batch that go through the
/// output: both passes of the network, beside a model of which nothing is kept.
final class SideRows {
    private let step: SideStep
    private let parameters: LowRankParameters
    private let kernels: TrainingKernels
    private let seed: Int
    /// For each layer and row: ``SideStep/Row``.
    private let saved: AlignedBuffer<Float>
    /// For each row: the gradient of g; of u and of U·u; of β in this layer.
    private let gradients: AlignedBuffer<Float>
    private let rows: Int
    /// Tokens of the batch whose rows these are.
    private var tokens: [Int] = []

    private var sizes: SideSizes { step.sizes }

    /// - Parameters:
    ///   - rows: of a batch at most.
    ///   - memory: what is learned, and what it is computed with and counted by.
    init(
        _ sizes: SideSizes, seed: UInt64, rows: Int,
        in memory: (parameters: LowRankParameters, kernels: TrainingKernels, arena: TrainingArena)
    ) {
        (parameters, kernels, self.rows) = (memory.parameters, memory.kernels, rows)
        let arena = memory.arena
        self.seed = Int(seed % UInt64(SideNetwork.seeds.upperBound))
        step = SideStep(sizes, seed: self.seed, values: parameters.values, offset: parameters.extra)
        arena.add(step.byteCount - 4 * parameters.values.count, .weights)
        saved = arena.make(sizes.layers * rows * SideStep.Row.count(sizes), .saved)
        gradients = arena.make(rows * (2 * sizes.width + sizes.wide + 1), .layer)
        begin(seed)
    }

    /// U is uniform in ±1/√width, β a half, and all else zero: the network changes nothing at first.
    private func begin(_ seed: UInt64) {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x7369_6465))
        let bound = 1 / Double(sizes.width).squareRoot()
        for layer in 0..<sizes.layers {
            for i in 0..<sizes.wide * sizes.width {
                step.parameter(sizes.up(layer))[i] = Float((2 * generator.unit() - 1) * bound)
            }
            step.parameter(sizes.mix(layer)).pointee = 0.5
        }
    }

    private func row(_ layer: Int, _ row: Int) -> SideStep.Row {
        SideStep.Row(saved.pointer + (layer * rows + row) * SideStep.Row.count(sizes), sizes)
    }

    /// Begins a pass for these tokens of a batch.
    func begin(_ tokens: [Int]) { self.tokens = tokens }

    /// Takes the states behind a layer, those of all tokens.
    func take(_ layer: Int, _ states: UnsafePointer<Float>) {
        kernels.share(tokens.count) { mine in
            for r in mine {
                step.take(
                    layer, states + tokens[r] * sizes.hidden,
                    before: layer == 0 ? nil : UnsafePointer(row(layer - 1, r).output), into: row(layer, r))
            }
        }
    }

    /// Adds what the network comes to to the last layer's states.
    func add(to states: UnsafeMutablePointer<Float>) {
        kernels.share(tokens.count) { mine in
            for r in mine { step.add(row(sizes.layers - 1, r).output, to: states + tokens[r] * sizes.hidden) }
        }
    }

    /// Adds the gradients of all numbers by that of the states that ``add(to:)`` made.
    ///
    /// - Parameters:
    ///   - stream: the gradient, of all tokens.
    ///   - lengths: of the states before, see ``lengths(_:)``.
    func addGradient(_ stream: UnsafePointer<Float>, lengths: [Float]) {
        let (hidden, width) = (sizes.hidden, sizes.width)
        let matrix = step.parameter(sizes.output)
        let (dg, last) = (gradients.pointer, sizes.layers - 1)
        kernels.share(tokens.count) { mine in
            for r in mine {
                let from = stream + tokens[r] * hidden
                for j in 0..<width { dg[r * width + j] = 0 }
                for i in 0..<hidden {
                    let g = lengths[r] * from[i]
                    for j in 0..<width { dg[r * width + j] += g * matrix[i * width + j] }
                }
            }
        }
        kernels.share(hidden) { mine in
            for i in mine {
                let to = gradient(sizes.output) + i * width
                for r in tokens.indices {
                    let (g, output) = (lengths[r] * stream[tokens[r] * hidden + i], row(last, r).output)
                    for j in 0..<width { to[j] += g * output[j] }
                }
            }
        }
        for layer in (0...last).reversed() { pull(layer) }
    }

    /// From the gradient of a layer's g to that of the layer before.
    private func pull(_ layer: Int) {
        let (width, wide) = (sizes.width, sizes.wide)
        let dg = gradients.pointer
        let du = dg + rows * width
        let da = du + rows * width
        let dbeta = da + rows * wide
        let (up, down) = (step.parameter(sizes.up(layer)), step.parameter(sizes.down(layer)))
        kernels.share(tokens.count) { mine in
            for r in mine {
                let (own, before) = (row(layer, r), layer == 0 ? nil : row(layer - 1, r).output)
                for j in 0..<width { du[r * width + j] = dg[r * width + j] }
                for k in 0..<wide {
                    var sum: Float = 0
                    if own.wide[k] > 0 {
                        for j in 0..<width { sum += down[j * wide + k] * dg[r * width + j] }
                        for j in 0..<width { du[r * width + j] += sum * up[k * width + j] }
                    }
                    da[r * wide + k] = sum
                }
                dbeta[r] = 0
                for j in 0..<width { dbeta[r] += du[r * width + j] * ((before?[j] ?? 0) - own.projected[j]) }
            }
        }
        kernels.share(wide) { mine in
            for k in mine {
                let to = gradient(sizes.up(layer)) + k * width
                for r in tokens.indices where da[r * wide + k] != 0 {
                    let mixed = row(layer, r).mixed
                    for j in 0..<width { to[j] += da[r * wide + k] * mixed[j] }
                }
            }
        }
        kernels.share(width) { mine in
            for j in mine {
                let to = gradient(sizes.down(layer)) + j * wide
                for r in tokens.indices {
                    let values = row(layer, r).wide
                    for k in 0..<wide where values[k] > 0 { to[k] += dg[r * width + j] * values[k] }
                }
            }
        }
        let beta = step.parameter(sizes.mix(layer)).pointee
        for r in tokens.indices {
            gradient(sizes.mix(layer)).pointee += dbeta[r]
            for j in 0..<width { dg[r * width + j] = beta * du[r * width + j] }
        }
    }

    /// The roots of the mean squares of a layer's states.
    func lengths(_ states: UnsafePointer<Float>) -> [Float] { tokens.map { step.size(states + $0 * sizes.hidden) } }

    private func gradient(_ place: Int) -> UnsafeMutablePointer<Float> {
        parameters.gradients.pointer + parameters.extra + place
    }

    /// What was learned so far.
    var network: SideNetwork {
        SideNetwork(
            sizes: sizes, seed: seed,
            values: Array(UnsafeBufferPointer(start: step.parameter(0), count: sizes.count)))
    }

    /// Goes on from a network of the same sizes and signs.
    ///
    /// - Throws: ``TrainingError`` if it has others.
    func load(_ network: SideNetwork) throws {
        guard network.sizes == sizes, network.seed == seed else {
            throw TrainingError(
                .invalidSetting,
                "The side network to start from has another width or seed. Train with the same --route and --seed.")
        }
        for (i, value) in network.values.enumerated() { step.parameter(0)[i] = value }
    }
}
