/// An inverted index over documents that stand in sessions (a conversation's turns), scored by BM25
/// at three widths from one set of postings: the document, a window of its neighbours, its session.
///
/// BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, with k₁ = 1.2, b =
/// 0.75. Scores are divided by the highest that the query could reach, so that they lie in 0…1 and
/// compare across queries.
public struct LexicalIndex: Sendable {
    /// BM25's saturation and length normalisation, as Lucene and Elasticsearch have them.
    private static let k1: Float = 1.2, b: Float = 0.75

    /// A document that holds a term, and how often, at most 255.
    struct Posting: Sendable {
        var document: Int32
        var count: UInt8
    }

    /// Postings of the file that the index was read from; none in a new index.
    private var filed = PostingTable()
    /// By document of the file: whether its postings there count no more, as it has other terms now
    /// or none.
    private var isReplaced = Column<Bool>()
    /// By term: how many of its postings in the file count no more.
    private var replacedCounts: [TermCounts.Term: Int] = [:]
    /// Postings that are not in the file. By term: the documents that hold it, in rising order.
    private var postings: [TermCounts.Term: [Posting]] = [:]
    /// By document: how many terms it has; 0 for one that was removed.
    private var lengths = Column<Int32>()
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
        for (term, count) in terms.entries {
            postings[term, default: []].append(Posting(document: document, count: count))
        }
        let length = terms.length
        lengths.append(Int32(length))
        totalLength += length
        keptCount += 1
    }

    /// Replaces a document's terms; `old` is what was added before.
    ///
    /// - Complexity: a search in the postings of each old and new term.
    public mutating func replace(_ document: Int, old: TermCounts, with new: TermCounts) {
        if document < isReplaced.count, !isReplaced[document] {
            // Files do not change: what the file has of it is passed over from now on.
            isReplaced[document] = true
            for (term, _) in old.entries { replacedCounts[term, default: 0] += 1 }
        } else {
            for (term, _) in old.entries { removePosting(Int32(document), under: term) }
        }
        for (term, count) in new.entries {
            let place = place(of: Int32(document), under: term)
            postings[term, default: []].insert(
                Posting(document: Int32(document), count: count), at: place)
        }
        totalLength += new.length - Int(lengths[document])
        lengths[document] = Int32(new.length)
    }

    /// Takes a document out of a list that is not in the file.
    private mutating func removePosting(_ document: Int32, under term: TermCounts.Term) {
        let place = place(of: document, under: term)
        guard holds(document, at: place, under: term) else { return }
        // In place: the list of a common word is long.
        postings[term]?.remove(at: place)
        if postings[term]?.isEmpty ?? false { postings[term] = nil }
    }

    /// Takes a document's terms out; its number stays, and it counts no more in what terms and
    /// lengths tell.
    public mutating func remove(_ document: Int, old: TermCounts) {
        replace(document, old: old, with: TermCounts([]))
        keptCount -= 1
    }

    /// Where a document is among the postings of a term that are not in the file, or would be; by
    /// halving.
    private func place(of document: Int32, under term: TermCounts.Term) -> Int {
        guard let list = postings[term] else { return 0 }
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].document < document { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// True if a document is at a place of these postings.
    private func holds(_ document: Int32, at place: Int, under term: TermCounts.Term) -> Bool {
        guard let list = postings[term] else { return false }
        return place < list.count && list[place].document == document
    }

    /// Terms of `document`'s length.
    public func length(of document: Int) -> Int { Int(lengths[document]) }

    /// Documents that hold a term.
    private func documentCount(_ term: TermCounts.Term) -> Int {
        filed.range(of: term).count - (replacedCounts[term] ?? 0) + (postings[term]?.count ?? 0)
    }

    /// Calls `body` with each posting of a term, those of the file first.
    @inline(__always)
    private func forEachPosting(of term: TermCounts.Term, _ body: (Posting) -> Void) {
        let range = filed.range(of: term)
        if replacedCounts[term] == nil {
            filed.forEach(in: range, body)
        } else {
            isReplaced.withElements { isReplaced in
                filed.forEach(in: range) { if !isReplaced[Int($0.document)] { body($0) } }
            }
        }
        if let list = postings[term] { for posting in list { body(posting) } }
    }

    /// All postings of a term by document.
    private func list(of term: TermCounts.Term) -> [Posting] {
        var list: [Posting] = []
        list.reserveCapacity(documentCount(term))
        forEachPosting(of: term) { list.append($0) }
        // Behind the file's documents stand new ones, nearly always.
        if replacedCounts[term] != nil
            || postings[term]?.first.map({
                Int($0.document) < isReplaced.count
            }) ?? false
        {
            list.sort { $0.document < $1.document }
        }
        return list
    }

    /// True if a document holds a term.
    private func holds(_ document: Int32, _ term: TermCounts.Term) -> Bool {
        if Int(document) < isReplaced.count, !isReplaced[Int(document)] {
            return filed.holds(document, in: filed.range(of: term))
        }
        return holds(document, at: place(of: document, under: term), under: term)
    }

    /// How much a term tells: ln(1 + (N − n + ½)/(n + ½)).
    public func inverseDocumentFrequency(_ term: TermCounts.Term) -> Float {
        let n = Float(documentCount(term))
        let all = Float(keptCount)
        return Float.logarithm(1 + (all - n + 0.5) / (n + 0.5))
    }

    /// Documents that hold every one of `terms`, at most `limit`.
    public func documents(withAll terms: [TermCounts.Term], limit: Int) -> [Int] {
        guard let rarest = terms.min(by: { documentCount($0) < documentCount($1) }) else {
            return []
        }
        var found: [Int] = []
        for posting in list(of: rarest) {
            guard found.count < limit else { break }
            let isInAll = terms.allSatisfy { $0 == rarest || holds(posting.document, $0) }
            if isInAll { found.append(Int(posting.document)) }
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
        let terms = Array(terms.prefix(64))
        let n = count
        var scores = Scores(
            document: [Float](repeating: 0, count: n), window: [Float](repeating: 0, count: n),
            session: [Float](repeating: 0, count: n), matches: [UInt64](repeating: 0, count: n),
            weights: [], touched: []
        )
        let idf = terms.map(inverseDocumentFrequency)
        let best = idf.reduce(0, +)
        guard best > 0, n > 0 else { return scores }
        scores.weights = idf.map { $0 / best }
        let mean = max(1, Float(totalLength) / Float(max(1, keptCount)))
        let sessionMean = max(1, Float(totalLength) / Float(max(1, sessions.sessionCount)))
        var windowCount = [Float](repeating: 0, count: n)
        var windowTouched: [Int32] = []
        var sessionTermCounts = [Float](repeating: 0, count: sessions.sessionCount)
        var sessionsTouched: [Int32] = []
        var sessionScores = [Float](repeating: 0, count: sessions.sessionCount)
        func saturated(_ count: Float, length: Float, mean: Float) -> Float {
            count / (count + Self.k1 * (1 - Self.b + Self.b * length / mean))
        }
        for (i, term) in terms.enumerated() {
            let weight = scores.weights[i]
            forEachPosting(of: term) { posting in
                let d = Int(posting.document)
                let c = Float(posting.count)
                if scores.matches[d] == 0 { scores.touched.append(posting.document) }
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

    // MARK: Files

    /// Reads what ``write(to:)`` wrote.
    package init(from reader: inout TableReader) throws {
        filed = try PostingTable(from: &reader)
        lengths = try reader.column()
        let totals: Column<Int> = try reader.column()
        guard totals.count == 2 else {
            throw IndexError(.corrupt, "A table of words is damaged. Delete the file; it is made again.")
        }
        (totalLength, keptCount) = (totals[0], totals[1])
        isReplaced = Column([Bool](repeating: false, count: lengths.count))
    }

    /// Writes the postings that count, those of the file and new ones together.
    package func write(to writer: inout TableWriter) {
        merged.write(to: &writer)
        writer.add(lengths)
        writer.add(Column([totalLength, keptCount]))
    }

    /// All postings that count, as one table.
    private var merged: PostingTable {
        guard !postings.isEmpty || !replacedCounts.isEmpty else { return filed }
        var merged = PostingTable()
        for term in Set(filed.terms.array).union(postings.keys).sorted() {
            let list = list(of: term)
            if !list.isEmpty { merged.append(term, list) }
        }
        return merged
    }
}
