import Foundation
public import MnemeModels
import MnemeNumerics

/// Gives more budget to layers whose keys suffer most from eviction (EpiCache, Kim et al. 2025,
/// with its blockwise prefill: the prompt comes in blocks, and rows are evicted behind each).
///
/// Errors of early layers reach all later ones, but not all layers make them alike: the split is
/// measured on a sample text.
public struct LayerSensitivity: BudgetAllocator {
    /// The share of each layer, 1 on average.
    public var weights: [Double]

    /// A split by given shares, one for each layer.
    public init(weights: [Double]) { self.weights = weights }

    /// The budget times the layer's share, for each of its heads; 1 at least.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.enumerated().map { layer, heads in
            heads.map { _ in max(1, Int((Double(budget) * weights[layer]).rounded())) }
        }
    }

    /// Measures how far keys are from those of a whole cache when rows are evicted on the way.
    ///
    /// - Parameters:
    ///   - decoder: the model that is measured.
    ///   - tokens: token ids of a sample text.
    ///   - policy: with a uniform budget, of `budget` rows.
    ///   - budget: rows that each head may keep while it is measured.
    ///   - sharpness: 0 gives all layers the same; the paper takes about 1.
    /// - Throws: ``KVError``.
    public static func weights(
        _ decoder: TransformerDecoder, tokens: [Int32], policy: KVPolicy, budget: Int,
        sharpness: Double = 1
    ) throws -> [Double] {
        let c = decoder.configuration
        let logits = AlignedBuffer<Float>(c.vocabularySize)
        let whole = try CompressedCache(
            decoder, KVPolicy("full", trigger: .never, scorer: StreamingLLM()),
            budget: tokens.count,
            positions: tokens.count)
        let part = try CompressedCache(decoder, policy, budget: budget, positions: tokens.count)
        try whole.feed(tokens, endsPrompt: true, logits: logits.pointer)
        try part.feed(tokens, endsPrompt: true, logits: logits.pointer)
        let changes = (0..<c.layers).map { layer in
            var sum = 0.0
            var count = 0
            for head in 0..<c.kvHeads {
                let exact = whole.rows(layer, head)
                let kept = part.rows(layer, head)
                for (row, position) in kept.positions.enumerated() {
                    let a = exact.key(Int(position))
                    let b = kept.key(row)
                    func dot(_ a: [Float], _ b: [Float]) -> Double {
                        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                    }
                    sum += 1 - dot(a, b) / max((dot(a, a) * dot(b, b)).squareRoot(), 1e-12)
                    count += 1
                }
            }
            return pow(max(sum / Double(max(1, count)), 1e-6), sharpness)
        }
        // No layer has less than half, or more than twice, of what all would have.
        let mean = changes.reduce(0, +) / Double(c.layers)
        let bounded = changes.map { min(2, max(0.5, $0 / mean)) }
        let sum = bounded.reduce(0, +) / Double(c.layers)
        return bounded.map { $0 / sum }
    }
}
