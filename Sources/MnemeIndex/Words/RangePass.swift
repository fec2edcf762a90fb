/// The postings of one term: those of each segment's own documents, others, and which of the former
/// count.
///
/// It points to memory that somebody else holds: its copies, which a search makes by the thousand,
/// count no references.
struct WordPostings {
    /// The postings of one segment's own documents. Sendable: it points to what never changes.
    struct Piece: BitwiseCopyable, @unchecked Sendable {
        /// Documents of the list, and how often each holds the term.
        let documents: UnsafeBufferPointer<Int32>, counts: UnsafeBufferPointer<UInt8>
        /// The first of the segment's documents, and the one behind the last.
        let first: Int32, end: Int32
        /// The segment's place among all.
        let segment: Int
    }

    /// In the order of their documents.
    private let pieces: UnsafeBufferPointer<Piece>
    private let added: UnsafeBufferPointer<Posting<UInt8>>
    /// By document of a segment: whether its postings there count no more; empty if all count for
    /// this term.
    private let isMoved: UnsafeBufferPointer<Bool>

    /// The postings of a term.
    ///
    /// - Parameters:
    ///   - index: must be held, unchanged, as long as the postings are read.
    ///   - pieces: those of segments, see ``pieces(of:in:)``; held likewise.
    ///   - added: the others; held likewise.
    init(
        _ term: TermCounts.Term, of index: LexicalIndex, pieces: Column<Piece>,
        added: Column<Posting<UInt8>>
    ) {
        self.pieces = pieces.withElements { $0 }
        self.added = added.withElements { $0 }
        isMoved =
            index.lost[term] == nil
            ? UnsafeBufferPointer(start: nil, count: 0) : index.isMoved.withElements { $0 }
    }

    /// The postings of a term in the segments that have some.
    static func pieces(of term: TermCounts.Term, in index: LexicalIndex) -> Column<Piece> {
        var pieces = Column<Piece>()
        for (place, segment) in index.segments.enumerated() {
            let range = segment.own.range(of: term)
            guard !range.isEmpty else { continue }
            pieces.append(
                Piece(
                    documents: segment.own.documents.withElements {
                        UnsafeBufferPointer(rebasing: $0[range])
                    },
                    counts: segment.own.counts.withElements {
                        UnsafeBufferPointer(rebasing: $0[range])
                    },
                    first: Int32(segment.documents.lowerBound),
                    end: Int32(segment.documents.upperBound), segment: place))
        }
        return pieces
    }

    /// True if what the segment of its number has of a document counts no more.
    @inline(__always)
    private func isMoved(_ document: Int32) -> Bool {
        Int(document) < isMoved.count && isMoved[Int(document)]
    }

    /// How often a document holds the term.
    ///
    /// - Complexity: a search in a segment, and one by halving among the others.
    func count(of document: Int32) -> UInt8 {
        let new = placeAdded(document, from: 0)
        if new < added.count, added[new].document == document { return added[new].count }
        guard !isMoved(document) else { return 0 }
        for piece in pieces where piece.end > document {
            let place = piece.documents.place(of: document)
            return place < piece.documents.count && piece.documents[place] == document
                ? piece.counts[place] : 0
        }
        return 0
    }

    /// Calls `body` with each posting but those in some segments.
    ///
    /// - Parameter passed: a bit for each of these segments.
    @inline(__always)
    func forEach(besides passed: UInt64, _ body: (Posting<UInt8>) -> Void) {
        for piece in pieces where passed >> UInt64(piece.segment) & 1 == 0 {
            for place in piece.documents.indices where !isMoved(piece.documents[place]) {
                body(Posting(document: piece.documents[place], count: piece.counts[place]))
            }
        }
        for posting in added { body(posting) }
    }

    /// Where a pass stands in the lists.
    struct Place {
        fileprivate var piece = 0, filed = 0, added = 0
    }

