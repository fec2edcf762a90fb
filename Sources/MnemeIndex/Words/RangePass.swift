/// The postings of one term: those of the file, those in memory, and which of the file count.
struct WordPostings {
    private let filed: PostingTable<UInt8>, range: Range<Int>
    private let added: [Posting<UInt8>]
    /// By document of the file: whether its postings there count no more; empty if all count for
    /// this term.
    private let isReplaced: Column<Bool>

    /// The postings of a term.
    init(_ term: TermCounts.Term, of index: LexicalIndex) {
        filed = index.filed
        range = filed.range(of: term)
        added = index.postings[term] ?? []
        isReplaced = index.replacedCounts[term] == nil ? Column() : index.isReplaced
    }

    /// True if what the file has of a document counts no more.
    @inline(__always)
    private func isReplaced(_ document: Int32) -> Bool {
        Int(document) < isReplaced.count && isReplaced[Int(document)]
    }

    /// How often a document holds the term.
    ///
    /// - Complexity: a search by halving in the file, and one in memory.
    func count(of document: Int32) -> UInt8 {
        let place = added.lowerBound(of: document)
        if place < added.count, added[place].document == document { return added[place].count }
        return isReplaced(document) ? 0 : filed.count(of: document, in: range)
    }

    /// Calls `body` with each posting, or with those in memory.
    @inline(__always)
    func forEach(isNewOnly: Bool, _ body: (Posting<UInt8>) -> Void) {
        if !isNewOnly { filed.forEach(in: range) { if !isReplaced($0.document) { body($0) } } }
        for posting in added { body(posting) }
    }

    /// Where a pass stands in the two lists.
    struct Place {
        fileprivate var filed: Int, added = 0
    }

    /// The beginning.
    var start: Place { Place(filed: range.lowerBound) }

    /// Calls `body` with the postings of some documents, which lie behind those of `place`'s former
    /// calls.
    ///
    /// - Complexity: O(log n) of what is passed over.
    @inline(__always)
    func forEach(
        in documents: Range<Int32>, from place: inout Place, _ body: (Posting<UInt8>) -> Void
    ) {
        filed.documents.withElements { numbers in
            // Steps that double, then halving: what is wanted is mostly near.
            var step = 1
            while place.filed + step < range.upperBound,
                numbers[place.filed + step] < documents.lowerBound
            { step *= 2 }
            place.filed = filed.documents.lowerBound(
                of: documents.lowerBound,
                in: place.filed..<min(place.filed + step, range.upperBound))
            var next = place.filed
            while next < range.upperBound, numbers[next] < documents.upperBound {
                if !isReplaced(numbers[next]) { body(filed[next]) }
                next += 1
            }
        }
        place.added = added.lowerBound(of: documents.lowerBound, from: place.added)
        var next = place.added
        while next < added.count, added[next].document < documents.upperBound {
            body(added[next])
            next += 1
        }
    }
}

/// A pass through the documents in rising order, a range at a time: how often those of a range and
/// around it hold each term.
struct RangePass {
    /// What is scored on the way.
    let width: RankedWidth
    private let lists: [WordPostings]
    /// Documents of the index.
    private let documentCount: Int
    private var places: [WordPostings.Place]
    /// By term and document: how often.
    private var counts: [UInt8]
    /// The documents that were read.
    private var documents = 0..<0
    /// Documents read before a range and behind it, where most of its neighbours stand.
    private static let margin = 8
    private static let span = RangeMaxima.width + 2 * margin

    /// At the beginning.
    init(_ width: RankedWidth, _ lists: [WordPostings], _ documentCount: Int) {
        (self.width, self.lists, self.documentCount) = (width, lists, documentCount)
        places = lists.map(\.start)
        counts = [UInt8](repeating: 0, count: lists.count * Self.span)
    }

    /// Goes back to the beginning.
    mutating func restart() { places = lists.map(\.start) }

    /// Reads a range; each comes behind the former.
    mutating func read(_ range: Int) {
        let first = range * RangeMaxima.width
        let margin = width == .window ? Self.margin : 0
        documents =
            max(0, first - margin)..<min(documentCount, first + RangeMaxima.width + margin)
        let wanted = Int32(documents.lowerBound)..<Int32(documents.upperBound)
        let lower = documents.lowerBound
        counts.withUnsafeMutableBufferPointer { counts in
            counts.update(repeating: 0)
            for i in lists.indices {
                lists[i].forEach(in: wanted, from: &places[i]) {
                    counts[i * Self.span + Int($0.document) - lower] = $0.count
                }
            }
        }
    }

    /// True if a document was read.
    @inline(__always)
    func holds(_ document: Int) -> Bool { documents.contains(document) }

    /// How often a document that was read holds a term.
    @inline(__always)
    func count(_ term: Int, _ document: Int) -> Int {
        Int(counts[term * Self.span + document - documents.lowerBound])
    }
}
