import Foundation
package import MnemeModels
import MnemeNumerics

/// The measurements that a choice of tokens to recompute is based on.
package enum RecomputeEvidence: Sendable {
    /// Nothing.
    case none
    /// The distance of the moved keys and values from those in the new surroundings, in the second
    /// layer, which is computed for all tokens.
    case deviations
    /// The question's attention to each token, over what was moved: in the upper half of the
    /// layers, where what is looked for is found.
    case attention
    /// How much each token looked at what stood before its text where it was computed
    /// (``ChunkReuse/Chunk/dependence``).
    case dependence
}

/// A choice of the tokens of moved texts that are recomputed: keys and values that were computed
/// elsewhere lack the attention to what stands before them now.
package protocol RecomputePolicy: Sendable {
    var evidence: RecomputeEvidence { get }
    /// - Parameters:
    ///   - chunks: the texts' places in the prompt.
    ///   - recomputeRatio: the share of their tokens that may be computed again.
    ///   - evidence: for each position what was asked for.
    /// - Returns: positions in any order.
    func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int]
}

/// Computes again what the new surroundings change most, seen in the second layer (CacheBlend, Yao
/// et al. 2025).
package struct CacheBlend: RecomputePolicy {
    package init() {}
    package var evidence: RecomputeEvidence { .deviations }
    package func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int] {
        highest(chunks, recomputeRatio, evidence)
    }
}

/// Computes again what the question attends to most (as SnapKV sees what matters; Li et al. 2024).
package struct QuestionAttention: RecomputePolicy {
    package init() {}
    package var evidence: RecomputeEvidence { .attention }
    package func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int] {
        highest(chunks, recomputeRatio, evidence)
    }
}

private func highest(_ chunks: [Range<Int>], _ recomputeRatio: Double, _ evidence: [Int: Float]) -> [Int] {
    let all = chunks.flatMap { Array($0) }
    let count = Int((Double(all.count) * recomputeRatio).rounded(.up))
    return Array(all.sorted { (evidence[$0] ?? 0, $1) > (evidence[$1] ?? 0, $0) }.prefix(count))
}

