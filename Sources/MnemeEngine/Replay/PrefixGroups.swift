import MnemeKV

/// Groups a batch of requests by the prefixes that they share (BatchLLM, Zheng et al. 2024).
///
/// A tree of all prompts' blocks says who shares what. From its leaves up, each node is either the
/// prefix of one group, or its children's groups are better: whichever saves more tokens, a group of
/// `n` requests with a prefix of `t` tokens saving `t·(n - 1)`. Requests of a group follow each
/// other, so that the prefix is computed once and needed for a short time. Groups whose answers are
/// long beside what is computed of their prompts go first: their answers fill the steps of the
/// prompts that come later.
package struct PrefixGroups {
    /// The requests' indices, in the order in which they are to start.
    package private(set) var order: [Int] = []
    /// Tokens of prompts that groups need not compute again.
    package private(set) var savedTokens = 0

    /// A node: a prefix of some blocks.
    private struct Node {
        var depth: Int
        var children: [Int] = []
        /// Requests whose whole blocks end here.
        var requests: [Int] = []
        /// Requests here and below, tokens saved at best, and whether one group saves them.
        var count = 0, saved = 0
        var isGroup = true
    }

    /// Groups requests.
    ///
    /// - Complexity: O(tokens of prompts).
    package init(_ requests: [TraceRequest]) {
        let block = KVShape.blockTokens
        var nodes = [Node(depth: 0)]
        var known: [UInt64: Int] = [:]
        for (i, request) in requests.enumerated() {
            var node = 0
            for name in request.prefixNames(of: block) {
                if let next = known[name] {
                    node = next
                } else {
                    known[name] = nodes.count
                    nodes[node].children.append(nodes.count)
                    nodes.append(Node(depth: nodes[node].depth + 1))
                    node = nodes.count - 1
                }
            }
            nodes[node].requests.append(i)
        }
        // Children stand behind their parents.
        for i in nodes.indices.reversed() {
            let own = nodes[i].requests.count
            nodes[i].count = nodes[i].children.reduce(own) { $0 + nodes[$1].count }
            let together = nodes[i].depth * block * (nodes[i].count - 1)
            let apart = nodes[i].children.reduce(nodes[i].depth * block * max(0, own - 1)) { $0 + nodes[$1].saved }
            nodes[i].isGroup = i > 0 && together >= apart
            nodes[i].saved = max(i > 0 ? together : 0, apart)
        }
        savedTokens = nodes[0].saved
        var groups: [(ratio: Double, requests: [Int])] = []
        func add(_ members: [Int], depth: Int) {
            guard !members.isEmpty else { return }
            let prompts = members.reduce(0) { $0 + requests[$1].promptTokens }
            let answers = members.reduce(0) { $0 + (requests[$1].maxTokens ?? requests[$1].completionTokens) }
            let computed = prompts - depth * block * (members.count - 1)
            groups.append((Double(answers) / Double(max(1, computed)), members))
        }
        // Groups in the order of the tree; within one, requests that share more stand together.
        var stack = [0]
        while let i = stack.popLast() {
            if nodes[i].isGroup {
                add(Self.below(i, nodes), depth: nodes[i].depth)
            } else {
                if i == 0 {
                    for request in nodes[i].requests { add([request], depth: 0) }
                } else {
                    add(nodes[i].requests, depth: nodes[i].depth)
                }
                stack += nodes[i].children.reversed()
            }
        }
        // A stable order: of equal ratios, as the tree has them.
        order = groups.enumerated().sorted {
            ($1.element.ratio, $0.offset) < ($0.element.ratio, $1.offset)
        }.flatMap(\.element.requests)
    }

    /// Requests of a node and below, depth first.
    private static func below(_ root: Int, _ nodes: [Node]) -> [Int] {
        var result: [Int] = []
        var stack = [root]
        while let i = stack.popLast() {
            result += nodes[i].requests
            stack += nodes[i].children.reversed()
        }
        return result
    }
}
