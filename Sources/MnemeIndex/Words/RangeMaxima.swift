/// What is ranked: documents by their own score, or by that of their window of two neighbours on each
/// side.
public enum RankedWidth: Int, Sendable {
    /// A document by itself.
    case document
    /// A document with two neighbours on each side.
    case window
}

/// Sums of what terms give at most to a document, or a window, of each range.
struct RangeSums {
    let width: RankedWidth
    var values: [Float]
}

/// The highest scores that each common term of a segment gives to a document, and to a window, of each
/// range of its documents: what lets a search pass ranges over that cannot hold one of the best.
///
/// Ranges of documents instead of blocks of postings: Dimopoulos, Nepomnyachiy and Suel,
/// "Optimizing Top-k Document Retrieval Strategies for Block-Max Indexes", 2013, after the block
/// maxima of Ding and Suel, 2011. A score is kept in one byte, rounded up. Rare terms have none:
/// their postings are looked through.
struct RangeMaxima: Sendable {
    /// Documents of a range.
    static let width = 16
    /// A term is common if one in so many documents holds it: then its maxima are kept of all ranges,
    /// which takes less room than its postings.
    private static let share = 32
    /// Of a term that one in so many documents holds, the maxima are kept of the ranges that have any:
    /// to add the scores up at each question takes some thirty times as long as to read them.
    private static let sparseShare = 512
    /// A term that fewer documents hold is rare in any case.
    private static let leastPostings = 8

    /// The common terms, in rising order.
    private var terms = Column<TermCounts.Term>()
    /// By term and range: the highest score of a document and of a window in 1/255.
    private var documents = Column<UInt8>(), windows = Column<UInt8>()
    /// Of less common terms: ranges in place of documents, with the highest score of a document in the
    /// low byte and that of a window in the high one.
    private var sparse = PostingTable<UInt16>()
    /// The first range, and ranges of a term.
    private var first = 0, rangeCount = 0
    /// The documents' mean length that the scores are of.
    private var mean: Float = 1

    /// No maxima.
    init() {}

    /// The ranges that so many documents make.
    static func rangeCount(_ documents: Int) -> Int { (documents + width - 1) / width }

    /// The documents that postings are of.
    struct Documents {
        /// Numbers of the segment's documents.
        var numbers: Range<Int>
        /// By document: how many terms it has.
        var lengths: Column<Int32>
        /// Who stands beside whom.
        var sessions: SessionLinks
        /// The mean of all lengths.
        var mean: Float
    }

    /// Computes the maxima of postings' terms that are not rare.
    ///
    /// - Parameter folder: where files lie that they come into, see ``Column/init(spillingTo:)``.
    /// - Complexity: five steps a posting of these terms.
    init(of postings: PostingTable<UInt8>, _ of: Documents, spillingTo folder: String?) {
        (documents, windows) = (Column(spillingTo: folder), Column(spillingTo: folder))
        sparse = PostingTable(spillingTo: folder)
        let (lengths, sessions, mean) = (of.lengths, of.sessions, of.mean)
        first = of.numbers.lowerBound / Self.width
        rangeCount = Self.rangeCount(of.numbers.upperBound) - first
        self.mean = mean
        var counts = WindowCounts(of.lengths.count)
        var highest = TermMaxima(rangeCount)
        for place in 0..<postings.terms.count {
            let range = postings.range(at: place)
            guard range.count >= Self.leastPostings,
                range.count * Self.sparseShare >= of.numbers.count
            else { continue }
            postings.forEach(in: range) { posting in
                let document = Int(posting.document)
                let score = BM25.saturated(
                    Float(posting.count), length: Float(lengths[document]), mean: mean)
                highest.insert(Self.byte(score), document: document / Self.width - first)
                counts.add(Int(posting.count), around: document, sessions)
            }
            counts.takeAll { window, count in
                // Those with documents of other segments are looked at in any case.
                guard of.numbers.contains(window) else { return }
                let length = Float(sessions.length(ofWindow: window))
                let score = BM25.saturated(Float(count), length: length, mean: mean * 5)
                highest.insert(Self.byte(score), window: window / Self.width - first)
            }
            if range.count * Self.share >= of.numbers.count {
                terms.append(postings.terms[place])
                documents.append(highest.documents)
                windows.append(highest.windows)
            } else {
                sparse.append(postings.terms[place], highest.ranges)
            }
            highest.clear()
        }
    }

    /// A score in 1/255, rounded up.
    private static func byte(_ score: Float) -> UInt8 {
        UInt8(min(255, (score * 255).rounded(.up) + 1))
    }

