/// An inverted index over documents that stand in sessions (a conversation's turns), scored by BM25
/// at three widths from one set of postings: the document, a window of its neighbours, its session.
///
/// BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, with k₁ = 1.2, b =
/// 0.75. Scores are divided by the highest that the query could reach, so that they lie in 0…1 and
/// compare across queries.
public struct LexicalIndex: Sendable {
    /// BM25's saturation and length normalisation, as Lucene and Elasticsearch have them.
    private static let k1: Float = 1.2, b: Float = 0.75

    /// By term: the documents that hold it, in rising order.
    private var postings: [TermCounts.Term: [(document: Int32, count: UInt8)]] = [:]
    /// By document: how many terms it has; 0 for one that was removed.
    private var lengths: [Int32] = []
    /// Terms of all documents: over ``keptCount`` it is BM25's mean length.
    private var totalLength = 0
    /// Documents that were not removed: the N of BM25.
    private var keptCount = 0

    /// An empty index.
    public init() {}

    /// Documents ever added; numbers run from 0.
    public var count: Int { lengths.count }

    /// Adds the next document.
    public mutating func append(_ terms: TermCounts) {
        let document = Int32(lengths.count)
        for (term, count) in terms.entries { postings[term, default: []].append((document, count)) }
        let length = terms.length
        lengths.append(Int32(length))
        totalLength += length
        keptCount += 1
    }

    /// Replaces a document's terms; `old` is what was added before.
    ///
    /// - Complexity: a search in the postings of each old and new term.
    public mutating func replace(_ document: Int, old: TermCounts, with new: TermCounts) {
        for (term, _) in old.entries {
            let (place, isThere) = place(of: Int32(document), under: term)
            guard isThere else { continue }
            // In place: the list of a common word is long.
            postings[term]?.remove(at: place)
            if postings[term]?.isEmpty ?? false { postings[term] = nil }
        }
        for (term, count) in new.entries {
            let (place, _) = place(of: Int32(document), under: term)
            postings[term, default: []].insert((Int32(document), count), at: place)
        }
        totalLength += new.length - Int(lengths[document])
        lengths[document] = Int32(new.length)
    }

    /// Takes a document's terms out; its number stays, and it counts no more in what terms and
    /// lengths tell.
    public mutating func remove(_ document: Int, old: TermCounts) {
        replace(document, old: old, with: TermCounts([]))
        keptCount -= 1
    }

    /// Where a document is in the posting list of a term, or would be.
    private func place(of document: Int32, under term: TermCounts.Term) -> (
        place: Int, isThere: Bool
    ) {
        guard let list = postings[term] else { return (0, false) }
        let place = Self.position(of: document, in: list)
        return (place, place < list.count && list[place].document == document)
    }

    /// Where a document is in a posting list, or would be; by halving.
    private static func position(of document: Int32, in list: [(document: Int32, count: UInt8)])
        -> Int
    {
        var low = 0, high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].document < document { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Terms of `document`'s length.
    public func length(of document: Int) -> Int { Int(lengths[document]) }

    /// How much a term tells: ln(1 + (N − n + ½)/(n + ½)).
    public func inverseDocumentFrequency(_ term: TermCounts.Term) -> Float {
        let n = Float(postings[term]?.count ?? 0), all = Float(keptCount)
        return Float.logarithm(1 + (all - n + 0.5) / (n + 0.5))
    }

    /// Documents that hold every one of `terms`, at most `limit`.
    public func documents(withAll terms: [TermCounts.Term], limit: Int) -> [Int] {
        let lists = terms.map { postings[$0] ?? [] }.sorted { $0.count < $1.count }
        guard let shortest = lists.first else { return [] }
        var found: [Int] = []
        for (document, _) in shortest {
            let inAll = lists.dropFirst().allSatisfy { list in
                let i = Self.position(of: document, in: list)
                return i < list.count && list[i].document == document
            }
            if inAll { found.append(Int(document)) }
            if found.count == limit { break }
        }
        return found
    }

    /// Scores of one query for every document.
    public struct Scores: Sendable {
        /// BM25 of the document, of its window of two neighbours on each side, and of its session;
        /// 0…1.
        public var document, window, session: [Float]
        /// Bit i is set where the document holds the query's term i (of the first 64).
        public var matches: [UInt64]
        /// Weight of each query term; they sum to 1.
        public var weights: [Float]
        /// Documents that hold at least one term, without order.
        public var touched: [Int32]
    }

    /// Scores every document for `terms`.
    ///
    /// - Parameters:
    ///   - terms: distinct; the first 64 count.
    ///   - sessions: who stands beside whom.
    /// - Complexity: five steps a posting of the query's terms, and clearing one array of all
    ///   documents.
    public func score(_ terms: [TermCounts.Term], sessions: SessionLinks) -> Scores {
        let terms = Array(terms.prefix(64)), n = count
        var scores = Scores(
            document: [Float](repeating: 0, count: n), window: [Float](repeating: 0, count: n),
            session: [Float](repeating: 0, count: n), matches: [UInt64](repeating: 0, count: n),
            weights: [], touched: []
        )
        let idf = terms.map(inverseDocumentFrequency), best = idf.reduce(0, +)
        guard best > 0, n > 0 else { return scores }
        scores.weights = idf.map { $0 / best }
        let mean = max(1, Float(totalLength) / Float(max(1, keptCount)))
        let sessionMean = max(1, Float(totalLength) / Float(max(1, sessions.sessionCount)))
        var windowCount = [Float](repeating: 0, count: n), windowTouched: [Int32] = []
        var sessionTermCounts = [Float](repeating: 0, count: sessions.sessionCount),
            sessionsTouched: [Int32] = []
        var sessionScores = [Float](repeating: 0, count: sessions.sessionCount)
        func saturated(_ count: Float, length: Float, mean: Float) -> Float {
            count / (count + Self.k1 * (1 - Self.b + Self.b * length / mean))
        }
        for (i, term) in terms.enumerated() {
            guard let list = postings[term] else { continue }
            let weight = scores.weights[i]
            for (document, occurrences) in list {
                let d = Int(document), c = Float(occurrences)
                if scores.matches[d] == 0 { scores.touched.append(document) }
                scores.matches[d] |= 1 << UInt64(i)
                scores.document[d] += weight * saturated(c, length: Float(lengths[d]), mean: mean)
                sessions.forEachNeighbour(of: d, reach: SessionLinks.window) { w in
                    if windowCount[w] == 0 { windowTouched.append(Int32(w)) }
                    windowCount[w] += c
                }
                let t = sessions.session(of: d)
                if sessionTermCounts[t] == 0 { sessionsTouched.append(Int32(t)) }
                sessionTermCounts[t] += c
            }
            for w in windowTouched {
                let length = Float(sessions.length(ofWindow: Int(w)))
                scores.window[Int(w)] +=
                    weight * saturated(windowCount[Int(w)], length: length, mean: mean * 5)
                windowCount[Int(w)] = 0
            }
            for t in sessionsTouched {
                sessionScores[Int(t)] +=
                    weight
                    * saturated(
                        sessionTermCounts[Int(t)], length: Float(sessions.length(ofSession: Int(t))),
                        mean: sessionMean)
                sessionTermCounts[Int(t)] = 0
            }
            windowTouched.removeAll(keepingCapacity: true)
            sessionsTouched.removeAll(keepingCapacity: true)
        }
        for d in 0..<n { scores.session[d] = sessionScores[sessions.session(of: d)] }
        return scores
    }
}
