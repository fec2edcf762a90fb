/// What holds a term, by number, and how often.
struct Posting<Count: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
    /// A document, or a session.
    var document: Int32
    var count: Count
}

/// Posting lists that lie side by side and never change: those of an index's file.
///
/// Terms stand in rising order, and the documents of each as well.
struct PostingTable<Count: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
    /// All terms.
    private(set) var terms = Column<TermCounts.Term>()
    /// Where the list of each term begins, and at last where the last one ends.
    private var starts = Column<Int>([0])
    /// Documents of all lists, and how often each holds the list's term.
    private(set) var documents = Column<Int32>(), counts = Column<Count>()

    /// No lists.
    init() {}

    /// Adds the list of the next term; documents come in rising order.
    mutating func append(_ term: TermCounts.Term, _ list: some Sequence<Posting<Count>>) {
        terms.append(term)
        for posting in list {
            documents.append(posting.document)
            counts.append(posting.count)
        }
        starts.append(documents.count)
    }

    /// Where the list of a term lies; empty if there is none.
    func range(of term: TermCounts.Term) -> Range<Int> {
        let place = terms.lowerBound(of: term)
        guard place < terms.count, terms[place] == term else { return 0..<0 }
        return range(at: place)
    }

    /// Where the list of the term at a place of ``terms`` lies.
    func range(at place: Int) -> Range<Int> { starts[place]..<starts[place + 1] }

    /// The posting at a place of the lists.
    subscript(place: Int) -> Posting<Count> {
        Posting<Count>(document: documents[place], count: counts[place])
    }

    /// Calls `body` with each posting of a list.
    @inline(__always)
    func forEach(in range: Range<Int>, _ body: (Posting<Count>) -> Void) {
        guard !range.isEmpty else { return }
        documents.withElements { documents in
            counts.withElements { counts in
                for place in range {
                    body(Posting<Count>(document: documents[place], count: counts[place]))
                }
            }
        }
    }

    /// True if a list holds a document.
    func holds(_ document: Int32, in range: Range<Int>) -> Bool {
        let place = documents.lowerBound(of: document, in: range)
        return place < range.upperBound && documents[place] == document
    }

    /// How often a document of a list holds its term; 0 if it is not in the list.
    func count(of document: Int32, in range: Range<Int>) -> Count {
        let place = documents.lowerBound(of: document, in: range)
        return place < range.upperBound && documents[place] == document ? counts[place] : 0
    }

    /// Reads what ``write(to:)`` wrote.
    init(from reader: inout TableReader) throws {
        (terms, starts, documents, counts) = (
            try reader.column(), try reader.column(), try reader.column(), try reader.column()
        )
        guard starts.count == terms.count + 1, documents.count == counts.count,
            starts[terms.count] == documents.count
        else {
            throw IndexError(.corrupt, "A table of words is damaged. Delete the file; it is made again.")
        }
    }

    /// Writes terms, beginnings, documents and counts.
    func write(to writer: inout TableWriter) {
        writer.add(terms)
        writer.add(starts)
        writer.add(documents)
        writer.add(counts)
    }
}
