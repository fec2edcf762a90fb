import NIOConcurrencyHelpers

/// What is erased of the cache with memories.
extension KVCache {
    /// Forgets all that was made with these memories in the text; sequences that run end
    /// undisturbed, and nobody finds what they leave.
    ///
    /// - Parameter blocks: go, too, and all that follow them.
    /// - Throws: ``KVError`` if something may be left in a tier beyond memory.
    package func erase(sources: Set<String>, blocks: Set<KVHash> = []) throws {
        state.withLockedValue { state in
            var erased: [KVNode] = []
            func isErasing(_ node: KVNode) -> Bool {
                !node.sources.isDisjoint(with: sources) || blocks.contains(node.hash)
            }
            state.tree.visit {
                if !$0.isDetached, isErasing($0), !($0.parent.map(isErasing) ?? false) {
                    erased.append($0)
                }
            }
            for node in erased { for block in state.tree.detach(node) { arena.free(block) } }
            for session in state.sessionsWithMemories.values
            where !session.sources.isDisjoint(with: sources) {
                session.isErased = true
            }
        }
        flush()
        for tier in [localTier, remoteTier].compactMap({ $0 }) {
            for block in blocks { try tier.remove(block) }
            try tier.erase(sources: sources)
        }
    }

    /// The blocks in memory of a text that no other text there begins with.
    package func unsharedBlocks(_ hash: KVHash) -> [KVHash] {
        state.withLockedValue { state in
            var node: KVNode?
            var blocks: [KVHash] = []
            state.tree.visit { if $0.hash == hash { node = $0 } }
            while let next = node, next.parent != nil, blocks.isEmpty || next.children.count == 1 {
                blocks.append(next.hash)
                node = next.parent
            }
            return blocks
        }
    }
}
