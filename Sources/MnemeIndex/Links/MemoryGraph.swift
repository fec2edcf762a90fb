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

    /// Edges in files, in the order of their nodes.
    private var segments: [EdgeSegment] = []
    /// Nodes in files, and a bit for each of whose edges later files than its own have some.
    private var filedCount = 0, spread: [UInt64] = []
    /// Edges of those nodes in files that have lost some since.
    private var changed: [Int: [Edge]] = [:]
    /// Edges that other nodes in files have besides those there: what many memories name gets one
    /// with nearly each, and its list in the file is not copied for that.
    private var appended: [Int: [Edge]] = [:]
    /// Edges of the nodes behind those in files. Invariant, also across all of these: an edge
    /// stands at both of its ends, once for each kind.
    private var added: [[Edge]] = []

    /// No nodes.
    public init() {}

    /// Nodes; numbers run from 0.
    private var nodeCount: Int { filedCount + added.count }

    /// Edges of a node, of which some may be taken away.
    private subscript(node: Int) -> [Edge] {
        get {
            if node >= filedCount { return added[node - filedCount] }
            var edges: [Edge] = []
            edges.reserveCapacity(edgeCount(node))
            forEachEdge(of: node) { edges.append($0) }
            return edges
        }
        _modify {
            if node >= filedCount {
                yield &added[node - filedCount]
            } else {
                if changed[node] == nil {
                    changed[node] = self[node]
                    appended[node] = nil
                }
                yield &changed[node]!
            }
        }
    }

    /// Adds an edge to a node.
    private mutating func append(_ edge: Edge, to node: Int) {
        if node >= filedCount {
            added[node - filedCount].append(edge)
        } else if changed[node] != nil {
            changed[node]!.append(edge)
        } else {
            appended[node, default: []].append(edge)
        }
    }

    /// How many edges a node has.
    package func edgeCount(_ node: Int) -> Int {
        if node >= filedCount { return added[node - filedCount].count }
        if let edges = changed.isEmpty ? nil : changed[node] { return edges.count }
        var count = appended[node]?.count ?? 0
        if isSpread(node) {
            forEachFiled(node) { _ in count += 1 }
        } else {
            let segment = segments[home(of: node)]
            count += segment.own.edgeCount(node - segment.start)
        }
        return count
    }

    /// Calls `body` with each edge of a node, in the order in which they were made.
    @inline(__always)
    private func forEachEdge(of node: Int, _ body: (Edge) -> Void) {
        if node >= filedCount {
            for edge in added[node - filedCount] { body(edge) }
        } else if let edges = changed.isEmpty ? nil : changed[node] {
            for edge in edges { body(edge) }
        } else {
            forEachFiled(node, body)
            guard !appended.isEmpty, let edges = appended[node] else { return }
            for edge in edges { body(edge) }
        }
    }

    /// The segment that a node in a file is one of the own of.
    private func home(of node: Int) -> Int { segments.lastIndex { $0.start <= node } ?? 0 }

    /// True if files behind a node's own have edges of it.
    @inline(__always)
    private func isSpread(_ node: Int) -> Bool { spread[node >> 6] >> UInt64(node & 63) & 1 != 0 }

    /// Calls `body` with each edge that files have of a node.
    @inline(__always)
    private func forEachFiled(_ node: Int, _ body: (Edge) -> Void) {
        let home = home(of: node)
        guard isSpread(node) else {
            return segments[home].own.forEachEdge(of: node - segments[home].start, body)
        }
        // The last that has all of its edges, and what was added behind.
        var first = home
        for place in segments.indices.dropFirst(home + 1).reversed() {
            if let found = segments[place].changed.place(of: node) {
                segments[place].changed.forEachEdge(at: found, body)
                first = place
                break
            }
        }
        if first == home { segments[home].own.forEachEdge(of: node - segments[home].start, body) }
        for place in segments.indices.dropFirst(first + 1) {
            if let found = segments[place].appended.place(of: node) {
                segments[place].appended.forEachEdge(at: found, body)
            }
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
        append(Edge(target: Int32(b), kind: kind, time: time), to: a)
        append(Edge(target: Int32(a), kind: kind, time: time), to: b)
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

    /// Takes in what ``write(to:since:)`` wrote, upon what was read before.
    package mutating func read(from reader: inout TableReader) throws {
        let segment = try EdgeSegment(from: &reader, start: filedCount)
        segments.append(segment)
        filedCount = segment.end
        spread += [UInt64](repeating: 0, count: (filedCount + 63) / 64 - spread.count)
        for nodes in [segment.changed.nodes, segment.appended.nodes] {
            nodes.withElements {
                for node in $0 { spread[node >> 6] |= 1 << UInt64(node & 63) }
            }
        }
    }

    /// Writes what some segments have, and what is in none, as one segment.
    ///
    /// - Parameter first: the first of these segments; 0 writes all edges.
    package func write(to writer: inout TableWriter, since first: Int = 0) {
        let start = first < segments.count ? segments[first].start : filedCount
        var own = EdgeTable(spillingTo: writer.spillFolder)
        for node in start..<max(start, nodeCount) { own.append(self[node]) }
        var (lists, more) = (EdgeSegment.NodeEdges(), EdgeSegment.NodeEdges())
        let merged = segments.dropFirst(first)
        let whole = merged.reduce(into: Set(changed.keys)) { $0.formUnion($1.changed.nodes.array) }
        for node in whole.sorted() where node < start { lists.append(node, self[node]) }
        let extended = merged.reduce(into: Set(appended.keys)) { $0.formUnion($1.appended.nodes.array) }
        for node in extended.sorted() where node < start && !whole.contains(node) {
            var edges: [Edge] = []
            for segment in merged {
                guard let place = segment.appended.place(of: node) else { continue }
                segment.appended.forEachEdge(at: place) { edges.append($0) }
            }
            more.append(node, edges + (appended[node] ?? []))
        }
        if writer.spillFolder != nil { for segment in merged { segment.own.release() } }
        EdgeSegment.write(to: &writer, own: own, changed: lists, appended: more)
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
