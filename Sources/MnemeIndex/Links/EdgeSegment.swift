/// The edges of some nodes in a file, which never change: those of nodes that came behind the ones of
/// earlier segments, and what is new of earlier nodes' edges.
struct EdgeSegment: Sendable {
    /// The first of its own nodes.
    let start: Int
    /// Edges of its own nodes.
    let own: EdgeTable
    /// Earlier nodes that have these edges in place of all former ones, in rising order.
    let changed: NodeEdges
    /// Earlier nodes that have these edges besides the former ones, in rising order.
    let appended: NodeEdges

    /// The node behind the last.
    var end: Int { start + own.count }

    /// Edges of a few nodes.
    struct NodeEdges: Sendable {
        /// In rising order.
        private(set) var nodes = Column<Int>()
        private var edges = EdgeTable()

        /// No nodes.
        init() {}

        /// Adds the next node.
        mutating func append(_ node: Int, _ list: [MemoryGraph.Edge]) {
            nodes.append(node)
            edges.append(list)
        }

        /// Where a node stands; nil if it is not here.
        func place(of node: Int) -> Int? {
            let place = nodes.lowerBound(of: node)
            return place < nodes.count && nodes[place] == node ? place : nil
        }

        /// How many edges the node at a place has.
        func count(at place: Int) -> Int { edges.edgeCount(place) }

        /// Calls `body` with each edge of the node at a place.
        @inline(__always)
        func forEachEdge(at place: Int, _ body: (MemoryGraph.Edge) -> Void) {
            edges.forEachEdge(of: place, body)
        }

        /// Reads what ``write(to:)`` wrote.
        init(from reader: inout TableReader) throws {
            (nodes, edges) = (try reader.column(), try EdgeTable(from: &reader))
        }

        /// Writes nodes and edges.
        func write(to writer: inout TableWriter) {
            writer.add(nodes)
            edges.write(to: &writer)
        }

        /// True if there are edges of each node, and all nodes are before one.
        func isSound(before end: Int) -> Bool {
            nodes.count == edges.count && nodes.array.allSatisfy { (0..<end).contains($0) }
        }
    }

    /// Reads what ``write(to:own:changed:appended:)`` wrote.
    ///
    /// - Parameter start: the first node; as many were read before.
    init(from reader: inout TableReader, start: Int) throws {
        self.start = start
        own = try EdgeTable(from: &reader)
        (changed, appended) = (try NodeEdges(from: &reader), try NodeEdges(from: &reader))
        guard changed.isSound(before: start), appended.isSound(before: start) else {
            throw IndexError(
                .corrupt, "A table of links is damaged. Delete the file; it is made again.")
        }
    }

    /// Writes the parts of a segment.
    static func write(
        to writer: inout TableWriter, own: EdgeTable, changed: NodeEdges, appended: NodeEdges
    ) {
        own.write(to: &writer)
        changed.write(to: &writer)
        appended.write(to: &writer)
    }
}
