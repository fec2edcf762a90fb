import Foundation

/// A node of the tree: the block that ends a prefix of texts.
final class KVNode {
    let parent: KVNode?
    /// At most a block's; fewer where a text ended.
    let tokens: [Int32]
    let hash: KVHash
    /// Tokens before it.
    let position: Int
    let block: Int
    fileprivate(set) var children: [[Int32]: KVNode] = [:]
    /// Sequences that read it, its descendants, or write it to disk.
    fileprivate(set) var pins = 0
    fileprivate(set) var isDetached = false
    /// Names of the memories that its text or what stands before holds.
    fileprivate(set) var sources: Set<String>
    fileprivate(set) var uses = 0
    fileprivate var lastUse: Double
    /// The block is on disk, too, or on its way there.
    var isKept = false

    fileprivate init(
        parent: KVNode?, tokens: [Int32], hash: KVHash, block: Int, sources: Set<String>,
        now: Double
    ) {
        self.parent = parent
        self.tokens = tokens
        self.hash = hash
        self.block = block
        position = parent.map { $0.position + $0.tokens.count } ?? 0
        self.sources = sources
        lastUse = now
    }
}

/// The blocks in memory, by the tokens that lead to them: a radix tree over blocks (RadixAttention,
/// Zheng et al. 2024).
///
/// An inner node is a full block; a leaf may be a tail block, of fewer tokens. A node that is
/// pinned pins all before it, so that what is unpinned can always be evicted from the ends. A
/// detached node is one that was erased: those who read it go on, nobody else finds it.
struct PrefixTree {
    private let model: KVHash
    /// The root of each scope's texts: nobody finds those of another.
    private var roots: [String: KVNode] = [:]
    /// Nodes, and those of them that nobody reads.
    private(set) var count = 0, unpinned = 0
    /// Those that can be evicted now: nobody reads them, and nothing follows them.
    private var leaves: [ObjectIdentifier: KVNode] = [:]

    init(model: KVHash) { self.model = model }

    /// The root of a scope's texts.
    mutating func root(_ scope: String) -> KVNode {
        if let root = roots[scope] { return root }
        let root = KVNode(
            parent: nil, tokens: [], hash: scope.isEmpty ? model : model.scoped(scope), block: -1,
            sources: [], now: 0)
        roots[scope] = root
        return root
    }

    /// The longest cached prefix.
    ///
    /// - Returns: whole blocks, and a further block of which the first `count` tokens fit.
    /// - Complexity: O(tokens + children of the last node).
    func match(_ tokens: ArraySlice<Int32>, from root: KVNode) -> (
        path: [KVNode], partial: (node: KVNode, count: Int)?
    ) {
        var path: [KVNode] = []
        var rest = tokens
        while rest.count >= KVShape.blockTokens,
            let child = (path.last ?? root).children[Array(rest.prefix(KVShape.blockTokens))]
        {
            path.append(child)
            rest = rest.dropFirst(KVShape.blockTokens)
        }
        var best: (node: KVNode, count: Int)?
        for child in (path.last ?? root).children.values {
            let shared = zip(child.tokens, rest).prefix { $0 == $1 }.count
            // Of equal ones the first block, so that a replay repeats.
            if (shared, -child.block) > (best?.count ?? 0, best.map { -$0.node.block } ?? 1) {
                best = (child, shared)
            }
        }
        return (path, best)
    }

    /// Adds a block, or finds the one that is there. It is to be pinned at once.
    mutating func insert(
        _ parent: KVNode, _ tokens: [Int32], block: Int, sources: Set<String>, now: Double
    ) -> (
        node: KVNode, isNew: Bool
    ) {
        if let present = parent.children[tokens] {
            present.sources.formUnion(sources)
            return (present, false)
        }
        let node = KVNode(
            parent: parent, tokens: tokens, hash: parent.hash.next(tokens), block: block,
            sources: parent.sources.union(sources), now: now)
        // What follows a block that was cut off is not found either; it is freed when its sequence
        // ends.
        if parent.isDetached { node.isDetached = true } else { parent.children[tokens] = node }
        count += 1
        unpinned += 1
        settle(parent)
        settle(node)
        return (node, true)
    }

