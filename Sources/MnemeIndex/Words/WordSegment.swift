/// The words of some documents in a file, which never changes: those of documents that came behind the
/// ones of earlier segments, and of earlier documents that have other terms now.
struct WordSegment: Sendable {
    /// The numbers of its own documents.
    let documents: Range<Int>
    /// Postings of its own documents, and of earlier ones.
    let own: PostingTable<UInt8>, moved: PostingTable<UInt8>
    /// Earlier documents of which nothing in earlier segments counts any more, in rising order.
    let movedDocuments: Column<Int32>
    /// Terms of those documents there, in rising order, and how many of each term's postings there
    /// count no more.
    private let lostTerms: Column<TermCounts.Term>, lostCounts: Column<Int>
    /// The highest scores that its common terms give to ranges of its own documents.
    let maxima: RangeMaxima

    /// The parts of a segment that is made.
    struct Parts {
        var own: PostingTable<UInt8>, moved: PostingTable<UInt8>
        var movedDocuments: [Int32] = []
        var lostTerms = Column<TermCounts.Term>(), lostCounts = Column<Int>()

        /// Nothing yet.
        ///
        /// - Parameter folder: where files lie that it comes into, see ``Column/init(spillingTo:)``.
        init(spillingTo folder: String?) {
            (own, moved) = (PostingTable(spillingTo: folder), PostingTable(spillingTo: folder))
        }

        /// Writes all of it; ``WordSegment/init(from:documents:mean:)`` reads it.
        ///
        /// - Parameter documents: those of the segment.
        func write(to writer: inout TableWriter, _ documents: RangeMaxima.Documents) {
            own.write(to: &writer)
            moved.write(to: &writer)
            writer.add(Column(movedDocuments))
            writer.add(lostTerms)
            writer.add(lostCounts)
            RangeMaxima(of: own, documents, spillingTo: writer.spillFolder).write(to: &writer)
        }
    }

    /// Reads what ``Parts/write(to:_:)`` wrote.
    init(from reader: inout TableReader, documents: Range<Int>, mean: Float) throws {
        self.documents = documents
        (own, moved) = (try PostingTable(from: &reader), try PostingTable(from: &reader))
        movedDocuments = try reader.column()
        (lostTerms, lostCounts) = (try reader.column(), try reader.column())
        maxima = try RangeMaxima(from: &reader, documents: documents, mean: mean)
        guard lostTerms.count == lostCounts.count,
            movedDocuments.array.allSatisfy({ (0..<documents.lowerBound).contains(Int($0)) })
        else {
            throw IndexError(.corrupt, "A table of words is damaged. Delete the file; it is made again.")
        }
    }

    /// Documents that hold a term here, those included that count no more.
    func count(of term: TermCounts.Term) -> Int { own.range(of: term).count + moved.range(of: term).count }

    /// How many postings of a term in earlier segments count no more since this one.
    func lostCount(of term: TermCounts.Term) -> Int {
        let place = lostTerms.lowerBound(of: term)
        return place < lostTerms.count && lostTerms[place] == term ? lostCounts[place] : 0
    }

    /// Calls `body` with each term that has lost postings, and how many.
    func forEachLost(_ body: (TermCounts.Term, Int) -> Void) {
        for place in 0..<lostTerms.count { body(lostTerms[place], lostCounts[place]) }
    }
}