/// Fills a sequence's keys and values for a whole prompt, taking those of some texts from where
/// they were computed before: step by step, so that other sequences can go on between.
package struct ChunkReuse: Sendable {
    /// A text in the prompt, and where its keys and values are.
    package struct Chunk {
        /// Its place in the prompt.
        package var range: Range<Int>
        /// The sequence in which it was computed; there, its first token stands at `position`.
        package var source: KVView
        package var position: Int
        /// Of each token, the share of its attention that went to other texts before it; empty if it is not known.
        package var dependence: [Float] = []

        package init(range: Range<Int>, source: KVView, position: Int) {
            self.range = range
            self.source = source
            self.position = position
        }
    }

    /// Tokens that are computed, as soon as they are chosen.
    package private(set) var computed = 0

    private let decoder: TransformerDecoder
    private let view: KVView
    private let tokens: [Int32], cachedTokens: Int, ranges: [Range<Int>]
    private let policy: any RecomputePolicy, recomputeRatio: Double
    /// Layers that are computed for all tokens where deviations are looked at.
    private static let probeLayers = 2

    private var isChosen = false
    /// Positions to compute now, in which layers, and where their attention is added up from
    /// `observed` on.
    private var rest: ArraySlice<Int> = []
    private var layers: Int?
    private var accumulatedAttention: AlignedBuffer<Float>?
    private var observation: KVObservation?, observed = 0
    /// What was known of positions before.
    private var known: [Int: Float] = [:]
    /// Keys and values that were moved, in the layer that is probed.
    private var before: [[[Float]]] = []

    /// Moves the chunks; nothing is computed yet.
    ///
    /// - Parameters:
    ///   - view: with room for the prompt; it and the chunks' sources stay valid until the last
    ///     step.
    ///   - tokens: of the prompt.
    ///   - cachedTokens: tokens of the prefix that are exact in `view` already.
    ///   - chunks: in order, behind those.
    ///   - recomputeRatio: the share of the chunks' tokens that are computed again.
    package init(
        _ decoder: TransformerDecoder, _ view: KVView, tokens: [Int32], cachedTokens: Int,
        chunks: [Chunk], policy: any RecomputePolicy, recomputeRatio: Double
    ) {
        (self.decoder, self.view, self.tokens, self.cachedTokens, self.policy, self.recomputeRatio) = (
            decoder, view, tokens, cachedTokens, policy, recomputeRatio
        )
        ranges = chunks.map(\.range)
        let rebase = KVRebase(decoder.configuration)
        for chunk in chunks {
            rebase.copy(
                chunk.position..<chunk.position + chunk.range.count, of: chunk.source, to: view,
                at: chunk.range.lowerBound)
        }
        switch policy.evidence {
        case .none: choose()
        case .dependence:
            for chunk in chunks { for (i, x) in zip(chunk.range, chunk.dependence) { known[i] = x } }
            choose()
        case .deviations:
            before = ranges.map { $0.map(vector) }
            layers = Self.probeLayers
            rest = Array(cachedTokens..<tokens.count)[...]
        case .attention:
            // What no chunk covers must be there for the question.
            observed = ranges.last?.upperBound ?? cachedTokens
            let count = max(1, decoder.configuration.layers - 1)
            let first = count / 2
            let accumulatedAttention = AlignedBuffer<Float>(
                (count - first) * decoder.configuration.kvHeads * tokens.count)
            (layers, self.accumulatedAttention) = (count, accumulatedAttention)
            observation = KVObservation(
                accumulatedAttention: accumulatedAttention.pointer, stride: tokens.count, tokens: decoder.stepTokens,
                firstLayer: first)
            rest = (gaps(observed) + Array(observed..<tokens.count))[...]
        }
    }

    /// Computes as many tokens as fit into one step.
    ///
    /// - Parameter logits: `vocabularySize` floats; behind the last step those of the last token.
    /// - Returns: whether there is more to do.
    package mutating func step(_ logits: UnsafeMutablePointer<Float>) -> Bool {
        let part = rest.prefix(decoder.stepTokens)
        rest = rest.dropFirst(part.count)
        compute(part, logits)
        if rest.isEmpty, !isChosen { choose() }
        return !rest.isEmpty
    }

    /// Chooses what is computed again, when all that it depends on is there.
    private mutating func choose() {
        var evidence = known
        for (range, vectors) in zip(ranges, before) {
            for (position, old) in zip(range, vectors) {
                evidence[position] = zip(vector(position), old).reduce(0) {
                    $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
                }
            }
        }
        if let accumulatedAttention {
            for start in stride(from: 0, to: accumulatedAttention.count, by: tokens.count) {
                for position in cachedTokens..<observed {
                    evidence[position, default: 0] += accumulatedAttention.pointer[start + position]
                }
            }
        }
        var positions = Set(policy.positions(ranges, recomputeRatio: recomputeRatio, evidence: evidence))
        // What no chunk covers is computed in any case.
        positions.formUnion(gaps(tokens.count))
        positions.insert(tokens.count - 1)
        rest = positions.sorted()[...]
        (isChosen, computed) = (true, rest.count)
        (layers, accumulatedAttention, observation, before) = (nil, nil, nil, [])
    }

    /// Positions up to `end` that no chunk covers.
    private func gaps(_ end: Int) -> [Int] {
        var result: [Int] = []
        var start = cachedTokens
        for range in ranges + [end..<end] {
            result += start..<range.lowerBound
            start = range.upperBound
        }
        return result
    }

    /// Keys and values of the last layer that is probed.
    private func vector(_ position: Int) -> [Float] {
        let c = decoder.configuration
        let layer = (Self.probeLayers - 1) * view.layerStride
        let keys = view.keys + layer + view.keyOffset(position)
        let values = view.values + layer + view.valueOffset(position, dimension: c.headDimension)
        var result: [Float] = []
        result.reserveCapacity(2 * c.kvSize)
        for i in 0..<c.kvSize {
            result.append(Float(Float16(bitPattern: keys[i * KVView.blockTokens])))
        }
        for i in 0..<c.kvSize {
            let offset =
                i / c.headDimension * c.headDimension * KVView.blockTokens + i % c.headDimension
            result.append(Float(Float16(bitPattern: values[offset])))
        }
        return result
    }

    /// Computes tokens at the given positions, over what the view holds for the others; the
    /// question's attention is added up while it is observed.
    private func compute(_ part: ArraySlice<Int>, _ logits: UnsafeMutablePointer<Float>) {
        guard !part.isEmpty else { return }
        let ids = part.map { tokens[$0] }
        let positions = part.map { Int32($0) }
        let question = part.firstIndex { $0 >= observed } ?? part.endIndex
        positions.withUnsafeBufferPointer { positions in
            func segment(_ range: Range<Int>, _ observation: KVObservation?) -> DecoderSegment {
                DecoderSegment(
                    tokens: range, positions: positions.baseAddress! + range.lowerBound, view: view,
                    logits: rest.isEmpty && isChosen && range.upperBound == ids.count ? 1 : 0,
                    observation: observation)
            }
            let first = question - part.startIndex
            let segments = [segment(0..<first, nil), segment(first..<ids.count, observation)].filter {
                !$0.tokens.isEmpty
            }
            ids.withUnsafeBufferPointer { ids in
                segments.withUnsafeBufferPointer {
                    decoder.step(tokens: ids, segments: $0, logits: logits, layers: layers)
                }
            }
        }
    }
}
