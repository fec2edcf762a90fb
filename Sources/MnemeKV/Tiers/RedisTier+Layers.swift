import Foundation

/// Blocks fetched a few layers at a time, many with one message.
extension RedisTier {
    /// Blocks that are asked for in one message: the server keeps the answers in its memory until
    /// they are read.
    private static let window = 32
    /// Bytes that are asked for to find a block's header in: it holds more only with many memories.
    private static let headBytes = 4096

    /// Fetches the first layers of all blocks, then the next ones. With a key, blocks are fetched
    /// whole: they are encrypted in pieces of other bounds.
    ///
    /// - Returns: the number of blocks, from the first on, that are sound.
    /// - Complexity: a message and its answer for each 32 blocks and part, and one for their headers.
    public func read(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int {
        guard key == nil else { return readWhole(blocks, by: parts) }
        let readers = readers(blocks)
        let sound = KVBlockReader.read(readers, of: blocks.count, by: parts) { readers, layers in
            load(layers, of: readers, blocks)
        }
        try? index?.use(blocks[..<sound].map(\.request.hash))
        return sound
    }

    /// Readers of blocks, up to the first whose header is not sound or too long.
    private func readers(_ blocks: [KVBlockPlace]) -> [KVBlockReader] {
        var readers: [KVBlockReader] = []
        for start in stride(from: 0, to: blocks.count, by: Self.window) {
            let part = Array(blocks[start..<min(start + Self.window, blocks.count)])
            let names = part.map { name($0.request.hash) }
            guard
                let sizes = try? client.commands(names.map { [Array("STRLEN".utf8), $0] }),
                let heads = try? client.commands(
                    names.map { [Array("GETRANGE".utf8), $0, Array("0".utf8), Array("\(Self.headBytes - 1)".utf8)] })
            else { return readers }
            for (block, (size, head)) in zip(part, zip(sizes, heads)) {
                guard case .integer(let size) = size, case .bytes(let head) = head,
                    let reader = try? KVBlockReader(
                        KVBlockFile.Source(name: "\(block.request.hash) on \(client.address.host)", size: size) {
                            buffer, offset in
                            guard offset + buffer.count <= head.count else { return false }
                            buffer.copyBytes(from: head[offset..<offset + buffer.count])
                            return true
                        }, block.request, into: block.memory)
                else { return readers }
                readers.append(reader)
            }
        }
        return readers
    }

    /// Loads layers, and says of how many readers, from the first on.
    private func load(_ layers: Range<Int>, of readers: [KVBlockReader], _ blocks: [KVBlockPlace]) -> Int {
        var loaded = 0
        for start in stride(from: 0, to: readers.count, by: Self.window) {
            let part = start..<min(start + Self.window, readers.count)
            let commands = part.map { i in
                let range = readers[i].range(layers)
                return [
                    Array("GETRANGE".utf8), name(blocks[i].request.hash), Array("\(range.lowerBound)".utf8),
                    Array("\(range.upperBound - 1)".utf8),
                ]
            }
            do {
                try client.values(commands) { index, bytes in
                    try readers[start + index].load(layers, from: bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
                    loaded = start + index + 1
                }
            } catch { return loaded }
        }
        return loaded
    }
}
