import Foundation
import MnemeModels
import MnemeNumerics

/// Cosines and sines of each position's angles, as the decoder computes them; the sines with the
/// other sign turn gradients back.
struct RotaryAngles {
    /// Angles of a position.
    let half: Int
    let cosine: AlignedBuffer<Float>
    let sine: AlignedBuffer<Float>
    let minusSine: AlignedBuffer<Float>

    init(_ rope: RotaryEmbedding, positions: Int) {
        half = rope.frequencies.count
        cosine = AlignedBuffer(positions * half)
        sine = AlignedBuffer(positions * half)
        minusSine = AlignedBuffer(positions * half)
        for position in 0..<positions {
            for (i, frequency) in rope.frequencies.enumerated() {
                let angle = Double(position) * frequency
                let at = position * half + i
                cosine.pointer[at] = Float(cos(angle) * rope.magnitude)
                sine.pointer[at] = Float(sin(angle) * rope.magnitude)
                minusSine.pointer[at] = -sine.pointer[at]
            }
        }
    }
}
