import Synchronization

/// One question to a ``LexicalIndex``: the documents and windows with the highest scores, and the
/// scores of those that are asked for. The same to the bit as ``LexicalIndex/score(_:sessions:)``,
/// without looking at all documents.
///
/// A range of documents is passed over if the sum of its terms' highest scores (`RangeMaxima`) is
/// below the lowest of the best that were found. The ranges with the highest sums come first, so
/// that this bound is high from the beginning.
///
/// For one thread, while the index does not change.
public final class WordSearch {
    /// Up to so many documents, scoring all is faster than asking for some.
    public static let scanLimit = 4_096

    /// Weight of each term; they sum to 1.
    public private(set) var weights: [Float] = []
    /// The distinct terms, at most 64.
    private let terms: [TermCounts.Term]
    private let index: LexicalIndex, sessions: SessionLinks
    private let mean: MeanLengths
    /// All scores, of a small index.
    private let scan: LexicalIndex.Scores?
    /// The postings of each term.
    private var lists: [WordPostings] = []
    private var sessionLists: [SessionWords.List] = []
    /// How often documents that were asked for hold each term: where theirs begin in `counts`.
    private var places: [Int: Int] = [:]
    private var counts: [UInt8] = []
    private var sessionScores: [Int: Float] = [:]
    /// Sums of each range's highest scores, by width.
    private var sums: [RangeSums?] = [nil, nil]

    /// - Parameters:
    ///   - index: what is searched.
    ///   - terms: distinct; the first 64 count.
    ///   - sessions: who stands beside whom.
    ///   - scanLimit: up to so many documents all are scored.
    public init(
        _ index: LexicalIndex, _ terms: [TermCounts.Term], sessions: SessionLinks,
        scanLimit: Int = WordSearch.scanLimit
    ) {
        self.terms = Array(terms.prefix(64))
        (self.index, self.sessions) = (index, sessions)
        mean = index.meanLengths(sessions)
        guard index.count > scanLimit else {
            let all = index.score(self.terms, sessions: sessions)
            (scan, weights) = (all, all.weights)
            return
        }
        scan = nil
        let frequencies = self.terms.map(index.inverseDocumentFrequency)
        let best = frequencies.reduce(0, +)
        guard best > 0 else { return }
        weights = frequencies.map { $0 / best }
        lists = self.terms.map { WordPostings($0, of: index) }
        sessionLists = self.terms.map { index.sessionWords.list(of: $0) }
    }

    // MARK: One document

    /// BM25 of a document, 0…1.
    public func score(_ document: Int) -> Float {
        if let scan { return scan.document[document] }
        let place = place(of: document)
        let length = Float(index.lengths[document])
        var score: Float = 0
        for i in lists.indices where counts[place + i] > 0 {
            score +=
                weights[i]
                * BM25.saturated(Float(counts[place + i]), length: length, mean: mean.document)
        }
        return score
    }

    /// BM25 of a document's window of two neighbours on each side, 0…1.
    public func windowScore(_ document: Int) -> Float {
        if let scan { return scan.window[document] }
        var members: [Int] = []
        sessions.forEachNeighbour(of: document, reach: SessionLinks.window) {
            members.append(place(of: $0))
        }
        let length = Float(sessions.length(ofWindow: document))
        var score: Float = 0
        for i in lists.indices {
            let count = members.reduce(0) { $0 + Int(counts[$1 + i]) }
            if count > 0 {
                score +=
                    weights[i] * BM25.saturated(Float(count), length: length, mean: mean.window)
            }
        }
        return score
    }

