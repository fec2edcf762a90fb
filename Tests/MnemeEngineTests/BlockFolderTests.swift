import Foundation
import MnemeBase
import MnemeModels
import MnemeNumerics
import Testing

/// Models as chains of blocks that they have in common (BlockLLM).
@Suite struct BlockFolderTests {
    /// A folder with a tiny model and a variant whose second layer differs, gone afterwards.
    private func withVariants(
        _ body: (_ folder: String, _ base: String, _ variant: String) throws -> Void
    ) throws {
        let model = try #require(DecoderTests.models.first)
        let base = try DecoderTests.gguf(model)
        let folder = NSTemporaryDirectory() + "mneme-blocks-\(UUID().uuidString)"
        let variant = folder + "-variant.gguf"
        defer { for path in [base, variant, folder] { try? FileManager.default.removeItem(atPath: path) } }
        try GGUFConversion.convert(
            GGUFFile(path: base), to: .f32, path: variant,
            change: { name, weights in
                if name.hasPrefix("blk.1.ffn_down") { for i in weights.indices { weights[i] *= 1.5 } }
            })
        try body(folder, base, variant)
    }

    private func decoder(_ path: String) throws -> TransformerDecoder {
        try TransformerDecoder(GGUFFile(path: path), stepTokens: 64, stepLogits: 64)
    }

    private func logits(_ decoder: TransformerDecoder) -> [UInt32] {
        let tokens = (0..<20).map { Int32($0 * 5 % decoder.configuration.vocabularySize) }
        return decoder.logits(tokens, at: 0, in: Cache(decoder.configuration, positions: 32), rows: 20)
            .flatMap { $0.map(\.bitPattern) }
    }

    @Test func `equal layers are stored once, and logits are those of the models alone`() throws {
        try withVariants { folder, base, variant in
            let blocks = BlockFolder(path: folder)
            let first = try blocks.add(GGUFFile(path: base), as: "base")
            let second = try blocks.add(GGUFFile(path: variant), as: "variant")
            #expect(first.newBlocks == first.blocks && second.blocks == first.blocks)
            #expect(second.newBlocks == 1)
            #expect(second.storedBytes < second.bytes / 2)
            let stored = try FileManager.default.contentsOfDirectory(atPath: folder + "/.blocks")
            #expect(stored.count == first.blocks + 1)
            let alone = (try logits(decoder(base)), try logits(decoder(variant)))
            #expect(alone.0 != alone.1)
            let chains = (try decoder(first.path), try decoder(second.path))
            #expect(logits(chains.0) == alone.0)
            #expect(logits(chains.1) == alone.1)
        }
    }

    @Test func `what models have in common is packed once`() throws {
        try withVariants { folder, base, variant in
            let blocks = BlockFolder(path: folder)
            let paths = [
                try blocks.add(GGUFFile(path: base), as: "base").path,
                try blocks.add(GGUFFile(path: variant), as: "variant").path,
            ]
            let alone = [try decoder(base), try decoder(variant)]
            #expect(TransformerDecoder.weightBytes(of: alone) == alone[0].weightBytes + alone[1].weightBytes)
            let both = try paths.map { try decoder($0) }
            // The second brings no more than the matrices of one layer.
            let layer = alone[0].weightBytes / alone[0].configuration.layers
            #expect(both[0].weightBytes == alone[0].weightBytes)
            #expect(TransformerDecoder.weightBytes(of: both) > both[0].weightBytes)
            #expect(TransformerDecoder.weightBytes(of: both) <= both[0].weightBytes + layer)
        }
    }

    @Test func `blocks that no model has are removed, others stay`() throws {
        try withVariants { folder, base, variant in
            let blocks = BlockFolder(path: folder)
            let kept = try blocks.add(GGUFFile(path: base), as: "base").path
            _ = try blocks.add(GGUFFile(path: variant), as: "variant")
            #expect(try blocks.prune().blocks == 0)
            try FileManager.default.removeItem(atPath: folder + "/variant")
            let removed = try blocks.prune()
            #expect(removed.blocks == 1 && removed.bytes > 0)
            #expect(try logits(decoder(kept)) == logits(decoder(base)))
        }
    }

    @Test func `a block that does not hold what its name says is found`() throws {
        try withVariants { folder, base, variant in
            let blocks = BlockFolder(path: folder)
            let chain = try GGUFFile(path: blocks.add(GGUFFile(path: base), as: "base").path)
            #expect(BlockFolder.faults(of: chain).isEmpty)
            let other = try GGUFFile(path: blocks.add(GGUFFile(path: variant), as: "variant").path)
            let (mine, its) = (chain.blocks[1].hash, other.blocks[1].hash)
            #expect(mine != its)
            let place = "\(folder)/.blocks/\(mine).gguf"
            try FileManager.default.removeItem(atPath: place)
            try FileManager.default.copyItem(atPath: "\(folder)/.blocks/\(its).gguf", toPath: place)
            #expect(try BlockFolder.faults(of: GGUFFile(path: chain.path)).count == 1)
        }
    }

    @Test func `a chain can be shared again, and converted to one file`() throws {
        try withVariants { folder, base, _ in
            let chain = try BlockFolder(path: folder).add(GGUFFile(path: base), as: "base").path
            let other = folder + "/other"
            let whole = folder + "/whole.gguf"
            let again = try BlockFolder(path: other).add(GGUFFile(path: chain), as: "again")
            #expect(try logits(decoder(again.path)) == logits(decoder(base)))
            try GGUFConversion.convert(GGUFFile(path: chain), to: .f32, path: whole)
            #expect(try GGUFFile(path: whole).blocks.isEmpty)
            #expect(try logits(decoder(whole)) == logits(decoder(base)))
        }
    }

    @Test func `names that are there, blocks that are missing and chains that are unsound are refused`() throws {
        try withVariants { folder, base, _ in
            let blocks = BlockFolder(path: folder)
            let file = try GGUFFile(path: base)
            let chain = try blocks.add(file, as: "base").path
            #expect(throws: ModelError.self) { try blocks.add(file, as: "base") }
            for name in ["../base", ".hidden", "", "a/b"] {
                #expect(throws: ModelError.self) { try blocks.add(file, as: name) }
            }
            let hash = try #require(GGUFFile(path: chain).blocks.first).hash
            try FileManager.default.removeItem(atPath: "\(folder)/.blocks/\(hash).gguf")
            #expect(throws: ModelError.self) { try GGUFFile(path: chain) }
            // A chain as a block, a hash that is a path, and a tensor that stands there twice.
            let lists: [[String]] = [["../../base/base blk.0."], [hash + "blk.0."], ["\(hash.dropLast())/ "]]
            for list in lists {
                try file.writeHeader(chain: list.map { .string($0) }, to: chain)
                #expect(throws: ModelError.self) { try GGUFFile(path: chain) }
            }
            _ = try blocks.add(file, as: "again")
            try file.writeHeader(chain: [.string(hash + " blk.0."), .string(hash + " blk.0.")], to: chain)
            #expect(throws: ModelError.self) { try GGUFFile(path: chain) }
            try file.writeHeader(chain: [.string(hash + " blk.0."), .string(hash + " blk.1.")], to: chain)
            #expect(try GGUFFile(path: chain).tensors.count == 2 * GGUFFile(path: chain).blocks[0].file.tensors.count)
        }
    }
}
