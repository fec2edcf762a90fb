public import Foundation

extension KVFolder {
    /// A text whose KV blocks are on disk: the last block of a chain, and all blocks before it.
    public struct Text: Sendable, Encodable {
        /// The beginning of the last block's hash.
        public var id: String
        /// The model that computed it.
        public var model: String
        /// The length of the whole text.
        public var tokens: Int
        /// Disk space of its blocks, those that it shares with other texts included.
        public var bytes: Int
        /// When its last block was used last.
        public var lastUse: Date
        /// True if it is never trimmed.
        public var isPinned: Bool
        /// Names of the memories that the prompt was made of.
        public var sources: [String]
    }

    /// All texts, the last used first, each with the chain of its blocks. A text ends with a block
    /// that no other continues.
    ///
    /// - Complexity: one read of the beginning of each block's file.
    public func texts() -> [(text: Text, chain: [Entry])] {
        // A chain runs backwards, from its last block to the one that has no parent.
        let entries = entries()
        let parents = Set(entries.map(\.parent))
        let known = Dictionary(entries.map { ($0.hash, $0) }) { first, _ in first }
        return entries.filter { !parents.contains($0.hash) }.map { end in
            var chain = [end]
            while let before = known[chain[0].parent] { chain.insert(before, at: 0) }
            let text = Text(
                id: String(end.hash.description.prefix(12)), model: end.model,
                tokens: end.position + end.tokens.count,
                bytes: chain.reduce(0) { $0 + $1.bytes }, lastUse: end.lastUse,
                isPinned: end.isPinned, sources: end.sources)
            return (text, chain)
        }.sorted { $0.text.lastUse > $1.text.lastUse }
    }
}
