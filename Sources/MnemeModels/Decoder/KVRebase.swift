import Foundation
import MnemeNumerics

/// Rebases cached keys and values: copies those of a text to other positions of another sequence,
/// as if the same text, behind what it stood behind, stood there.
///
/// Keys are rotated by the distance, as RoPE's rotations add up; values do not depend on the
/// position. The attention that the text would have paid to its new surroundings is missing: see
/// ``MnemeKV``'s reuse for what is recomputed.
package struct KVRebase: Sendable {
    private let configuration: DecoderConfiguration
    private let kernels = DecoderKernels()

    package init(_ configuration: DecoderConfiguration) { self.configuration = configuration }

    /// Copies and rotates.
    ///
    /// - Parameters:
    ///   - positions: of the text in `source`.
    ///   - start: the position of its first token in `target`; there is room behind it.
    /// - Complexity: O(positions·layers·kvSize), block by block.
    package func copy(_ positions: Range<Int>, of source: KVView, to target: KVView, at start: Int) {
        let c = configuration
        let block = KVView.blockTokens
        let global = Rotation(c.rope, by: start - positions.lowerBound)
        let local = c.localRope.map { Rotation($0, by: start - positions.lowerBound) }
        for layer in 0..<c.layers {
            let rotation = c.window(layer: layer) == nil ? global : local ?? global
            var position = positions.lowerBound
            // Pieces that lie within one block on both sides.
            while position < positions.upperBound {
                let to = start + position - positions.lowerBound
                let count = min(
                    positions.upperBound - position, block - position % block, block - to % block)
                let from = layer * source.layerStride
                let into = layer * target.layerStride
                kernels.moveKeys(
                    source.keys + from + source.keyOffset(position) - position % block,
                    from: position % block,
                    to: target.keys + into + target.keyOffset(to) - to % block, at: to % block,
                    count: count,
                    heads: c.kvHeads, dimension: c.headDimension,
                    cosine: rotation.cosine, sine: rotation.sine, half: rotation.cosine.count,
                    interleaved: rotation.interleaved)
                for head in 0..<c.kvHeads {
                    let offset = head * c.headDimension * block
                    (target.values + into + target.valueOffset(to, dimension: c.headDimension)
                        + offset).update(
                            from: source.values + from
                                + source.valueOffset(position, dimension: c.headDimension) + offset,
                            count: count * c.headDimension)
                }
                position += count
            }
        }
    }

    /// Rotates keys of one head, in place, as if they stood `distance` positions further on, in
    /// layers without windows.
    ///
    /// - Parameters:
    ///   - keys: of a head by itself, see ``KVHeadRows``.
    ///   - rows: the rows to rotate.
    package func rotate(_ keys: UnsafeMutablePointer<UInt16>, rows: Range<Int>, by distance: Int) {
        let rotation = Rotation(configuration.rope, by: distance)
        let block = KVView.blockTokens
        let d = configuration.headDimension
        var row = rows.lowerBound
        while row < rows.upperBound {
            let count = min(rows.upperBound - row, block - row % block)
            let start = keys + row / block * block * d
            kernels.moveKeys(
                start, from: row % block, to: start, at: row % block, count: count, heads: 1,
                dimension: d,
                cosine: rotation.cosine, sine: rotation.sine,
                half: rotation.cosine.count, interleaved: rotation.interleaved)
            row += count
        }
    }

    /// The rotation over a distance; the magnitude is in the keys already.
    private struct Rotation {
        var cosine: [Float], sine: [Float]
        var interleaved: Bool

        init(_ rope: RotaryEmbedding, by distance: Int) {
            cosine = rope.frequencies.map { Float(cos(Double(distance) * $0)) }
            sine = rope.frequencies.map { Float(sin(Double(distance) * $0)) }
            interleaved = rope.interleaved
        }
    }
}
