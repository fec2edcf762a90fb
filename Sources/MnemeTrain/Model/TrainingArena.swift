package import MnemeNumerics

/// Hands out a training's memory and counts its bytes by what they are for.
///
/// All of it is taken before the first step and kept to the end, so that the count is the peak, and
/// nothing is fragmented between steps.
public final class TrainingArena {
    /// What memory is for.
    public enum Purpose: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
        /// What is learned.
        case parameters
        /// Its gradients.
        case gradients
        /// The optimizer's state.
        case optimizer
        /// Values that are kept between the forward and the backward pass.
        case saved
        /// The same, in a file (`TokenSwap`).
        case swapped
        /// One layer's values and gradients.
        case layer
        /// Products' packed matrices, and the loss.
        case products
        /// Directions that steps leave alone (`InputSubspace`).
        case directions
        /// Frozen weights outside of their file's pages.
        case weights
    }

    /// Bytes so far; what has none is not in it.
    public private(set) var bytes: [Purpose: Int] = [:]

    /// Bytes if each piece were rounded up to a power of two, as pools of pinned buffers have it: what
    /// pieces of exact size save (MemAscend, Liaw and Chen 2025) [16].
    public private(set) var roundedBytes = 0

    /// Nothing yet.
    public init() {}

    /// Bytes in memory: all but what is in a file.
    public var memoryBytes: Int { bytes.reduce(0) { $0 + ($1.key == .swapped ? 0 : $1.value) } }

    /// Floats, all zero.
    package func make(_ count: Int, _ purpose: Purpose) -> AlignedBuffer<Float> {
        make(Float.self, count, purpose)
    }

    /// Numbers, all zero.
    package func make<Element: BitwiseCopyable>(
        _ type: Element.Type, _ count: Int, _ purpose: Purpose
    ) -> AlignedBuffer<Element> {
        add(count * MemoryLayout<Element>.stride, purpose)
        return AlignedBuffer(count)
    }

    /// Counts memory that comes from elsewhere.
    package func add(_ count: Int, _ purpose: Purpose) {
        bytes[purpose, default: 0] += count
        if count > 0, purpose != .swapped {
            roundedBytes += 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
        }
    }
}
