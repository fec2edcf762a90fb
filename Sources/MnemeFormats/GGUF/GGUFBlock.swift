import Foundation
import MnemeBase

/// A file that holds a part of a model's tensors, such as one layer's, and that other models may have in
/// common with it.
///
/// A chain is a GGUF file without tensors of its own: its header names its blocks, and with what prefix
/// each one's tensors are the model's. `N/M.gguf` finds them in `.blocks` beside its folder.
package struct GGUFBlock: Sendable {
    /// The entry of a chain's header that lists its blocks: strings of a hash, a space and a prefix.
    package static let key = "mneme.blocks"
    /// The folder of blocks, beside those of models.
    package static let folder = ".blocks"

    /// What it holds, as 64 hexadecimal digits: its file's name.
    package let hash: String
    /// Stands before its tensors' names in the model: "blk.3." for the fourth layer.
    package let prefix: String
    package let file: GGUFFile

    /// Where the blocks of a chain lie.
    package static func folder(of path: String) -> String {
        URL(fileURLWithPath: path).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent(folder).path
    }

    /// Opens the blocks that a header lists; none if it lists none.
    ///
    /// - Throws: ``ModelError`` for a list that is not sound, and blocks that are not there.
    static func open(_ list: GGUFFile.Value?, of path: String) throws -> [GGUFBlock] {
        guard let list else { return [] }
        guard case .array(let values) = list else {
            throw ModelError(.invalidFile, "\(path) lists its blocks in no array.")
        }
        let folder = folder(of: path)
        var files: [String: GGUFFile] = [:]
        return try values.map { value in
            guard case .string(let text) = value, let space = text.firstIndex(of: " "),
                text[..<space].utf8.count == 64,
                text[..<space].utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
            else { throw ModelError(.invalidFile, "\(path) names a block that is none.") }
            let hash = String(text[..<space])
            // Layers of one model may be equal, too.
            let file = try files[hash] ?? GGUFFile(path: "\(folder)/\(hash).gguf", isBlock: true)
            files[hash] = file
            return GGUFBlock(hash: hash, prefix: String(text[text.index(after: space)...]), file: file)
        }
    }
}

extension GGUFFile {
    /// Writes a chain: this file's header, and the blocks that hold its tensors.
    ///
    /// - Throws: ``ModelError`` if it cannot be written; nothing is left behind then.
    package func writeHeader(chain: [Value], to path: String) throws {
        var writer = GGUFWriter()
        for entry in entries where !["general.alignment", GGUFBlock.key].contains(entry.key) {
            writer.add(raw: file.bytes[entry.range])
        }
        try writer.add(GGUFBlock.key, .array(chain))
        try writer.write(to: path) { _ in [] }
    }
}