    /// Where the postings from a document on begin.
    func place(of document: Int32) -> Place {
        var place = Place(added: placeAdded(document, from: 0))
        while place.piece < pieces.count, pieces[place.piece].end <= document { place.piece += 1 }
        if place.piece < pieces.count {
            place.filed = pieces[place.piece].documents.place(of: document)
        }
        return place
    }

    /// Where a document stands among those in no segment, or would be; by halving.
    @inline(__always)
    private func placeAdded(_ document: Int32, from start: Int) -> Int {
        var (low, high) = (start, added.count)
        while low < high {
            let middle = (low + high) / 2
            if added[middle].document < document { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Calls `body` with the postings of some documents, which begin behind those that `place`'s former
    /// calls began with.
    ///
    /// - Complexity: O(log n) of what is passed over.
    @inline(__always)
    func forEach(
        in wanted: Range<Int32>, from place: inout Place, _ body: (Posting<UInt8>) -> Void
    ) {
        while place.piece < pieces.count, pieces[place.piece].end <= wanted.lowerBound {
            place.piece += 1
            place.filed = 0
        }
        var (next, start) = (place.piece, place.filed)
        // A range may begin in one segment and end in the next.
        while next < pieces.count, pieces[next].first < wanted.upperBound {
            let piece = pieces[next]
            var posting = piece.documents.place(of: wanted.lowerBound, from: start)
            if next == place.piece { place.filed = posting }
            while posting < piece.documents.count, piece.documents[posting] < wanted.upperBound {
                if !isMoved(piece.documents[posting]) {
                    body(Posting(document: piece.documents[posting], count: piece.counts[posting]))
                }
                posting += 1
            }
            (next, start) = (next + 1, 0)
        }
        guard !added.isEmpty else { return }
        place.added = placeAdded(wanted.lowerBound, from: place.added)
        var posting = place.added
        while posting < added.count, added[posting].document < wanted.upperBound {
            body(added[posting])
            posting += 1
        }
    }
}

/// A pass through documents in rising order, range by range: the scores of those of a range, or of
/// their windows.
struct RangePass {
    /// What is scored on the way.
    let width: RankedWidth
    private let lists: [WordPostings]
    /// Of the terms.
    private let weights: [Float]
    /// The mean length of what is scored.
    private let mean: Float
    private let index: LexicalIndex, sessions: SessionLinks
    private var places: [WordPostings.Place]
    /// By document and term, how often: of the range, of documents around it, and behind these, of the
    /// members of one window that stand elsewhere.
    private var counts: [UInt8]
    /// By document as in ``counts``: the bits of the terms that it holds.
    private var held: [UInt64]
    /// The documents that were read.
    private var documents = 0..<0
    /// Documents read before a range and behind it, where most of its neighbours stand.
    private static let margin = 8
    private static let span = RangeMaxima.width + 2 * margin
    /// Documents of a window.
    private static let members = 5

    /// At the beginning.
    ///
    /// - Parameters:
    ///   - lists: of `index`, with the weight of each term.
    ///   - mean: the mean length of what is scored.
    init(
        _ width: RankedWidth, _ lists: [WordPostings], _ weights: [Float], mean: Float,
        _ index: LexicalIndex, _ sessions: SessionLinks
    ) {
        (self.width, self.lists, self.weights, self.mean) = (width, lists, weights, mean)
        (self.index, self.sessions) = (index, sessions)
        places = lists.map { _ in WordPostings.Place() }
        counts = [UInt8](repeating: 0, count: lists.count * (Self.span + Self.members))
        held = [UInt64](repeating: 0, count: Self.span + Self.members)
    }

    /// Goes back to the beginning.
    mutating func restart() { places = lists.map { _ in WordPostings.Place() } }

    /// Ranks the documents of a range that are allowed; each comes behind the former.
    mutating func rank(_ range: Int, _ ranking: inout Ranking, where allowed: (Int) -> Bool) {
        let first = range * RangeMaxima.width
        let own = first..<min(first + RangeMaxima.width, index.count)
        read(own)
        for document in own {
            let score =
                width == .document
                ? score(document, threshold: ranking.threshold)
                : windowScore(document, threshold: ranking.threshold)
            if score > 0, score >= ranking.threshold, allowed(document) {
                ranking.insert(UInt32(document), score)
            }
        }
    }

    /// Reads a range, and for windows what stands around it.
    private mutating func read(_ range: Range<Int>) {
        let margin = width == .window ? Self.margin : 0
        documents =
            max(0, range.lowerBound - margin)..<min(index.count, range.upperBound + margin)
        let wanted = Int32(documents.lowerBound)..<Int32(documents.upperBound)
        let (lower, stride) = (documents.lowerBound, lists.count)
        counts.withUnsafeMutableBufferPointer { counts in
            held.withUnsafeMutableBufferPointer { held in
                counts.update(repeating: 0)
                held.update(repeating: 0)
                for i in 0..<stride {
                    lists[i].forEach(in: wanted, from: &places[i]) {
                        let row = Int($0.document) - lower
                        counts[row * stride + i] = $0.count
                        held[row] |= 1 << UInt64(i)
                    }
                }
            }
        }
    }

    /// The score of a document of the range; 0 if it is surely below the threshold.
    @inline(__always)
    private func score(_ document: Int, threshold: Float) -> Float {
        let row = document - documents.lowerBound
        guard canReach(threshold, held[row]) else { return 0 }
        return sum(held[row], length: Float(index.lengths[document])) {
            Int(counts[row * lists.count + $0])
        }
    }

    /// The score of the window of a document of the range; 0 if it is surely below the threshold.
    @inline(__always)
    private mutating func windowScore(_ document: Int, threshold: Float) -> Float {
        var rows = InlineArray<5, Int>(repeating: 0)
        var count = 0
        sessions.forEachNeighbour(of: document, reach: SessionLinks.window) {
            rows[count] = $0
            count += 1
        }
        var terms: UInt64 = 0
        for member in 0..<count {
            rows[member] = row(of: rows[member], member: member)
            terms |= held[rows[member]]
        }
        guard canReach(threshold, terms) else { return 0 }
        return sum(terms, length: Float(sessions.length(ofWindow: document))) { term in
            var sum = 0
            for member in 0..<count { sum += Int(counts[rows[member] * lists.count + term]) }
            return sum
        }
    }

    /// Where the counts of a member of a window are; those of one that was not read are looked up.
    @inline(__always)
    private mutating func row(of document: Int, member: Int) -> Int {
        documents.contains(document)
            ? document - documents.lowerBound : lookUp(document, Self.span + member)
    }

    /// Looks up the counts of a document that was not read.
    private mutating func lookUp(_ document: Int, _ row: Int) -> Int {
        held[row] = 0
        for i in lists.indices {
            let count = lists[i].count(of: Int32(document))
            counts[row * lists.count + i] = count
            if count > 0 { held[row] |= 1 << UInt64(i) }
        }
        return row
    }

    /// False if some terms, occurred they ever so often, would give a lower score, or give none.
    @inline(__always)
    private func canReach(_ threshold: Float, _ terms: UInt64) -> Bool {
        guard terms != 0 else { return false }
        var (rest, most) = (terms, Float(0))
        while rest != 0 {
            most += weights[rest.trailingZeroBitCount]
            rest &= rest - 1
        }
        return most >= threshold
    }

    /// The sum of what some terms give, in their order.
    @inline(__always)
    private func sum(_ terms: UInt64, length: Float, count: (Int) -> Int) -> Float {
        var (rest, score) = (terms, Float(0))
        while rest != 0 {
            let i = rest.trailingZeroBitCount
            score += weights[i] * BM25.saturated(Float(count(i)), length: length, mean: mean)
            rest &= rest - 1
        }
        return score
    }
}
