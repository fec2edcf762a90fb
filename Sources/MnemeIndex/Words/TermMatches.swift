/// What a pass over documents has found of some terms, and the best of them by BM25: a question's
/// words, where no index of the documents is in memory.
///
/// Numbers of documents and sessions are the caller's.
public struct TermMatches: Sendable {
    /// A document that was passed over.
    public struct Document: Sendable {
        /// The document, its session if it has one, and its place there.
        public var number: Int64, session: Int64?, place: Int64
        /// False for one that counts in how rare terms are, and is not to be found.
        public var isAllowed: Bool

        /// A document at its place.
        public init(number: Int64, session: Int64?, place: Int64, isAllowed: Bool) {
            (self.number, self.session, self.place) = (number, session, place)
            self.isAllowed = isAllowed
        }
    }

    /// The terms that were looked for, at most 64.
    public let terms: [TermCounts.Term]
    private let places: [TermCounts.Term: Int]
    private var documents: [Document] = []
    private var lengths: [Int32] = []
    /// For each document how often it holds each term.
    private var counts: [UInt8] = []
    /// By term: documents that hold it.
    private var documentCounts: [Int]
    /// Bytes of the terms that were read, and how many terms they are, with repetition.
    private var readBytes = 0, readTerms = 0

    /// Nothing found yet of some distinct terms; the first 64 count.
    public init(_ terms: [TermCounts.Term]) {
        self.terms = Array(terms.prefix(64))
        places = Dictionary(self.terms.enumerated().map { ($1, $0) }) { first, _ in first }
        documentCounts = [Int](repeating: 0, count: self.terms.count)
    }

    /// Takes in a document; one that holds none of the terms is passed over.
    ///
    /// - Parameters:
    ///   - document: names it in the answer.
    ///   - encoded: its terms, see ``TermCounts/encoded``.
    /// - Complexity: linear in its terms.
    public mutating func add(_ document: Document, terms encoded: some RandomAccessCollection<UInt8>) {
        let first = counts.count
        counts.append(contentsOf: repeatElement(0, count: terms.count))
        var (length, isMatch) = (0, false)
        var bytes = encoded.makeIterator()
        while let a = bytes.next(), let b = bytes.next(), let c = bytes.next(), let d = bytes.next(),
            let count = bytes.next()
        {
            length += Int(count)
            let (low, high) = (UInt16(a) | UInt16(b) << 8, UInt16(c) | UInt16(d) << 8)
            guard let place = places[TermCounts.Term(low) | TermCounts.Term(high) << 16] else { continue }
            counts[first + place] = count
            documentCounts[place] += 1
            isMatch = true
        }
        readBytes += encoded.count
        readTerms += length
        guard isMatch else { return counts.removeLast(terms.count) }
        documents.append(document)
        lengths.append(Int32(length))
    }

    /// How many terms so many encoded bytes are, with repetition, as in the documents that were read.
    public func termCount(ofBytes bytes: Int) -> Int {
        readBytes > 0 ? Int((Double(bytes) * Double(readTerms) / Double(readBytes)).rounded()) : bytes / 5
    }

    /// How many documents hold each of some terms.
    public func documentCounts(_ wanted: [TermCounts.Term]) -> [TermCounts.Term: Int] {
        Dictionary(wanted.map { ($0, places[$0].map { documentCounts[$0] } ?? 0) }) { first, _ in first }
    }

    /// How often each session holds the terms, of some sessions.
    ///
    /// - Complexity: one step a document that was found.
    public func sessionCounts(_ wanted: Set<Int64>) -> [Int64: [TermCounts.Term: Int]] {
        var found: [Int64: [TermCounts.Term: Int]] = [:]
        for (i, document) in documents.enumerated() {
            guard let session = document.session, wanted.contains(session) else { continue }
            for (place, term) in terms.enumerated() where counts[i * terms.count + place] > 0 {
                found[session, default: [:]][term, default: 0] += Int(counts[i * terms.count + place])
            }
        }
        return found
    }

    /// The `limit` documents of the highest scores among those allowed, the best first.
    ///
    /// A window is scored as if all were of the mean length, as the lengths of neighbours without a
    /// match are not known here.
    ///
    /// - Parameters:
    ///   - limit: how many are wanted.
    ///   - width: whose score counts, the document's own or its window's.
    ///   - wanted: those of the terms that the question has.
    ///   - whole: counts of all documents.
    /// - Complexity: some steps a document that was found.
    public func best(
        _ limit: Int, by width: RankedWidth = .document, _ wanted: [TermCounts.Term], in whole: CorpusStatistics
    ) -> [Int64] {
        var weights = [Float](repeating: 0, count: terms.count)
        for term in wanted {
            if let place = places[term] { weights[place] = whole.inverseDocumentFrequency(term) }
        }
        let mean = whole.meanLengths
        let sums = width == .window ? windowCounts : counts.map(UInt16.init)
        var scores: [(item: Int, score: Float)] = []
        for i in documents.indices where documents[i].isAllowed {
            let length = width == .window ? mean.window : Float(lengths[i])
            let middle = width == .window ? mean.window : mean.document
            var score: Float = 0
            for place in weights.indices where weights[place] > 0 {
                let count = sums[i * terms.count + place]
                if count > 0 { score += weights[place] * BM25.saturated(Float(count), length: length, mean: middle) }
            }
            if score > 0 { scores.append((i, score)) }
        }
        return highest(limit, of: scores).map { documents[$0.item].number }
    }

    /// As ``counts``, of each document and the two before and behind it.
    private var windowCounts: [UInt16] {
        var sums = counts.map(UInt16.init)
        let ordered = documents.indices.filter { documents[$0].session != nil }.sorted {
            (documents[$0].session!, documents[$0].place) < (documents[$1].session!, documents[$1].place)
        }
        for (rank, i) in ordered.enumerated() {
            for j in ordered[(rank + 1)...].prefix(SessionLinks.window) {
                guard documents[j].session == documents[i].session,
                    documents[j].place - documents[i].place <= Int64(SessionLinks.window)
                else { break }
                for place in terms.indices {
                    sums[i * terms.count + place] += UInt16(counts[j * terms.count + place])
                    sums[j * terms.count + place] += UInt16(counts[i * terms.count + place])
                }
            }
        }
        return sums
    }
}

/// Counts of all documents, by which an index of a part of them scores as one of all would.
public struct CorpusStatistics: Sendable {
    /// Documents, sessions, and terms with repetition.
    public var documents: Int, sessions: Int, terms: Int
    /// By term: documents that hold it.
    public var documentCounts: [TermCounts.Term: Int]

    /// Counts of so many documents.
    public init(documents: Int, sessions: Int, terms: Int, documentCounts: [TermCounts.Term: Int]) {
        (self.documents, self.sessions, self.terms) = (documents, sessions, terms)
        self.documentCounts = documentCounts
    }

    /// As ``LexicalIndex/inverseDocumentFrequency(_:)``.
    func inverseDocumentFrequency(_ term: TermCounts.Term) -> Float {
        let n = Float(documentCounts[term] ?? 0)
        return Float.logarithm(1 + (Float(documents) - n + 0.5) / (n + 0.5))
    }

    /// The mean lengths of documents and sessions.
    var meanLengths: MeanLengths {
        MeanLengths(
            document: max(1, Float(terms) / Float(max(1, documents))),
            session: max(1, Float(terms) / Float(max(1, sessions))))
    }
}