    /// BM25 of a document's session, 0…1.
    public func sessionScore(_ document: Int) -> Float {
        if let scan { return scan.session[document] }
        let session = sessions.session(of: document)
        if let known = sessionScores[session] { return known }
        // A document by itself may be in no list of sessions.
        let alone = sessions.isAlone(document) ? place(of: document) : nil
        let length = Float(sessions.length(ofSession: session))
        var score: Float = 0
        for i in lists.indices {
            let count = alone.map { Int(counts[$0 + i]) } ?? sessionLists[i].count(in: session)
            if count > 0 {
                score +=
                    weights[i] * BM25.saturated(Float(count), length: length, mean: mean.session)
            }
        }
        sessionScores[session] = score
        return score
    }

    /// Bit i is set where a document holds the term i.
    public func matches(_ document: Int) -> UInt64 {
        if let scan { return scan.matches[document] }
        let place = place(of: document)
        var matches: UInt64 = 0
        for i in lists.indices where counts[place + i] > 0 { matches |= 1 << UInt64(i) }
        return matches
    }

    /// Where a document's counts begin, which are looked up once.
    private func place(of document: Int) -> Int {
        if let known = places[document] { return known }
        let place = counts.count
        for list in lists { counts.append(list.count(of: Int32(document))) }
        places[document] = place
        return place
    }

    // MARK: The best

    /// The `limit` documents of the highest positive score among those allowed, the best first; of
    /// equals the lower number.
    ///
    /// - Parameters:
    ///   - limit: how many are wanted.
    ///   - width: whose score counts, the document's own or its window's.
    ///   - keys: no others are looked at; nil looks at all.
    ///   - allowed: asked of documents that may be among the best.
    /// - Complexity: one step a range for each common term, three or ten a posting for each rare
    ///   one, and the scores of ranges that may hold one of the best.
    public func best(
        _ limit: Int, by width: RankedWidth = .document, among keys: KeySet? = nil,
        where allowed: (Int) -> Bool
    ) -> [Int] {
        func passes(_ document: Int) -> Bool {
            keys?.contains(document) ?? true && allowed(document)
        }
        if let scan {
            return highest(
                limit, of: width == .document ? scan.document : scan.window, where: passes)
        }
        guard limit > 0, !lists.isEmpty else { return [] }
        let sums = sums(width).values
        var ranking = Ranking(limit)
        // A range has more documents than one that is wanted; so many fill the ranking.
        var first = Ranking(max(limit, 32))
        for (range, sum) in sums.enumerated()
        where sum > 0 && sum > first.threshold && holdsAny(keys, range) {
            first.insert(UInt32(range), sum)
        }
        let begun = Set(first.items.map { Int($0.item) })
        var pass = RangePass(width, lists, index.count)
        for range in begun.sorted() { rank(range, &pass, &ranking, passes) }
        pass.restart()
        for (range, sum) in sums.enumerated()
        where sum > 0 && sum * 1.0001 >= ranking.threshold && holdsAny(keys, range)
            && !begun.contains(range)
        {
            rank(range, &pass, &ranking, passes)
        }
        return ranking.sorted.map(Int.init)
    }

    /// True if a range has one of some documents.
    @inline(__always)
    private func holdsAny(_ keys: KeySet?, _ range: Int) -> Bool {
        guard let keys else { return true }
        let perWord = 64 / RangeMaxima.width
        let word = range / perWord
        return word < keys.words.count
            && keys.words[word] >> UInt64(range % perWord * RangeMaxima.width)
                & (1 << UInt64(RangeMaxima.width) - 1) != 0
    }

    /// Scores the documents or windows of a range.
    private func rank(
        _ range: Int, _ pass: inout RangePass, _ ranking: inout Ranking, _ allowed: (Int) -> Bool
    ) {
        pass.read(range)
        let first = range * RangeMaxima.width
        for document in first..<min(first + RangeMaxima.width, index.count) {
            let score =
                pass.width == .document ? score(document, pass) : windowScore(document, pass)
            if score > 0, score >= ranking.threshold, allowed(document) {
                ranking.insert(UInt32(document), score)
            }
        }
    }

