/// A graph of memories: typed, timed edges between memories, and between memories and
/// what they name.
///
/// A walk spreads from where it begins along the edges, less with each step, as in spreading
/// activation and personalised PageRank (HippoRAG, Gutiérrez et al. 2024): what is reached on
/// several ways is closest.
public struct MemoryGraph: Sendable {
    /// Why two are connected, and how much of a walk goes that way.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// One names what the other stands for.
        case entity
        /// One follows the other in a conversation.
        case temporal
        /// One led to the other.
        case causal
        /// One was made from the other.
        case derivedFrom
        /// Someone or something else connected them.
        case related

        /// How much of a walk goes this way, beside others from the same node: chosen by hand; what
        /// merely follows in a conversation says least.
        var weight: Float {
            switch self {
            case .temporal: 0.5
            case .entity: 1
            case .causal, .derivedFrom, .related: 2
            }
        }
    }

    /// One direction of an edge; the other stands at its target.
    private struct Edge: Sendable, Equatable {
        var target: Int32
        var kind: Kind
        /// Seconds since 1970; −∞ where it holds always.
        var time: Double
    }

    /// By node. Invariant: an edge stands at both of its ends, once for each kind.
    private var edges: [[Edge]] = []

    /// No nodes.
    public init() {}

    /// A new node's number.
    public mutating func addNode() -> Int {
        edges.append([])
        return edges.count - 1
    }

    /// Connects two nodes in both directions; what is connected in this way already stays.
    ///
    /// - Complexity: O(edges of the node that has fewer): what many memories name has one edge for
    ///   each of them.
    public mutating func link(_ a: Int, _ b: Int, _ kind: Kind, time: Double = -.infinity) {
        let (near, far) = edges[a].count <= edges[b].count ? (a, b) : (b, a)
        let isKnown = edges[near].contains { Int($0.target) == far && $0.kind == kind }
        guard a != b, !isKnown else { return }
        edges[a].append(Edge(target: Int32(b), kind: kind, time: time))
        edges[b].append(Edge(target: Int32(a), kind: kind, time: time))
    }

    /// Takes an edge away.
    public mutating func unlink(_ a: Int, _ b: Int, _ kind: Kind) {
        edges[a].removeAll { Int($0.target) == b && $0.kind == kind }
        edges[b].removeAll { Int($0.target) == a && $0.kind == kind }
    }

    /// Takes all edges of a node away, or those of one kind.
    public mutating func isolate(_ node: Int, _ kind: Kind? = nil) {
        for edge in edges[node] where kind == nil || edge.kind == kind {
            edges[Int(edge.target)].removeAll {
                Int($0.target) == node && (kind == nil || $0.kind == kind)
            }
        }
        edges[node].removeAll { kind == nil || $0.kind == kind }
    }

    /// Walks from `seeds` (personalised PageRank): for each node reached, how much of the walks
    /// comes by.
    ///
    /// - Parameters:
    ///   - seeds: where walks begin, and with which weight.
    ///   - hops: steps at most.
    ///   - decay: share that goes on at each step.
    ///   - kinds: edges that are walked.
    ///   - before: edges made later are not there yet.
    ///   - limit: nodes that a step goes on from, at most; those with most.
    /// - Returns: nodes with what has reached them in one step or more, without order. Seeds are
    ///   among them if they are reached from others.
    /// - Complexity: O(edges of the nodes gone on from).
    public func walk(
        from seeds: [(node: Int, weight: Float)], hops: Int = 2, decay: Float = 0.5,
        kinds: Set<Kind> = Set(Kind.allCases), before: Double = .infinity,
        limit: Int = 4096
    ) -> [(node: Int, score: Float)] {
        let weights = Kind.allCases.map { kinds.contains($0) ? $0.weight : 0 }
        var frontier = SparseMatrix(), reached: [Int: Float] = [:], share = decay
        frontier.append(
            seeds.lazy.filter { $0.node >= 0 && $0.node < edges.count }.map { ($0.node, $0.weight) }
        )
        for _ in 0..<max(0, hops) {
            frontier = frontier.product(limit: limit) { node, each in
                var total: Float = 0
                for edge in edges[node] where edge.time < before {
                    total += weights[Int(edge.kind.rawValue)]
                }
                guard total > 0 else { return }
                for edge in edges[node] where edge.time < before {
                    let weight = weights[Int(edge.kind.rawValue)]
                    if weight > 0 { each(Int(edge.target), weight / total) }
                }
            }
            for (node, value) in frontier.row(0) { reached[node, default: 0] += share * value }
            share *= decay
        }
        return reached.map { ($0.key, $0.value) }
    }
}
