import Foundation
public import MnemeModels

/// How keys and values lie in memory: in blocks of 32 positions, each one range of bytes.
///
/// A block holds for each layer the keys and then the values of 32 positions, as
/// ``MnemeModels/KVView`` orders them. So a block is one mapping, one read and one checksum,
/// whatever the number of layers; attention steps from block to block with one constant stride.
public struct KVShape: Sendable, Hashable {
    /// Positions of a block.
    public static let blockTokens = KVView.blockTokens

    /// The model's layers.
    public let layers: Int
    /// Heads of keys and values, and elements of each.
    public let heads: Int, dimension: Int
    /// Bytes from block to block: whole pages.
    public let blockBytes: Int

    /// The shape that a model's cache has.
    public init(_ configuration: DecoderConfiguration) {
        self.init(
            layers: configuration.layers, heads: configuration.kvHeads,
            dimension: configuration.headDimension)
    }

    /// All values.
    public init(layers: Int, heads: Int, dimension: Int) {
        self.layers = layers
        self.heads = heads
        self.dimension = dimension
        let page = Int(getpagesize())
        blockBytes =
            (layers * 2 * Self.blockTokens * heads * dimension * MemoryLayout<UInt16>.stride + page
                - 1) / page * page
    }

    /// Bytes of a huge page.
    static let hugePage = 2 << 20
    /// Whether a block is made of whole huge pages, as those of large models are: one fault then
    /// brings what 512 did.
    var fillsHugePages: Bool { blockBytes % Self.hugePage == 0 }

    /// Elements of a position's keys in a layer.
    public var kvSize: Int { heads * dimension }
    /// Bytes that a position takes.
    public var tokenBytes: Int { layers * 2 * kvSize * MemoryLayout<UInt16>.stride }
    /// Bytes of one layer's keys in a block.
    var sideBytes: Int { Self.blockTokens * kvSize * MemoryLayout<UInt16>.stride }

    /// Blocks that so many positions touch.
    public static func blocks(_ positions: Int) -> Int {
        (positions + blockTokens - 1) / blockTokens
    }

    /// Copies the first `count` positions of a block.
    func copy(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        move(count, from: source, stride: Self.blockTokens, to: target, stride: Self.blockTokens)
    }

    /// Copies a block; behind the first `count` positions the last of them is repeated, so that
    /// scales fit what is there.
    func copyFilled(
        _ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutablePointer<UInt16>
    ) {
        let block = Self.blockTokens, side = kvSize * block
        UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 2 * layers * sideBytes)
        guard count < block else { return }
        for layer in 0..<layers {
            let keys = target + layer * 2 * side
            for i in 0..<kvSize {
                for p in count..<block { keys[i * block + p] = keys[i * block + count - 1] }
            }
            for head in 0..<heads {
                let values = keys + side + head * dimension * block
                for p in count..<block {
                    (values + p * dimension).update(
                        from: values + (count - 1) * dimension, count: dimension)
                }
            }
        }
    }

    /// Writes the first `count` positions of a block without gaps.
    func gather(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        move(count, from: source, stride: Self.blockTokens, to: target, stride: count)
    }

    /// Undoes ``gather(_:from:to:)``.
    func scatter(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        move(count, from: source, stride: count, to: target, stride: Self.blockTokens)
    }

    /// Between blocks that have room for `stride` positions.
    private func move(
        _ count: Int, from source: UnsafeRawPointer, stride: Int,
        to target: UnsafeMutableRawPointer,
        stride targetStride: Int
    ) {
        let size = MemoryLayout<UInt16>.stride
        if count == stride, count == targetStride {
            return target.copyMemory(from: source, byteCount: 2 * layers * kvSize * count * size)
        }
        for layer in 0..<layers {
            let source = source + layer * 2 * kvSize * stride * size,
                target = target + layer * 2 * kvSize * targetStride * size
            for i in 0..<kvSize {
                (target + i * targetStride * size).copyMemory(
                    from: source + i * stride * size, byteCount: count * size)
            }
            for head in heads..<2 * heads {
                (target + head * dimension * targetStride * size).copyMemory(
                    from: source + head * dimension * stride * size,
                    byteCount: count * dimension * size)
            }
        }
    }
}
