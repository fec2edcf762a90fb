extension LexicalIndex {
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

    /// Scores every document for `terms`: the way for a small index, and what ``WordSearch`` is
    /// compared with.
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
        let mean = meanLengths(sessions)
        var windowCount = [Float](repeating: 0, count: n)
        var windowTouched: [Int32] = []
        var sessionTermCounts = [Float](repeating: 0, count: sessions.sessionCount)
        var sessionsTouched: [Int32] = []
        var sessionScores = [Float](repeating: 0, count: sessions.sessionCount)
        for (i, term) in terms.enumerated() {
            let weight = scores.weights[i]
            forEachPosting(of: term) { posting in
                let d = Int(posting.document)
                let c = Float(posting.count)
                if scores.matches[d] == 0 { scores.touched.append(posting.document) }
                scores.matches[d] |= 1 << UInt64(i)
                scores.document[d] +=
                    weight
                    * BM25.saturated(c, length: Float(lengths[d]), mean: mean.document)
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
                    weight
                    * BM25.saturated(windowCount[Int(w)], length: length, mean: mean.window)
                windowCount[Int(w)] = 0
            }
            for t in sessionsTouched {
                sessionScores[Int(t)] +=
                    weight
                    * BM25.saturated(
                        sessionTermCounts[Int(t)], length: Float(sessions.length(ofSession: Int(t))),
                        mean: mean.session)
                sessionTermCounts[Int(t)] = 0
            }
            windowTouched.removeAll(keepingCapacity: true)
            sessionsTouched.removeAll(keepingCapacity: true)
        }
        for d in 0..<n { scores.session[d] = sessionScores[sessions.session(of: d)] }
        return scores
    }
}