    /// As ``score(_:)``, for a document of a range that was read.
    @inline(__always)
    private func score(_ document: Int, _ pass: borrowing RangePass) -> Float {
        let length = Float(index.lengths[document])
        var score: Float = 0
        for i in lists.indices {
            let count = pass.count(i, document)
            if count > 0 {
                score +=
                    weights[i] * BM25.saturated(Float(count), length: length, mean: mean.document)
            }
        }
        return score
    }

    /// As ``windowScore(_:)``, for a document of a range that was read.
    @inline(__always)
    private func windowScore(_ document: Int, _ pass: borrowing RangePass) -> Float {
        let length = Float(sessions.length(ofWindow: document))
        var score: Float = 0
        for i in lists.indices {
            var count = 0
            sessions.forEachNeighbour(of: document, reach: SessionLinks.window) {
                count +=
                    pass.holds($0) ? pass.count(i, $0) : Int(lists[i].count(of: Int32($0)))
            }
            if count > 0 {
                score +=
                    weights[i] * BM25.saturated(Float(count), length: length, mean: mean.window)
            }
        }
        return score
    }

    // MARK: Bounds

    /// The sums of a width, made at the first question.
    private func sums(_ width: RankedWidth) -> RangeSums {
        if let known = sums[width.rawValue] { return known }
        let ranges = RangeMaxima.rangeCount(index.count)
        var new = RangeSums(width: width, values: [Float](repeating: 0, count: ranges))
        var highest = RangeHighest(ranges)
        for i in lists.indices {
            // What the file's maxima hold is not looked through.
            let hasMaxima = index.maxima.add(
                terms[i], weight: weights[i], mean: mean.document, to: &new)
            switch width {
            case .document: addDocuments(i, isNewOnly: hasMaxima, &highest)
            case .window: addWindows(i, isNewOnly: hasMaxima, &highest)
            }
            highest.takeAll { range, score in new.values[range] += score }
        }
        if width == .window {
            // These windows are not as they were when maxima were computed: they are looked at.
            for window in sessions.changedWindows {
                new.values[Int(window) / RangeMaxima.width] = .infinity
            }
        }
        sums[width.rawValue] = new
        return new
    }

    /// Takes the scores that a term gives to documents.
    private func addDocuments(_ i: Int, isNewOnly: Bool, _ highest: inout RangeHighest) {
        lists[i].forEach(isNewOnly: isNewOnly) { posting in
            let document = Int(posting.document)
            let score = BM25.saturated(
                Float(posting.count), length: Float(index.lengths[document]), mean: mean.document)
            highest.insert(weights[i] * score, document / RangeMaxima.width)
        }
    }

    /// Takes the scores that a term gives to windows.
    private func addWindows(_ i: Int, isNewOnly: Bool, _ highest: inout RangeHighest) {
        var counts = Self.pool.take(index.count)
        lists[i].forEach(isNewOnly: isNewOnly) {
            counts.add(Int($0.count), around: Int($0.document), sessions)
        }
        counts.takeAll { window, count in
            let length = Float(sessions.length(ofWindow: window))
            let score = BM25.saturated(Float(count), length: length, mean: mean.window)
            highest.insert(weights[i] * score, window / RangeMaxima.width)
        }
        Self.pool.give(counts)
    }

    /// Counts of windows that no search uses now.
    private static let pool = WindowCountsPool()
}

/// Memory for counts of windows, kept between searches: to clear it anew costs more than a search.
private final class WindowCountsPool: Sendable {
    /// More are given back than are kept when more searches ran at once.
    private static let limit = 4
    private let kept = Mutex<[WindowCounts]>([])

    /// Empty counts with room for so many documents.
    func take(_ documents: Int) -> WindowCounts {
        let known = kept.withLock { $0.popLast() }
        if let known, known.capacity >= documents { return known }
        return WindowCounts(documents + documents / 8)
    }

    func give(_ counts: WindowCounts) {
        kept.withLock { if $0.count < Self.limit { $0.append(counts) } }
    }
}
