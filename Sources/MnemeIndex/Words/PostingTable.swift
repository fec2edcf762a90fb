/// What holds a term, by number, and how often.
struct Posting<Count: FixedWidthInteger & BitwiseCopyable & Sendable>: BitwiseCopyable, Sendable {
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

    /// No lists yet, of which there may be more than memory is to hold.
    ///
    /// - Parameter folder: where files lie that they come into, see ``Column/init(spillingTo:)``.
    init(spillingTo folder: String?) {
        terms = Column(spillingTo: folder)
        starts = Column(spillingTo: folder)
        starts.append(0)
        documents = Column(spillingTo: folder)
        counts = Column(spillingTo: folder)
    }

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

    /// Where a document stands in a list, or would, see ``Swift/UnsafeBufferPointer/place(of:)``.
    private func place(of document: Int32, in range: Range<Int>) -> Int {
        documents.withElements {
            range.lowerBound + UnsafeBufferPointer(rebasing: $0[range]).place(of: document)
        }
    }

    /// True if a list holds a document.
    func holds(_ document: Int32, in range: Range<Int>) -> Bool {
        let place = place(of: document, in: range)
        return place < range.upperBound && documents[place] == document
    }

    /// How often a document of a list holds its term; 0 if it is not in the list.
    func count(of document: Int32, in range: Range<Int>) -> Count {
        let place = place(of: document, in: range)
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

    /// Gives the pages of lists that were read back to the system, see ``Column/release()``.
    func release() {
        terms.release()
        starts.release()
        documents.release()
        counts.release()
    }

    /// Writes terms, beginnings, documents and counts.
    func write(to writer: inout TableWriter) {
        writer.add(terms)
        writer.add(starts)
        writer.add(documents)
        writer.add(counts)
    }
}

extension UnsafeBufferPointer<Int32> {
    /// Where a document stands among documents in rising order, or would: searched for from the place
    /// on where it would be if they were evenly spread, as they nearly are.
    ///
    /// - Complexity: O(log d) for a place d documents away from there.
    func place(of document: Int32) -> Int {
        guard let first, let last, last >= document else { return count }
        let share = Double(document &- first) / Double(Swift.max(1, last &- first))
        let guess = Int(Swift.max(0, share) * Double(count - 1))
        // Steps that double, to one side or the other, then halving.
        var (low, high, step) = (guess, guess, 1)
        if self[guess] < document {
            while high < count, self[high] < document {
                low = high + 1
                high += step
                step *= 2
            }
            high = Swift.min(high, count)
        } else {
            while low > 0, self[low] >= document {
                high = low
                low = Swift.max(0, low - step)
                step *= 2
            }
        }
        return lowerBound(of: document, in: low..<high)
    }

    /// As ``place(of:)``, searched for from a place on before which it is not.
    ///
    /// - Complexity: O(log d) for a place d documents behind `start`.
    @inline(__always)
    func place(of document: Int32, from start: Int) -> Int {
        var (low, high, step) = (start, start, 1)
        while high < count, self[high] < document {
            low = high + 1
            high += step
            step *= 2
        }
        return lowerBound(of: document, in: low..<Swift.min(high, count))
    }

    /// By halving.
    @inline(__always)
    private func lowerBound(of document: Int32, in range: Range<Int>) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < document { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
