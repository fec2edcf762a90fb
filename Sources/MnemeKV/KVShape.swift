import Foundation
public import MnemeModels

/// How keys and values lie in memory: in blocks of 32 positions, each one range of bytes.
///
/// A block holds for each layer 32 rows of keys and then 32 rows of values, halves. So a block is one mapping, one read and one
/// checksum, whatever the number of layers; attention steps from block to block with one constant stride.
public struct KVShape: Sendable, Hashable {
    /// Positions of a block: few enough that little is lost where two texts part, enough that mappings stay few.
    public static let blockTokens = 32
    static let blockShift = 5

    /// The model's layers.
    public let layers: Int
    /// Elements of a position's keys in a layer.
    public let kvSize: Int
    /// Bytes from block to block: whole pages.
    public let blockBytes: Int

    /// The shape that a model's cache has.
    public init(_ configuration: DecoderConfiguration) { self.init(layers: configuration.layers, kvSize: configuration.kvSize) }

    /// All values.
    public init(layers: Int, kvSize: Int) {
        self.layers = layers
        self.kvSize = kvSize
        let page = Int(getpagesize())
        blockBytes = (layers * 2 * Self.blockTokens * kvSize * MemoryLayout<UInt16>.stride + page - 1) / page * page
    }

    /// Bytes that a position takes.
    public var tokenBytes: Int { layers * 2 * kvSize * MemoryLayout<UInt16>.stride }
    /// Bytes of one layer's keys in a block.
    var sideBytes: Int { Self.blockTokens * kvSize * MemoryLayout<UInt16>.stride }
    /// Bytes of one position's keys in a layer.
    var rowBytes: Int { kvSize * MemoryLayout<UInt16>.stride }

    /// Blocks that so many positions touch.
    public static func blocks(_ positions: Int) -> Int { (positions + blockTokens - 1) / blockTokens }

    /// Copies the first `count` positions of a block.
    func copy(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        for side in 0..<2 * layers { (target + side * sideBytes).copyMemory(from: source + side * sideBytes, byteCount: count * rowBytes) }
    }

    /// Writes the first `count` positions of a block without gaps.
    func gather(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        for side in 0..<2 * layers { (target + side * count * rowBytes).copyMemory(from: source + side * sideBytes, byteCount: count * rowBytes) }
    }

    /// Undoes ``gather(_:from:to:)``.
    func scatter(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        for side in 0..<2 * layers { (target + side * sideBytes).copyMemory(from: source + side * count * rowBytes, byteCount: count * rowBytes) }
    }
}
