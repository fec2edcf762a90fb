import Foundation
import MnemeBase

/// The shape of a decoder-only transformer: one description for every family that is read.
///
/// Families differ in values, not in code paths of their own: a norm that is there or not, a
/// window, a cap. What a new family needs beyond these is a new property here and a place in
/// `DecoderLayer`.
public struct DecoderConfiguration: Sendable, Equatable {
    /// The family, as GGUF names it: `llama`, `qwen2`, `qwen3`, `gemma2`, `gemma3`, `phi3`.
    public var architecture: String
    /// Decoder layers.
    public var layers: Int
    /// Width of a token's state.
    public var hiddenSize: Int
    /// Query heads.
    public var heads: Int
    /// Key-value heads; each serves heads/kvHeads query heads (GQA, Ainslie et al. 2023).
    public var kvHeads: Int
    /// Width of a head.
    public var headDimension: Int
    /// Width of the feed-forward layer.
    public var intermediateSize: Int
    /// Tokens of the vocabulary.
    public var vocabularySize: Int
    /// Tokens that the model was made for.
    public var contextLength: Int
    /// The epsilon that is added to the mean square.
    public var normEpsilon: Float
    /// Rotary embedding of positions.
    public var rope: RotaryEmbedding
    /// The one of layers with a window, where it differs (Gemma 3).
    public var localRope: RotaryEmbedding?
    /// Positions that a token sees.
    public var slidingWindow: Int?
    /// The layers that have the window; the others see all positions.
    public var windowedLayers = LayerPattern.all
    /// The activation that gates the feed-forward layer.
    public var activation = Activation.silu
    /// Multiplies the embeddings (Gemma).
    public var embeddingScale: Float = 1
    /// Multiplies the scores of attention; nil is 1/√headDimension.
    public var attentionScale: Float?
    /// Bounds scores of attention, and logits, by cap·tanh(x/cap) (Gemma 2).
    public var attentionCap: Float?, logitCap: Float?

    /// An activation function of a gated feed-forward layer (GLU variants, Shazeer 2020).
    public enum Activation: Sendable, Equatable {
        /// x·σ(x), also called Swish.
        case silu
        /// In its tanh form.
        case gelu
    }

    /// A choice of layers.
    public enum LayerPattern: Sendable, Equatable {
        /// Every layer.
        case all
        /// All but the last of each run of so many layers.
        case allButEvery(Int)
        /// One truth value a layer.
        case listed([Bool])

        /// True for the layers that are chosen; `index` counts from 0.
        public func contains(_ index: Int) -> Bool {
            switch self {
            case .all: true
            case .allButEvery(let n): (index + 1) % n != 0
            case .listed(let layers): layers.indices.contains(index) && layers[index]
            }
        }
    }

    /// All sizes; the rest is as most families have it and can be set.
    init(
        architecture: String, layers: Int, hiddenSize: Int, heads: Int, kvHeads: Int,
        headDimension: Int,
        intermediateSize: Int, vocabularySize: Int,
        contextLength: Int, normEpsilon: Float, rope: RotaryEmbedding
    ) {
        self.architecture = architecture
        self.layers = layers
        self.hiddenSize = hiddenSize
        self.heads = heads
        self.kvHeads = kvHeads
        self.headDimension = headDimension
        self.intermediateSize = intermediateSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.normEpsilon = normEpsilon
        self.rope = rope
    }

    /// Widths of a head that can be run; multiples of 16.
    static let headDimensions = 16...512

    /// Elements of one token's keys (or values) in one layer: kvHeads·headDimension.
    public var kvSize: Int { kvHeads * headDimension }
    /// Positions that a token sees in a layer; nil for all.
    public func window(layer: Int) -> Int? { windowedLayers.contains(layer) ? slidingWindow : nil }

    /// - Throws: ``ModelError`` if a size is out of range or the kernels cannot take it.
    func checked(_ path: String) throws -> DecoderConfiguration {
        func require(_ condition: Bool, _ what: String) throws {
            guard condition else {
                throw ModelError(
                    .unsupported, "\(path) describes a model with \(what), which cannot be run.")
            }
        }
        try require((1...1024).contains(layers), "\(layers) layers")
        try require(
            (16...65536).contains(hiddenSize) && hiddenSize % 16 == 0, "a width of \(hiddenSize)")
        try require(
            (1...1024).contains(heads) && (1...heads).contains(kvHeads) && heads % kvHeads == 0,
            "\(heads) heads over \(kvHeads)")
        try require(
            Self.headDimensions.contains(headDimension) && headDimension % 16 == 0,
            "heads of \(headDimension)")
        try require(heads / kvHeads <= 32, "\(heads / kvHeads) query heads a key-value head")
        try require(
            (16...1 << 20).contains(intermediateSize) && intermediateSize % 32 == 0,
            "a feed-forward width of \(intermediateSize)")
        try require((1...1 << 22).contains(vocabularySize), "\(vocabularySize) tokens")
        try require((1...1 << 24).contains(contextLength), "a context of \(contextLength)")
        try require(normEpsilon > 0 && normEpsilon < 1, "a norm epsilon of \(normEpsilon)")
        try require(
            slidingWindow.map { $0 > 0 } ?? true, "a window of \(slidingWindow ?? 0) positions")
        if case .allButEvery(let n) = windowedLayers {
            try require(n > 0, "a window in every layer but each \(n)th")
        }
        for cap in [attentionCap, logitCap].compactMap(\.self) {
            try require(cap > 0 && cap.isFinite, "a bound of \(cap)")
        }
        try require(
            attentionScale.map { $0 > 0 && $0.isFinite } ?? true,
            "scores scaled by \(attentionScale ?? 0)")
        for rope in [rope, localRope].compactMap(\.self) {
            try require(
                !rope.frequencies.isEmpty
                    && (rope.frequencies + [rope.magnitude]).allSatisfy(\.isFinite),
                "rotary angles that are no numbers")
        }
        if let localRope {
            try require(
                localRope.frequencies.count == rope.frequencies.count,
                "two rotary embeddings of different sizes")
        }
        try require(
            rope.frequencies.count * 2 <= headDimension,
            "\(rope.frequencies.count * 2) rotary dimensions in heads of \(headDimension)")
        return self
    }
}

