import Foundation

/// Blocks read a few layers at a time.
extension KVFolder {
    /// Reads the first layers of all blocks, then the next ones. Files are open only while they are
    /// read: a long text has hundreds.
    ///
    /// - Returns: the number of blocks, from the first on, that are sound. Those behind are left as
    ///   they are: reading one whole deletes it if it is damaged.
    public func read(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int {
        guard parts.layers.count > 1 else { return readWhole(blocks, by: parts) }
        var readers: [KVBlockReader] = []
        for block in blocks {
            guard
                let source = try? KVBlockFile.opened(Self.source(file(block.request.hash)), key),
                let reader = try? KVBlockReader(source, block.request, into: block.memory)
            else { break }
            readers.append(reader)
        }
        let sound = KVBlockReader.read(readers, of: blocks.count, by: parts) { readers, layers in
            readers.prefix { (try? $0.load(layers)) != nil }.count
        }
        for block in blocks[..<sound] { touch(block.request.hash) }
        return sound
    }

    /// A file that is opened for each read.
    private static func source(_ path: String) throws -> KVBlockFile.Source {
        var info = stat()
        guard stat(path, &info) == 0 else { throw KVError.absent(path) }
        return KVBlockFile.Source(name: path, size: Int(info.st_size)) { buffer, offset in
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return false }
            defer { close(file) }
            return KVBlockFile.fill(buffer, from: file, at: offset)
        }
    }
}
