import Crypto
import Foundation
import MnemeBase
import MnemeNumerics

/// A folder of models cut into blocks, one for each layer and one for each tensor beside them: a block
/// that several models have is stored once, and its matrices are packed once in a process (the block zoo
/// of BlockLLM, Hu et al. 2024).
///
/// So variants of a model that differ in a few layers take little more than these. A block is named by
/// what it holds. Models are chains of blocks: GGUF files whose header alone is their own.
public struct BlockFolder: Sendable {
    /// The folder.
    public let path: String
    private var blocks: String { path + "/" + GGUFBlock.folder }

    /// A folder that may not be there yet.
    public init(path: String) { self.path = path }

    /// What adding a model came to.
    public struct Added: Sendable, Codable {
        /// Its name, and its chain's path.
        public var model: String, path: String
        /// Its blocks, and those that no model had before.
        public var blocks: Int, newBlocks: Int
        /// Bytes of the model's file, and of what was stored for it: new blocks and its header.
        public var bytes: Int, storedBytes: Int
    }

    /// Cuts a model into blocks and stores those that are not there; the file is left as it is.
    ///
    /// - Parameters:
    ///   - file: the model.
    ///   - name: of its folder here.
    ///   - progress: called with blocks that are done, and all.
    /// - Throws: `ModelError` if there is a model of that name, or the folder cannot be written. Blocks
    ///   that were stored by then stay.
    /// - Complexity: one pass over the file, and another over what is new; a tensor at a time in memory.
    public func add(
        _ file: GGUFFile, as name: String, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Added {
        let place = "\(path)/\(name)/\(name).gguf"
        guard name.isPlainName, !name.hasPrefix("."), !FileManager.default.fileExists(atPath: place) else {
            throw ModelError(.cannotWrite, "\(place) is there already, or is no name. Choose another.")
        }
        do {
            try FileManager.default.createDirectory(atPath: blocks, withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: "\(path)/\(name)", withIntermediateDirectories: true)
        } catch {
            throw ModelError(.cannotWrite, "\(path) cannot be written: \(error.localizedDescription)")
        }
        var added = Added(model: name, path: place, blocks: 0, newBlocks: 0, bytes: 0, storedBytes: 0)
        var chain: [GGUFFile.Value] = []
        let parts = Self.parts(of: file)
        for (i, part) in parts.enumerated() {
            let hash = Self.hash(part.tensors, prefix: part.prefix, of: file)
            let target = "\(blocks)/\(hash).gguf"
            if !FileManager.default.fileExists(atPath: target) {
                try write(part.tensors, prefix: part.prefix, of: file, to: target)
                added.newBlocks += 1
                added.storedBytes += try Self.size(of: target)
            }
            file.discardPages()
            chain.append(.string(hash + " " + part.prefix))
            added.bytes += part.tensors.reduce(0) { $0 + $1.range.count }
            progress(i + 1, parts.count)
        }
        added.blocks = parts.count
        try file.writeHeader(chain: chain, to: place)
        added.bytes += try Self.size(of: place)
        added.storedBytes += try Self.size(of: place)
        return added
    }

    /// Removes blocks that no model of the folder has.
    ///
    /// - Returns: how many, and their bytes.
    /// - Throws: `ModelError` if a chain cannot be read: nothing is removed then.
    public func prune() throws -> (blocks: Int, bytes: Int) {
        let files = FileManager.default
        func names(_ folder: String) -> [String] { (try? files.contentsOfDirectory(atPath: folder)) ?? [] }
        var used: Set<String> = []
        for model in names(path) where !model.hasPrefix(".") {
            for name in names("\(path)/\(model)") where name.hasSuffix(".gguf") {
                used.formUnion(try GGUFFile(path: "\(path)/\(model)/\(name)").blocks.map(\.hash))
            }
        }
        var removed = (blocks: 0, bytes: 0)
        for name in names(blocks) where name.hasSuffix(".gguf") && !used.contains(String(name.dropLast(5))) {
            let bytes = try Self.size(of: "\(blocks)/\(name)")
            do { try files.removeItem(atPath: "\(blocks)/\(name)") } catch {
                throw ModelError(.cannotWrite, "\(blocks)/\(name) cannot be removed: \(error.localizedDescription)")
            }
            removed = (removed.blocks + 1, removed.bytes + bytes)
        }
        return removed
    }

    /// Blocks of a chain that do not hold what their names say, a sentence each.
    package static func faults(of file: GGUFFile) -> [String] {
        var seen: Set<String> = []
        return file.blocks.compactMap { block in
            guard seen.insert(block.hash).inserted else { return nil }
            let tensors = block.file.tensors.values.sorted { $0.name < $1.name }
            defer { block.file.discardPages() }
            return hash(tensors, prefix: "", of: block.file) == block.hash
                ? nil : "The block \(block.hash.prefix(12)) of '\(block.prefix)' has changed. Share the model again."
        }
    }

    /// The layers in order, then the other tensors, each by itself.
    private static func parts(of file: GGUFFile) -> [(prefix: String, tensors: [GGUFFile.Tensor])] {
        var layers: [Int: [GGUFFile.Tensor]] = [:]
        var others: [GGUFFile.Tensor] = []
        for tensor in file.tensors.values.sorted(by: { $0.name < $1.name }) {
            let words = tensor.name.split(separator: ".", maxSplits: 2)
            if words.count == 3, words[0] == "blk", let layer = Int(words[1]), String(layer) == words[1] {
                layers[layer, default: []].append(tensor)
            } else {
                others.append(tensor)
            }
        }
        return layers.sorted { $0.key < $1.key }.map { ("blk.\($0.key).", $0.value) }
            + others.map { ("", [$0]) }
    }

    /// What a block holds: its tensors' names without the prefix, types, extents and bytes.
    private static func hash(_ tensors: [GGUFFile.Tensor], prefix: String, of file: GGUFFile) -> String {
        var hash = SHA256()
        for tensor in tensors {
            let line = "\(tensor.name.dropFirst(prefix.count)) \(tensor.typeName) \(tensor.shape)\n"
            hash.update(data: Data(line.utf8))
            hash.update(bufferPointer: file.bytes(tensor))
        }
        return Hexadecimal.string(hash.finalize())
    }

    private func write(
        _ tensors: [GGUFFile.Tensor], prefix: String, of file: GGUFFile, to path: String
    ) throws {
        var writer = GGUFWriter()
        for tensor in tensors {
            writer.add(
                tensor: String(tensor.name.dropFirst(prefix.count)), shape: tensor.shape, type: tensor.type,
                bytes: tensor.range.count)
        }
        try writer.write(to: path) { Array(file.bytes(tensors[$0])) }
    }

    private static func size(of path: String) throws -> Int {
        guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int else {
            throw ModelError(.missingFile, "\(path) is not there any more.")
        }
        return size
    }
}
