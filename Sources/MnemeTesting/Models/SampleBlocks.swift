import Foundation
import MnemeKV

/// Blocks of a text, one behind the other, and the rows that belong to each: what the checks of
/// tiers and codecs write and read.
struct SampleBlocks {
    /// Two layers of two heads of eight elements: rows of 4 KiB.
    static let shape = KVShape(layers: 2, heads: 2, dimension: 8)

    /// The first link of the chain.
    let model: KVHash
    /// How rows lie in a tier.
    let codec: KVCodec
    /// Tokens of each block.
    let tokens: [[Int32]]
    /// The name of each block, and of what stands before it.
    let names: [KVHash], parents: [KVHash]

    /// Blocks of a text of `count` tokens, the last of which may be cut short.
    ///
    /// - Parameter seed: another one makes another text.
    init(_ count: Int, seed: Int32 = 1, model digit: Character = "a", codec: KVCodec = .f16) {
        let model = KVHash(String(repeating: digit, count: 64))!
        let text = (0..<Int32(count)).map { ($0 * 7 + seed) % 50 }
        tokens = stride(from: 0, to: count, by: KVShape.blockTokens).map {
            Array(text[$0..<min($0 + KVShape.blockTokens, count)])
        }
        var parents = [model]
        for block in tokens {
            let request = KVBlockRequest(
                model: model, parent: parents[parents.count - 1], codec: codec, tokens: block,
                shape: Self.shape)
            parents.append(request.hash)
        }
        names = Array(parents.dropFirst())
        self.parents = Array(parents.dropLast())
        (self.model, self.codec) = (model, codec)
    }

    /// The request for block `number`.
    func request(_ number: Int) -> KVBlockRequest {
        KVBlockRequest(
            model: model, parent: parents[number], codec: codec, tokens: tokens[number],
            shape: Self.shape)
    }

    /// Block `number` as it is written.
    func file(_ number: Int, sources: [String] = []) -> KVBlockFile {
        KVBlockFile(
            model: model, parent: parents[number], position: number * KVShape.blockTokens,
            shape: Self.shape, codec: codec, tokens: tokens[number], modelName: "sample",
            sources: sources)
    }

    /// Elements of a block in memory.
    static var elements: Int { shape.blockBytes / MemoryLayout<UInt16>.stride }

    /// Rows of block `number`: halves between 1 and 2, other ones at each place.
    static func rows(_ number: Int) -> [UInt16] {
        (0..<elements).map { Float16(1 + Float(($0 * 5 + number * 11) % 64) / 64).bitPattern }
    }

    /// The elements of a block that its tokens fill, by their places in memory.
    func filled(_ number: Int) -> [Int] {
        let (shape, block) = (Self.shape, KVShape.blockTokens)
        let side = block * shape.kvSize
        return (0..<shape.layers).flatMap { layer in
            (0..<shape.kvSize).flatMap { element in
                (0..<tokens[number].count).flatMap { position in
                    // Keys of a head are transposed; values are rows.
                    let (head, i) = element.quotientAndRemainder(dividingBy: shape.dimension)
                    return [
                        layer * 2 * side + element * block + position,
                        layer * 2 * side + side + (head * block + position) * shape.dimension + i,
                    ]
                }
            }
        }
    }

    /// Calls `body` with memory of a block that is aligned as a cache's is.
    static func withBlock<Result>(
        _ rows: [UInt16], _ body: (UnsafeMutableRawPointer) throws -> Result
    ) rethrows -> Result {
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: rows.count * MemoryLayout<UInt16>.stride, alignment: 4096)
        defer { block.deallocate() }
        rows.withUnsafeBytes { block.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        return try body(block)
    }
}
