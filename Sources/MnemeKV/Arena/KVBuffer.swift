import Foundation
package import MnemeModels

/// Keys and values of one sequence that shares nothing and is not kept: for measurements of a model
/// alone.
///
/// The system commits pages as they are written. In each layer, blocks follow each other.
package final class KVBuffer: Sendable {
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer
    private let length: Int
    /// A view of the buffer's memory; does not keep the buffer alive.
    package let view: KVView

    /// - Parameter positions: room for so many tokens.
    /// - Throws: ``KVError`` if the system has no address space left.
    package init(_ configuration: DecoderConfiguration, positions: Int) throws {
        let shape = KVShape(configuration)
        let blocks = KVShape.blocks(positions)
        let side = shape.sideBytes / MemoryLayout<UInt16>.stride
        length = 2 * configuration.layers * blocks * shape.sideBytes
        guard
            let mapped = mmap(
                nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0),
            mapped != MAP_FAILED
        else {
            throw KVError(
                .outOfMemory,
                "There is no memory for the keys and values of \(positions) tokens. End other requests, or ask for fewer tokens."
            )
        }
        base = mapped
        let keys = mapped.assumingMemoryBound(to: UInt16.self)
        view = KVView(
            keys: keys, values: keys + side, layerStride: 2 * side * blocks, blockStride: 2 * side,
            capacity: blocks * KVShape.blockTokens)
    }

    deinit { munmap(base, length) }
}
