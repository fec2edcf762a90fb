import Foundation
import MnemeKV

extension KVCommand {
    /// A text whose KV blocks are on disk: the last block of a chain, and all blocks before it.
    ///
    /// `id` is the beginning of the last block's hash, `tokens` the length of the whole text,
    /// `bytes` the disk space of its blocks, `sources` the memories that the prompt was made of.
    struct Text: Encodable {
        var id: String
        var model: String
        var tokens: Int
        var bytes: Int
        var lastUse: Date
        var isPinned: Bool
        var sources: [String]

        /// All texts, the last used first, each with the chain of its blocks. A text ends with a
        /// block that no other continues.
        ///
        /// - Complexity: one read of the beginning of each block's file.
        static func all(_ folder: KVFolder) -> [(text: Text, chain: [KVFolder.Entry])] {
            // A chain runs backwards, from its last block to the one that has no parent.
            let entries = folder.entries(), parents = Set(entries.map(\.parent))
            let known = Dictionary(entries.map { ($0.hash, $0) }) { first, _ in first }
            return entries.filter { !parents.contains($0.hash) }.map { end in
                var chain = [end]
                while let before = known[chain[0].parent] { chain.insert(before, at: 0) }
                let text = Text(
                    id: String(end.hash.description.prefix(12)), model: end.model,
                    tokens: end.position + end.tokens.count,
                    bytes: chain.reduce(0) { $0 + $1.bytes }, lastUse: end.lastUse,
                    isPinned: end.isPinned,
                    sources: end.sources)
                return (text, chain)
            }.sorted { $0.text.lastUse > $1.text.lastUse }
        }
    }
}