    /// A block beside holds all of these tokens already.
    func covers(_ parent: KVNode, _ tokens: [Int32]) -> Bool {
        parent.children[tokens] != nil
            || parent.children.values.contains {
                $0.tokens.count > tokens.count && $0.tokens.starts(with: tokens)
            }
    }

    mutating func pin(_ node: KVNode) {
        node.pins += 1
        guard node.pins == 1 else { return }
        unpinned -= 1
        settle(node)
    }

    /// - Returns: whether the block is free now, because the node was removed meanwhile.
    mutating func unpin(_ node: KVNode) -> Bool {
        node.pins -= 1
        guard node.pins == 0 else { return false }
        unpinned += 1
        guard node.isDetached else {
            settle(node)
            return false
        }
        forget(node)
        return true
    }

    func touch(_ node: KVNode, now: Double) {
        node.uses += 1
        node.lastUse = now
    }

    /// Evicts nodes, lowest value first, until `blocks` are free or nothing more can be evicted.
    ///
    /// - Returns: their blocks.
    /// - Complexity: one visit of all leaves for each generation of them.
    mutating func evict(_ blocks: Int, by evictor: any Evictor, bytes: Int, now: Double) -> [Int] {
        var freed: [Int] = []
        while freed.count < blocks {
            var candidates: [(value: Double, node: KVNode, candidate: EvictionCandidate)] = []
            for node in leaves.values {
                let candidate = self.candidate(node, bytes: bytes, now: now)
                candidates.append((evictor.value(candidate), node, candidate))
            }
            if candidates.isEmpty { break }
            candidates.sort {
                ($0.value, $1.node.position, $0.node.block) < ($1.value, $0.node.position, $1.node.block)
            }
            for leaf in candidates.prefix(blocks - freed.count) {
                evictor.didEvict(leaf.candidate)
                freed.append(remove(leaf.node))
            }
        }
        return freed
    }

    /// The value of the node that would be evicted next; nil if none can be.
    ///
    /// - Complexity: one visit of all leaves.
    func leastValue(by evictor: any Evictor, bytes: Int, now: Double) -> Double? {
        leaves.values.map { evictor.value(candidate($0, bytes: bytes, now: now)) }.min()
    }

    private func candidate(_ node: KVNode, bytes: Int, now: Double) -> EvictionCandidate {
        EvictionCandidate(
            bytes: bytes, position: node.position, tokens: node.tokens.count, idle: now - node.lastUse,
            uses: node.uses, time: now,
            // What was found again once is thought to be found again.
            isExpected: node.uses > 0)
    }

    /// Removes a leaf that nobody reads; returns its block.
    mutating func remove(_ node: KVNode) -> Int {
        precondition(node.pins == 0 && node.children.isEmpty, "A block in use was evicted.")
        node.parent?.children[node.tokens] = nil
        forget(node)
        leaves[ObjectIdentifier(node)] = nil
        if let parent = node.parent { settle(parent) }
        return node.block
    }

    /// Cuts off a node and all after it, so that nobody finds them again.
    ///
    /// - Returns: blocks that are free at once; those that are still read follow when they are
    ///   unpinned.
    mutating func detach(_ node: KVNode) -> [Int] {
        node.parent?.children[node.tokens] = nil
        if let parent = node.parent { settle(parent) }
        var freed: [Int] = []
        var stack = [node]
        while let next = stack.popLast() {
            stack += next.children.values
            next.children = [:]
            next.isDetached = true
            settle(next)
            if next.pins == 0 {
                forget(next)
                freed.append(next.block)
            }
        }
        return freed
    }

    /// Notes whether a node can be evicted, after it changed. Roots never can.
    private mutating func settle(_ node: KVNode) {
        let isLeaf = node.pins == 0 && node.children.isEmpty && !node.isDetached && node.parent != nil
        leaves[ObjectIdentifier(node)] = isLeaf ? node : nil
    }

    private mutating func forget(_ node: KVNode) {
        count -= 1
        unpinned -= 1
    }

    /// Calls `body` for each node, parents first.
    func visit(_ body: (KVNode) -> Void) {
        var stack = roots.values.flatMap(\.children.values)
        while let node = stack.popLast() {
            body(node)
            stack += node.children.values
        }
    }
}
