package import MnemeKV
import MnemeModels
import MnemeNumerics

/// Computes again the tokens that looked most at what stood before their text when it was computed, more of texts whose
/// tokens did so more (Cache-Craft, Agarwal et al. 2025).
///
/// What a token looked at is known from where it was computed (``ContextDependence``), so that nothing is
/// looked at in the new prompt. The paper also weighs how much of the old surroundings stands in the new prompt, too.
package struct CacheCraft: RecomputePolicy {
    package init() {}
    package var evidence: RecomputeEvidence { .dependence }

    /// A part for each text in proportion to how much its tokens depend on other texts; in a text, those that do most.
    package func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int] {
        let impacts = chunks.map { $0.reduce(Float(0)) { $0 + (evidence[$1] ?? 0) } }
        let all = impacts.reduce(0, +)
        let count = Int((Double(chunks.reduce(0) { $0 + $1.count }) * recomputeRatio).rounded(.up))
        func order(_ positions: some Sequence<Int>) -> [Int] {
            positions.sorted { (evidence[$0] ?? 0, $1) > (evidence[$1] ?? 0, $0) }
        }
        var chosen = Set<Int>()
        for (chunk, impact) in zip(chunks, impacts) {
            // Where nothing is known, all texts are alike.
            let share = all > 0 ? impact / all : 1 / Float(chunks.count)
            chosen.formUnion(order(chunk).prefix(Int(Float(count) * share)))
        }
        // What a short text could not use, and what was rounded off.
        let others = order(chunks.joined().filter { !chosen.contains($0) })
        return chosen.sorted() + others.prefix(max(0, count - chosen.count))
    }
}

/// How much tokens look at what stands before their text.
struct ContextDependence {
    private let decoder: TransformerDecoder
    /// Tokens of a step, each by itself.
    private let batch = 16

    init(_ decoder: TransformerDecoder) { self.decoder = decoder }

    /// Of each token of a text in a computed prompt, the share of its attention that goes to what stands between `first`
    /// and the text, in the upper half of the layers.
    ///
    /// - Parameter view: the prompt's; rows are written again with the same bits.
    /// - Complexity: computes the text's tokens once more.
    func shares(_ tokens: [Int32], _ text: Range<Int>, from first: Int, _ view: KVView) -> [Float] {
        let c = decoder.configuration
        guard first < text.lowerBound else { return text.map { _ in 0 } }
        let upper = c.layers / 2
        let size = (c.layers - upper) * c.kvHeads * tokens.count
        let sums = AlignedBuffer<Float>(batch * size)
        var unused: Float = 0
        return stride(from: text.lowerBound, to: text.upperBound, by: batch).flatMap { start -> [Float] in
            let part = start..<min(text.upperBound, start + batch)
            sums.pointer.update(repeating: 0, count: sums.count)
            let segments = part.map { position in
                DecoderSegment(
                    tokens: position - start..<position - start + 1, position: position, view: view, logits: 0,
                    observation: KVObservation(
                        accumulatedAttention: sums.pointer + (position - start) * size, stride: tokens.count, tokens: 1,
                        firstLayer: upper))
            }
            tokens[part].withUnsafeBufferPointer { tokens in
                segments.withUnsafeBufferPointer { decoder.step(tokens: tokens, segments: $0, logits: &unused) }
            }
            return part.map { position in
                let own = sums.pointer + (position - start) * size
                var (before, all): (Float, Float) = (0, 0)
                for head in 0..<size / tokens.count {
                    for row in 0...position { all += own[head * tokens.count + row] }
                    for row in first..<text.lowerBound { before += own[head * tokens.count + row] }
                }
                return before / max(all, 1e-9)
            }
        }
    }
}