/// Rotary position embedding (Su et al. 2021), with the ways of stretching it that published models
/// use.
public struct RotaryEmbedding: Sendable, Equatable {
    /// Radians a position for each pair.
    public var frequencies: [Double]
    /// Multiplies cosine and sine (YaRN, LongRoPE).
    public var magnitude: Double
    /// Pairs are (2i, 2i+1), as in GGUF files of the llama family, instead of (i, i + half).
    public var interleaved: Bool

    /// A way of stretching a model's positions beyond the context of its training.
    public enum Scaling: Sendable, Equatable {
        /// Frequencies as they are.
        case none
        /// Positions divided by the factor.
        case linear(factor: Double)
        /// Low frequencies divided, high ones kept, a smooth passage between (Llama 3.1).
        case llama3(factor: Double, low: Double, high: Double, original: Double)
        /// YaRN (Peng et al. 2023).
        case yarn(factor: Double, original: Double, fast: Double, slow: Double, magnitude: Double?)
        /// A larger base ("dynamic NTK"), for a context beyond the one of training; below it
        /// nothing changes.
        case ntk(factor: Double, original: Double, context: Double)
        /// A divisor for each frequency, found by search (LongRoPE, Ding et al. 2024).
        case divided(by: [Double], magnitude: Double)

        /// LongRoPE's choice among its two sets of divisors: by the context that the model shall
        /// run with, since keys that are kept cannot change their angles when a text outgrows the
        /// training's length.
        static func longRope(
            short: [Double], long: [Double], original: Double, context: Double, factor: Double,
            magnitude: Double?
        ) -> Scaling {
            .divided(
                by: context > original ? long : short,
                magnitude: magnitude
                    ?? (factor > 1 ? (1 + log(factor) / log(original)).squareRoot() : 1))
        }
    }

    /// - Parameters:
    ///   - dimensions: rotated elements of a head; even.
    ///   - base: θ.
    ///   - scaling: how positions are stretched beyond the context of the training.
    ///   - interleaved: whether pairs are (2i, 2i+1) instead of (i, i + half).
    public init(dimensions: Int, base: Double, scaling: Scaling = .none, interleaved: Bool) {
        let plain = (0..<dimensions / 2).map { pow(base, -2 * Double($0) / Double(dimensions)) }
        self.interleaved = interleaved
        magnitude = 1
        switch scaling {
        case .none: frequencies = plain
        case .linear(let factor): frequencies = plain.map { $0 / factor }
        case .llama3(let factor, let low, let high, let original):
            frequencies = plain.map { frequency in
                let wavelength = 2 * Double.pi / frequency
                if wavelength > original / low { return frequency / factor }
                if wavelength < original / high { return frequency }
                let smooth = (original / wavelength - low) / (high - low)
                return (1 - smooth) * frequency / factor + smooth * frequency
            }
        case .yarn(let factor, let original, let fast, let slow, let given):
            func dimension(_ rotations: Double) -> Double {
                Double(dimensions) * log(original / (rotations * 2 * .pi)) / (2 * log(base))
            }
            let low = max(dimension(fast).rounded(.down), 0)
            let high = min(dimension(slow).rounded(.up), Double(dimensions - 1))
            frequencies = plain.enumerated().map { i, frequency in
                let ramp = min(1, max(0, (Double(i) - low) / max(0.001, high - low)))
                return frequency / factor * ramp + frequency * (1 - ramp)
            }
            magnitude = given ?? (factor > 1 ? 0.1 * log(factor) + 1 : 1)
        case .ntk(let factor, let original, let context):
            let d = Double(dimensions)
            let stretch = factor * max(context, original) / original - (factor - 1)
            let larger = base * pow(stretch, d / (d - 2))
            frequencies = (0..<dimensions / 2).map { pow(larger, -2 * Double($0) / d) }
        case .divided(let divisors, let magnitude):
            frequencies = zip(plain, divisors).map { $0 / $1 }
            self.magnitude = magnitude
        }
    }
}
