import CMnemeKernels
import MnemeNumerics

/// Sizes of a record.
struct GraphLayout {
    /// Bytes of a record, of its codes, and of the further bits kept elsewhere.
    let stride, codes, residual: Int
    /// Links of a record: at least 40, and as many as fill its last cache line.
    let degree: Int

    /// The layout of vectors of a dimension: parts of a record begin where the kernels can load
    /// them whole.
    init(dimension: Int) {
        codes = mnk_code_bytes(dimension)
        stride = mnk_graph_stride(dimension, 40)
        degree = (stride - codes - 8) / 4
        residual = (dimension + 1) / 2
    }
}

/// Memory of one search or insertion.
final class GraphScratch: @unchecked Sendable {
    // Sendable: handed from one user to the next.
    var pointers = mnk_graph_scratch()
    /// A bit for each slot that was looked at; candidates, and their scores.
    private var seen: AlignedBuffer<UInt64>, ids: AlignedBuffer<UInt32>,
        scores: AlignedBuffer<Float>
    /// Edges of a record that is expanded, and what comes of them.
    private let gathered = AlignedBuffer<UInt32>(Int(MNK_GATHERED)),
        expanded = AlignedBuffer<UInt32>(Int(MNK_EXPANDED) + 512)
    private let expandedScores = AlignedBuffer<Float>(Int(MNK_EXPANDED) + 512)

    init() {
        seen = AlignedBuffer(1024)
        ids = AlignedBuffer(258)
        scores = AlignedBuffer(258)
        point()
    }

    /// Tells the C functions where the buffers are; these move when they grow.
    private func point() {
        pointers.seen = seen.pointer
        pointers.ids = ids.pointer
        pointers.scores = scores.pointer
        pointers.gathered = gathered.pointer
        pointers.expanded = expanded.pointer
        pointers.expanded_scores = expandedScores.pointer
    }

    /// Makes room for a search among `slots` records that keeps `effort` candidates (the beam
    /// width, ef). What an earlier search left in the buffers is overwritten by the next.
    func prepare(slots: Int, effort: Int) {
        if seen.count < slots / 64 + 64 { seen = AlignedBuffer(slots / 64 * 3 / 2 + 64) }
        if ids.count < effort + 2 {
            ids = AlignedBuffer(effort + 2)
            scores = AlignedBuffer(effort + 2)
        }
        pointers.compared = 0
        point()
    }

    /// Slots that may be returned, a bit each.
    private(set) var allowed: UnsafePointer<UInt64>?
    private var allowedBits: AlignedBuffer<UInt64>?

    /// Sets ``allowed`` to the slots of a filter's keys.
    ///
    /// - Parameter isOrdered: whether each slot is its key, so that the words of the filter are the
    ///   answer.
    func allow(_ filter: KeySet, isOrdered: Bool, _ slot: (Int) -> UInt32?) {
        if (allowedBits?.count ?? 0) < seen.count { allowedBits = AlignedBuffer(seen.count) }
        let bits = allowedBits!
        allowed = UnsafePointer(bits.pointer)
        bits.pointer.update(repeating: 0, count: bits.count)
        if isOrdered {
            filter.words.withUnsafeBufferPointer {
                bits.pointer.update(from: $0.baseAddress!, count: min($0.count, bits.count))
            }
            return
        }
        for key in filter {
            if let slot = slot(key), Int(slot) < bits.count * 64 {
                bits.pointer[Int(slot >> 6)] |= 1 << UInt64(slot & 63)
            }
        }
    }
}