    /// Adds a term's highest scores, times its weight, to the sums of ranges.
    ///
    /// - Parameter mean: the documents' mean length now.
    /// - Returns: false if there are no maxima of this term.
    func add(
        _ term: TermCounts.Term, weight: Float, mean: Float, to sums: inout RangeSums
    ) -> Bool {
        let factor = weight / 255 * max(1, mean / self.mean)
        let place = terms.lowerBound(of: term)
        guard place < terms.count, terms[place] == term else {
            let range = sparse.range(of: term)
            let shift: UInt16 = sums.width == .document ? 0 : 8
            sums.values.withUnsafeMutableBufferPointer { sums in
                sparse.forEach(in: range) {
                    sums[first + Int($0.document)] += factor * Float($0.count >> shift & 255)
                }
            }
            return !range.isEmpty
        }
        let column = sums.width == .document ? documents : windows
        column.withElements { all in
            let bytes = UnsafeBufferPointer(
                rebasing: all[place * rangeCount..<(place + 1) * rangeCount])
            sums.values.withUnsafeMutableBufferPointer { sums in
                for range in bytes.indices { sums[first + range] += factor * Float(bytes[range]) }
            }
        }
        return true
    }

    // MARK: Files

    /// Reads what ``write(to:)`` wrote.
    init(from reader: inout TableReader, documents numbers: Range<Int>, mean: Float) throws {
        (terms, documents, windows) = (
            try reader.column(), try reader.column(), try reader.column()
        )
        sparse = try PostingTable(from: &reader)
        first = numbers.lowerBound / Self.width
        (rangeCount, self.mean) = (Self.rangeCount(numbers.upperBound) - first, mean)
        guard documents.count == terms.count * rangeCount, windows.count == documents.count else {
            throw IndexError(
                .corrupt, "A table of words is damaged. Delete the file; it is made again.")
        }
    }

    /// Writes terms and maxima.
    func write(to writer: inout TableWriter) {
        writer.add(terms)
        writer.add(documents)
        writer.add(windows)
        sparse.write(to: &writer)
    }
}

/// The highest scores of one term in each range, in 1/255, of which those that are not 0 are known.
private struct TermMaxima {
    private(set) var documents: [UInt8], windows: [UInt8]
    private var touched: [Int32] = []

    /// No scores yet, of so many ranges.
    init(_ count: Int) {
        documents = [UInt8](repeating: 0, count: count)
        windows = documents
    }

    /// Takes a document's score, which is not 0.
    @inline(__always)
    mutating func insert(_ score: UInt8, document range: Int) {
        touch(range)
        documents[range] = max(documents[range], score)
    }

    /// Takes a window's score, which is not 0.
    @inline(__always)
    mutating func insert(_ score: UInt8, window range: Int) {
        touch(range)
        windows[range] = max(windows[range], score)
    }

    @inline(__always)
    private mutating func touch(_ range: Int) {
        if documents[range] == 0, windows[range] == 0 { touched.append(Int32(range)) }
    }

    /// The ranges that are not 0 in rising order, with both scores as ``RangeMaxima`` keeps them.
    var ranges: [Posting<UInt16>] {
        touched.sorted().map {
            Posting(
                document: $0,
                count: UInt16(documents[Int($0)]) | UInt16(windows[Int($0)]) << 8)
        }
    }

    /// Begins anew.
    mutating func clear() {
        for range in touched { (documents[Int(range)], windows[Int(range)]) = (0, 0) }
        touched.removeAll(keepingCapacity: true)
    }
}

/// How often a term occurs in each window: counts of all documents, of which those that are not 0
/// are known.
struct WindowCounts {
    private var counts: [Int32]
    private var windows: [Int32] = []

    /// No counts yet, with room for those of so many documents.
    init(_ documents: Int) { counts = [Int32](repeating: 0, count: documents) }

    /// Documents that there is room for.
    var capacity: Int { counts.count }

    /// Adds a posting to the windows that hold its document.
    @inline(__always)
    mutating func add(_ count: Int, around document: Int, _ sessions: SessionLinks) {
        sessions.forEachNeighbour(of: document, reach: SessionLinks.window) { window in
            if counts[window] == 0 { windows.append(Int32(window)) }
            counts[window] += Int32(count)
        }
    }

    /// Hands out what is counted, and begins anew.
    @inline(__always)
    mutating func takeAll(_ body: (_ window: Int, _ count: Int) -> Void) {
        for window in windows {
            body(Int(window), Int(counts[Int(window)]))
            counts[Int(window)] = 0
        }
        windows.removeAll(keepingCapacity: true)
    }
}

/// The highest score of a term in each range, of which those that are not 0 are known.
struct RangeHighest {
    private var scores: [Float]
    private var ranges: [Int32] = []

    /// No scores yet, of so many ranges.
    init(_ count: Int) { scores = [Float](repeating: 0, count: count) }

    /// Takes a score, which counts if it is the range's highest.
    @inline(__always)
    mutating func insert(_ score: Float, _ range: Int) {
        if scores[range] == 0 { ranges.append(Int32(range)) }
        if score > scores[range] { scores[range] = score }
    }

    /// Hands out the highest scores, and begins anew.
    mutating func takeAll(_ body: (_ range: Int, _ score: Float) -> Void) {
        for range in ranges {
            body(Int(range), scores[Int(range)])
            scores[Int(range)] = 0
        }
        ranges.removeAll(keepingCapacity: true)
    }
}
