import Foundation
public import MnemeModels

/// The layout of a KV block in memory: 32 positions of all layers, one range of bytes.
///
/// Layer by layer, first the keys, then the values, as `KVView` orders them: keys of
/// a head are transposed, [dimension][32], values are rows, [32][dimension]; both are halves. So a
/// block is one mapping, one read and one checksum, whatever the number of layers, a head's part of
/// it is one piece, and attention steps from block to block with one constant stride.
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

    /// A shape of these extents; ``blockBytes`` is rounded up to whole pages.
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
    /// Blocks of large models are whole huge pages: one fault then brings what 512 did.
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
        let block = Self.blockTokens
        let side = kvSize * block
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
            let source = source + layer * 2 * kvSize * stride * size
            let target = target + layer * 2 * kvSize * targetStride * size
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
