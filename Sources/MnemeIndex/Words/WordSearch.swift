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
    /// The postings of each term, which point into `index`, `pieces` and `added`.
    private let lists: [WordPostings]
    /// Of each term, those of the index's segments, and those that are not there.
    private let pieces: [Column<WordPostings.Piece>], added: [Column<Posting<UInt8>>]
    private var sessionLists: [SessionWords.List] = []
    /// How often documents hold each term, of the ranges with some that were asked for: where those
    /// of a range begin in `counts`.
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
        // All scores are those of the documents that are here; of a part they are not a session's.
        guard index.count > scanLimit || index.whole != nil else {
            let all = index.score(self.terms, sessions: sessions)
            (scan, weights) = (all, all.weights)
            (lists, pieces, added) = ([], [], [])
            return
        }
        scan = nil
        let frequencies = self.terms.map(index.inverseDocumentFrequency)
        let best = frequencies.reduce(0, +)
        guard best > 0 else {
            (lists, pieces, added) = ([], [], [])
            return
        }
        weights = frequencies.map { $0 / best }
        let pieces = self.terms.map { WordPostings.pieces(of: $0, in: index) }
        let added = self.terms.map { Column(index.added($0)) }
        lists = self.terms.indices.map {
            WordPostings(terms[$0], of: index, pieces: pieces[$0], added: added[$0])
        }
        (self.pieces, self.added) = (pieces, added)
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

    /// Where a document's counts begin. They are read once, with those of its range, where most of
    /// its neighbours are.
    private func place(of document: Int) -> Int {
        let range = document / RangeMaxima.width
        let offset = document % RangeMaxima.width * lists.count
        if let known = places[range] { return known + offset }
        let (place, stride) = (counts.count, lists.count)
        places[range] = place
        counts += repeatElement(0, count: RangeMaxima.width * stride)
        let first = Int32(range * RangeMaxima.width)
        for i in lists.indices {
            var start = lists[i].place(of: first)
            lists[i].forEach(in: first..<first + Int32(RangeMaxima.width), from: &start) {
                counts[place + Int($0.document - first) * stride + i] = $0.count
            }
        }
        return place + offset
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
        Self.forEachRange(sums, above: { max(first.threshold, .leastNonzeroMagnitude) }) { range in
            if sums[range] > first.threshold, holdsAny(keys, range) {
                first.insert(UInt32(range), sums[range])
            }
        }
        let begun = first.items.map { Int($0.item) }.sorted()
        var pass = RangePass(
            width, lists, weights, mean: width == .document ? mean.document : mean.window, index,
            sessions)
        for range in begun { pass.rank(range, &ranking, where: passes) }
        pass.restart()
        var next = 0
        // Sums are rounded: what is a little lower may reach the threshold.
        Self.forEachRange(sums, above: { max(ranking.threshold / 1.0001, .leastNonzeroMagnitude) }) {
            range in
            while next < begun.count, begun[next] < range { next += 1 }
            if next < begun.count && begun[next] == range || !holdsAny(keys, range) { return }
            pass.rank(range, &ranking, where: passes)
        }
        return ranking.sorted.map(Int.init)
    }

    /// Calls `body` with the ranges whose sums reach a threshold, which may rise at each. Most do not:
    /// sixteen are compared at once.
    @inline(__always)
    private static func forEachRange(
        _ sums: [Float], above threshold: () -> Float, _ body: (Int) -> Void
    ) {
        sums.withUnsafeBytes { bytes in
            let sums = bytes.bindMemory(to: Float.self)
            var range = 0
            var least = threshold()
            while range < sums.count {
                if range + 16 <= sums.count {
                    let block = bytes.loadUnaligned(fromByteOffset: range * 4, as: SIMD16<Float>.self)
                    if !any(block .>= least) {
                        range += 16
                        continue
                    }
                }
                for range in range..<min(range + 16, sums.count) where sums[range] >= least {
                    body(range)
                    least = threshold()
                }
                range += 16
            }
        }
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

    // MARK: Bounds

    /// The sums of a width, made at the first question.
    private func sums(_ width: RankedWidth) -> RangeSums {
        if let known = sums[width.rawValue] { return known }
        let ranges = RangeMaxima.rangeCount(index.count)
        var new = RangeSums(width: width, values: [Float](repeating: 0, count: ranges))
        var highest = RangeHighest(ranges)
        for i in lists.indices {
            // What a segment has maxima of is not looked through there.
            var passed: UInt64 = 0
            for (place, segment) in index.segments.prefix(64).enumerated()
            where segment.maxima.add(terms[i], weight: weights[i], mean: mean.document, to: &new) {
                passed |= 1 << UInt64(place)
            }
            switch width {
            case .document: addDocuments(i, besides: passed, &highest)
            case .window: addWindows(i, besides: passed, &highest)
            }
            highest.takeAll { range, score in new.values[range] += score }
        }
        if width == .window {
            // These windows are not as they were when maxima were computed, or lie in several segments:
            // they are looked at.
            for window in sessions.changedWindows {
                new.values[Int(window) / RangeMaxima.width] = .infinity
            }
        }
        sums[width.rawValue] = new
        return new
    }

    /// Takes the scores that a term gives to documents.
    private func addDocuments(_ i: Int, besides passed: UInt64, _ highest: inout RangeHighest) {
        lists[i].forEach(besides: passed) { posting in
            let document = Int(posting.document)
            let score = BM25.saturated(
                Float(posting.count), length: Float(index.lengths[document]), mean: mean.document)
            highest.insert(weights[i] * score, document / RangeMaxima.width)
        }
    }

    /// Takes the scores that a term gives to windows.
    private func addWindows(_ i: Int, besides passed: UInt64, _ highest: inout RangeHighest) {
        var counts = Self.pool.take(index.count)
        lists[i].forEach(besides: passed) {
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
