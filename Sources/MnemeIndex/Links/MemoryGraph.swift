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
    struct Edge: Sendable, Equatable {
        var target: Int32
        var kind: Kind
        /// Seconds since 1970; −∞ where it holds always.
        var time: Double
    }

    /// Edges of the nodes that the index's file has, as they are there.
    private var filed = EdgeTable()
    /// Edges of those nodes of the file that have others now.
    private var changed: [Int: [Edge]] = [:]
    /// Edges of the nodes behind those of the file. Invariant, also across the three: an edge
    /// stands at both of its ends, once for each kind.
    private var added: [[Edge]] = []

    /// No nodes.
    public init() {}

    /// Nodes; numbers run from 0.
    private var nodeCount: Int { filed.count + added.count }

    /// Edges of a node, to be changed.
    private subscript(node: Int) -> [Edge] {
        get {
            if node >= filed.count { return added[node - filed.count] }
            return changed[node] ?? filed.edges(of: node)
        }
        _modify {
            if node >= filed.count {
                yield &added[node - filed.count]
            } else {
                yield &changed[node, default: filed.edges(of: node)]
            }
        }
    }

    /// How many edges a node has.
    package func edgeCount(_ node: Int) -> Int {
        if node >= filed.count { return added[node - filed.count].count }
        return changed[node]?.count ?? filed.edgeCount(node)
    }

    /// Calls `body` with each edge of a node, in the order in which they were made.
    @inline(__always)
    private func forEachEdge(of node: Int, _ body: (Edge) -> Void) {
        if node >= filed.count {
            for edge in added[node - filed.count] { body(edge) }
        } else if let edges = changed.isEmpty ? nil : changed[node] {
            for edge in edges { body(edge) }
        } else {
            filed.forEachEdge(of: node, body)
        }
    }

    /// A new node's number.
    public mutating func addNode() -> Int {
        added.append([])
        return nodeCount - 1
    }

    /// Connects two nodes in both directions; what is connected in this way already stays.
    ///
    /// - Complexity: O(edges of the node that has fewer): what many memories name has one edge for
    ///   each of them.
    public mutating func link(_ a: Int, _ b: Int, _ kind: Kind, time: Double = -.infinity) {
        let (near, far) = edgeCount(a) <= edgeCount(b) ? (a, b) : (b, a)
        var isKnown = false
        forEachEdge(of: near) { if Int($0.target) == far && $0.kind == kind { isKnown = true } }
        guard a != b, !isKnown else { return }
        self[a].append(Edge(target: Int32(b), kind: kind, time: time))
        self[b].append(Edge(target: Int32(a), kind: kind, time: time))
    }

    /// Takes an edge away.
    public mutating func unlink(_ a: Int, _ b: Int, _ kind: Kind) {
        self[a].removeAll { Int($0.target) == b && $0.kind == kind }
        self[b].removeAll { Int($0.target) == a && $0.kind == kind }
    }

    /// Takes all edges of a node away, or those of one kind.
    public mutating func isolate(_ node: Int, _ kind: Kind? = nil) {
        for edge in self[node] where kind == nil || edge.kind == kind {
            self[Int(edge.target)].removeAll {
                Int($0.target) == node && (kind == nil || $0.kind == kind)
            }
        }
        self[node].removeAll { kind == nil || $0.kind == kind }
    }

    // MARK: Files

    /// Reads what ``write(to:)`` wrote.
    package init(from reader: inout TableReader) throws { filed = try EdgeTable(from: &reader) }

    /// Writes the edges of all nodes.
    package func write(to writer: inout TableWriter) {
        guard !changed.isEmpty || !added.isEmpty else { return filed.write(to: &writer) }
        var all = EdgeTable()
        for node in 0..<nodeCount { all.append(self[node]) }
        all.write(to: &writer)
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
        var frontier = SparseMatrix()
        var reached: [Int: Float] = [:]
        var share = decay
        frontier.append(
            seeds.lazy.filter { $0.node >= 0 && $0.node < nodeCount }.map { ($0.node, $0.weight) }
        )
        for _ in 0..<max(0, hops) {
            frontier = frontier.product(limit: limit) { node, each in
                var total: Float = 0
                forEachEdge(of: node) { edge in
                    if edge.time < before { total += weights[Int(edge.kind.rawValue)] }
                }
                guard total > 0 else { return }
                forEachEdge(of: node) { edge in
                    let weight = weights[Int(edge.kind.rawValue)]
                    if edge.time < before, weight > 0 { each(Int(edge.target), weight / total) }
                }
            }
            for (node, value) in frontier.row(0) { reached[node, default: 0] += share * value }
            share *= decay
        }
        return reached.map { ($0.key, $0.value) }
    }
}
