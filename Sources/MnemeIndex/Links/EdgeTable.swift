/// Edges of nodes side by side, which never change: those of an index's file.
struct EdgeTable: Sendable {
    /// Where the edges of each node begin, and at last where the last ones end.
    private var starts = Column<Int>([0])
    private var targets = Column<Int32>(), kinds = Column<UInt8>(), times = Column<Double>()

    /// No nodes.
    init() {}

    /// No nodes yet, of which there may be more than memory is to hold.
    ///
    /// - Parameter folder: where files lie that they come into, see ``Column/init(spillingTo:)``.
    init(spillingTo folder: String?) {
        starts = Column(spillingTo: folder)
        starts.append(0)
        targets = Column(spillingTo: folder)
        kinds = Column(spillingTo: folder)
        times = Column(spillingTo: folder)
    }

    /// Nodes.
    var count: Int { starts.count - 1 }

    /// Adds the next node with its edges.
    mutating func append(_ edges: [MemoryGraph.Edge]) {
        for edge in edges {
            targets.append(edge.target)
            kinds.append(edge.kind.rawValue)
            times.append(edge.time)
        }
        starts.append(targets.count)
    }

    /// How many edges a node has.
    func edgeCount(_ node: Int) -> Int { starts[node + 1] - starts[node] }

    /// Calls `body` with each edge of a node.
    @inline(__always)
    func forEachEdge(of node: Int, _ body: (MemoryGraph.Edge) -> Void) {
        let range = starts[node]..<starts[node + 1]
        targets.withElements { targets in
            kinds.withElements { kinds in
                times.withElements { times in
                    for place in range {
                        body(
                            MemoryGraph.Edge(
                                target: targets[place],
                                kind: MemoryGraph.Kind(rawValue: kinds[place]) ?? .related,
                                time: times[place]))
                    }
                }
            }
        }
    }

    /// Reads what ``write(to:)`` wrote.
    init(from reader: inout TableReader) throws {
        (starts, targets) = (try reader.column(), try reader.column())
        (kinds, times) = (try reader.column(), try reader.column())
        guard starts.count > 0, starts[count] == targets.count, kinds.count == targets.count,
            times.count == targets.count
        else {
            throw IndexError(
                .corrupt, "A table of links is damaged. Delete the file; it is made again.")
        }
    }

    /// Gives the pages of edges that were read back to the system, see ``Column/release()``.
    func release() {
        starts.release()
        targets.release()
        kinds.release()
        times.release()
    }

    /// Writes beginnings, targets, kinds and times.
    func write(to writer: inout TableWriter) {
        writer.add(starts)
        writer.add(targets)
        writer.add(kinds)
        writer.add(times)
    }
}
