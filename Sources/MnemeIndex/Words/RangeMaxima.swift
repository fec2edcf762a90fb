/// What is ranked: documents by their own score, or by that of their window of two neighbours on each
/// side.
public enum RankedWidth: Int, Sendable {
    case document, window
}

/// Sums of what terms give at most to a document, or a window, of each range.
struct RangeSums {
    let width: RankedWidth
    var values: [Float]
}

/// The highest scores that each common term of a file gives to a document, and to a window, of each
/// range of documents: what lets a search pass ranges over that cannot hold one of the best.
///
/// Ranges of documents instead of blocks of postings: Dimopoulos, Nepomnyachiy and Suel,
/// "Optimizing Top-k Document Retrieval Strategies for Block-Max Indexes", 2013, after the block
/// maxima of Ding and Suel, 2011. A score is kept in one byte, rounded up. Rare terms have none:
/// their postings are looked through.
struct RangeMaxima: Sendable {
    /// Documents of a range.
    static let width = 16
    /// A term is common if one in so many documents holds it: then its maxima take less room than
    /// its postings.
    private static let share = 32

    /// The common terms, in rising order.
    private var terms = Column<TermCounts.Term>()
    /// By term and range: the highest score of a document and of a window in 1/255.
    private var documents = Column<UInt8>(), windows = Column<UInt8>()
    /// Ranges of a term.
    private(set) var rangeCount = 0
    /// The documents' mean length that the scores are of.
    private var mean: Float = 1

    /// No maxima.
    init() {}

    /// The ranges that so many documents make.
    static func rangeCount(_ documents: Int) -> Int { (documents + width - 1) / width }

    /// Computes the maxima of the common terms of postings.
    ///
    /// - Complexity: five steps a posting of these terms.
    init(
        of postings: PostingTable<UInt8>, _ lengths: Column<Int32>, _ sessions: SessionLinks,
        mean: Float
    ) {
        rangeCount = Self.rangeCount(lengths.count)
        self.mean = mean
        var counts = WindowCounts(lengths.count)
        for place in 0..<postings.terms.count {
            let range = postings.range(at: place)
            guard range.count * Self.share >= lengths.count else { continue }
            var highest = [UInt8](repeating: 0, count: rangeCount)
            postings.forEach(in: range) { posting in
                let document = Int(posting.document)
                let score = BM25.saturated(
                    Float(posting.count), length: Float(lengths[document]), mean: mean)
                highest[document / Self.width] = max(
                    highest[document / Self.width], Self.byte(score))
                counts.add(Int(posting.count), around: document, sessions)
            }
            terms.append(postings.terms[place])
            documents.append(highest)
            highest = [UInt8](repeating: 0, count: rangeCount)
            counts.takeAll { window, count in
                let length = Float(sessions.length(ofWindow: window))
                let score = BM25.saturated(Float(count), length: length, mean: mean * 5)
                highest[window / Self.width] = max(highest[window / Self.width], Self.byte(score))
            }
            windows.append(highest)
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
        let place = terms.lowerBound(of: term)
        guard place < terms.count, terms[place] == term else { return false }
        let factor = weight / 255 * max(1, mean / self.mean)
        let column = sums.width == .document ? documents : windows
        column.withElements { all in
            let bytes = UnsafeBufferPointer(
                rebasing: all[place * rangeCount..<(place + 1) * rangeCount])
            sums.values.withUnsafeMutableBufferPointer { sums in
                for range in bytes.indices { sums[range] += factor * Float(bytes[range]) }
            }
        }
        return true
    }

    // MARK: Files

    /// Reads what ``write(to:)`` wrote.
    init(from reader: inout TableReader, documents count: Int, mean: Float) throws {
        (terms, documents, windows) = (
            try reader.column(), try reader.column(), try reader.column()
        )
        (rangeCount, self.mean) = (Self.rangeCount(count), mean)
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
