import Foundation

/// Reads the rows of one block to their place in memory, all at once or some layers at a time.
///
/// Rows lie layer by layer, in the file as in memory. Used by one thread at a time.
final class KVBlockReader {
    private let source: KVBlockFile.Source
    private let header: KVBlockFile
    private let shape: KVShape
    private let block: UnsafeMutableRawPointer
    /// Where rows begin in the source.
    private let offset: Int
    /// The rows as they are kept: the block itself if they need no change.
    private let rows: UnsafeMutableRawBufferPointer
    private var isDirect: Bool { rows.baseAddress == block }

    /// Reads the header; nothing is written yet.
    ///
    /// - Parameter block: stays valid as long as the reader.
    /// - Throws: ``KVError`` if the header is unsound, or of another block.
    init(_ source: KVBlockFile.Source, _ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        let (header, offset) = try source.header()
        let shape = request.shape
        guard header.model == request.model, header.parent == request.parent,
            header.tokens == request.tokens,
            header.codec == request.codec,
            header.layers == shape.layers, header.heads == shape.heads,
            header.dimension == shape.dimension
        else {
            throw KVError(
                .foreign, "\(source.name) belongs to another model or text; it is not used.")
        }
        (self.source, self.header, self.shape, self.block, self.offset) = (source, header, shape, block, offset)
        // A whole block goes straight to its place.
        rows =
            header.codec == .f16 && header.tokens.count == KVShape.blockTokens
            ? UnsafeMutableRawBufferPointer(start: block, count: header.payloadBytes)
            : UnsafeMutableRawBufferPointer.allocate(byteCount: header.payloadBytes, alignment: 64)
    }

    deinit { if !isDirect { rows.deallocate() } }

    /// Where rows of layers are among the source's bytes.
    func range(_ layers: Range<Int>) -> Range<Int> {
        let bytes = header.payloadBytes / shape.layers
        return offset + layers.lowerBound * bytes..<offset + layers.upperBound * bytes
    }

    /// Reads rows of layers, as they are kept.
    ///
    /// - Throws: ``KVError`` if they are not there.
    func load(_ layers: Range<Int>) throws {
        guard source.fill(kept(layers), range(layers).lowerBound) else { throw source.damaged }
    }

    /// As ``load(_:)``, from bytes that were read already.
    func load(_ layers: Range<Int>, from bytes: UnsafeRawBufferPointer) throws {
        let target = kept(layers)
        guard bytes.count == target.count else { throw source.damaged }
        target.copyMemory(from: bytes)
    }

    /// Room for rows of layers as they are kept.
    private func kept(_ layers: Range<Int>) -> UnsafeMutableRawBufferPointer {
        let place = range(layers)
        return UnsafeMutableRawBufferPointer(rebasing: rows[place.lowerBound - offset..<place.upperBound - offset])
    }

    /// Puts rows of layers that were read in their place, decoded.
    func place(_ layers: Range<Int>) {
        if isDirect { return }
        let part = KVShape(layers: layers.count, heads: shape.heads, dimension: shape.dimension)
        let from = rows.baseAddress! + (range(layers).lowerBound - offset)
        let target = block + layers.lowerBound * 2 * shape.sideBytes
        if header.codec == .f16 {
            part.scatter(header.tokens.count, from: from, to: target)
        } else {
            header.codec.decode(
                from.assumingMemoryBound(to: UInt8.self), part, into: target.assumingMemoryBound(to: UInt16.self))
        }
    }

    /// Compares the checksum of all rows, when all were read.
    ///
    /// - Throws: ``KVError`` if it differs: what was computed with them is to be thrown away.
    func check() throws {
        guard KVBlockFile.checksum(UnsafeRawBufferPointer(rows)) == header.checksum else { throw source.damaged }
    }

    /// Reads blocks part by part.
    ///
    /// - Parameters:
    ///   - readers: of the first blocks; nobody is told what came if these are not all.
    ///   - count: all blocks.
    ///   - load: loads layers of all readers that it is given, in order, and says how many it could.
    /// - Returns: the number of blocks, from the first on, that are sound.
    static func read(
        _ readers: [KVBlockReader], of count: Int, by parts: KVLayerParts,
        load: ([KVBlockReader], Range<Int>) -> Int
    ) -> Int {
        var readers = readers[...]
        for layers in parts.layers {
            readers = readers.prefix(load(Array(readers), layers))
            for reader in readers { reader.place(layers) }
            if readers.count == count { parts.arrived(layers.upperBound) }
        }
        return readers.prefix { (try? $0.check()) != nil }.count
    }
}
