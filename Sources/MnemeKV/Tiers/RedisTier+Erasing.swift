import Foundation

/// Erasing on the server, the search for what may be left there, and what else reads blocks' headers.
extension RedisTier {
    /// Deletes all blocks in these memories' sets, and the sets. Blocks of machines with another
    /// key are not reached: their names are others.
    ///
    /// - Throws: ``KVError`` if some may be left.
    public func erase(sources: Set<String>) throws {
        for name in sources.sorted() {
            guard case .array(let members) = try client.command([Array("SMEMBERS".utf8), source(name)])
            else { throw client.unclear }
            let hashes = members.compactMap { member -> KVHash? in
                guard case .bytes(let bytes) = member else { return nil }
                return KVHash(String(decoding: bytes, as: UTF8.self))
            }
            try remove(hashes)
            _ = try client.command([Array("DEL".utf8), source(name)])
        }
    }

    /// Deletes a block and all before it, as far as the server has them: a text whose last block is
    /// known. What other texts begin with goes, too: it is a cache, and is computed again.
    ///
    /// - Throws: ``KVError`` if some may be left.
    public func erase(text end: KVHash) throws {
        var next = end
        var seen: Set<KVHash> = []
        while seen.insert(next).inserted, let found = try header(name(next)) {
            try remove(next)
            next = found.block.parent
        }
        // One that cannot be read is of no use to anybody.
        try remove(next)
    }

    /// Looks at the beginning of each block that the server has, for blocks that were made with one of
    /// these memories in the text. Blocks of another encryption key are not looked at.
    ///
    /// - Returns: how many of these there are, and how many were looked at.
    /// - Throws: ``KVError`` if the server does not answer.
    /// - Complexity: two small messages for each block.
    public func search(madeOf sources: Set<String>) throws -> (found: Int, searched: Int) {
        var (found, searched) = (0, 0)
        try forEachBlock { keys in
            for key in keys {
                guard let block = try header(key)?.block else { continue }
                searched += 1
                if !sources.isDisjoint(with: block.sources) { found += 1 }
            }
        }
        return (found, searched)
    }

    /// Takes blocks that are there into an index that is new.
    ///
    /// - Throws: ``KVError`` if the server does not answer.
    /// - Complexity: two small messages for each block, and a script.
    func takeIn() throws {
        try forEachBlock { keys in
            for key in keys {
                guard let (block, bytes) = try header(key) else { continue }
                _ = try index?.store(block, bytes: bytes, value: nil)
            }
        }
    }

    /// A block's header and the bytes of its value; nil if there is no such block, or none that can be
    /// read.
    private func header(_ key: [UInt8]) throws -> (block: KVBlockFile, bytes: Int)? {
        guard case .integer(let size) = try client.command([Array("STRLEN".utf8), key]), size > 0 else {
            return nil
        }
        var failure: (any Error)?
        let header = try? KVBlockFile.header(
            KVBlockFile.Source(name: String(decoding: key, as: UTF8.self), size: size) { buffer, offset in
                let words = ["GETRANGE", "", String(offset), String(offset + buffer.count - 1)]
                do {
                    guard buffer.count > 0,
                        case .bytes(let bytes) = try self.client.command(
                            words.map { $0.isEmpty ? key : Array($0.utf8) }), bytes.count == buffer.count
                    else { return buffer.count == 0 }
                    buffer.copyBytes(from: bytes)
                    return true
                } catch {
                    failure = error
                    return false
                }
            }, key: self.key)
        if let failure { throw failure }
        return header.map { ($0, size) }
    }
}
