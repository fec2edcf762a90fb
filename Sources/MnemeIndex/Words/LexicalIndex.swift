/// An inverted index over documents that stand in sessions (a conversation's turns), scored by BM25
/// at three widths from one set of postings: the document, a window of its neighbours, its session.
///
/// Scores are BM25, divided by the highest that the query could reach, so that they lie in 0…1
/// and compare across queries. ``WordSearch`` finds the highest; ``score(_:sessions:)`` computes all.
public struct LexicalIndex: Sendable {
    /// Postings of the file that the index was read from; none in a new index.
    private(set) var filed = PostingTable<UInt8>()
    /// By document of the file: whether its postings there count no more, as it has other terms now
    /// or none.
    private(set) var isReplaced = Column<Bool>()
    /// By term: how many of its postings in the file count no more.
    private(set) var replacedCounts: [TermCounts.Term: Int] = [:]
    /// Postings that are not in the file. By term: the documents that hold it, in rising order, and
    /// how often, at most 255.
    private(set) var postings: [TermCounts.Term: [Posting<UInt8>]] = [:]
    /// The highest scores that the file's common terms give to ranges of documents.
    private(set) var maxima = RangeMaxima()
    /// Postings of sessions.
    private(set) var sessionWords = SessionWords()
    /// By document: how many terms it has; 0 for one that was removed.
    private(set) var lengths = Column<Int32>()
    /// Terms of all documents: over ``keptCount`` it is BM25's mean length.
    private var totalLength = 0
    /// Documents that were not removed: the N of BM25.
    private var keptCount = 0

    /// An empty index.
    public init() {}

    /// Documents ever added; numbers run from 0.
    public var count: Int { lengths.count }

    /// Adds the next document.
    ///
    /// - Parameters:
    ///   - terms: its terms, and how often each stands in it.
    ///   - session: the session that it may share with others; nil for one by itself.
    public mutating func append(_ terms: TermCounts, session: Int? = nil) {
        let document = Int32(lengths.count)
        for (term, count) in terms.entries {
            postings[term, default: []].append(Posting(document: document, count: count))
        }
        if let session { sessionWords.add(terms, to: session) }
        let length = terms.length
        lengths.append(Int32(length))
        totalLength += length
        keptCount += 1
    }

    /// Replaces a document's terms; `old` is what was added before, in the same `session`.
    ///
    /// - Complexity: a search in the postings of each old and new term.
    public mutating func replace(
        _ document: Int, old: TermCounts, with new: TermCounts, session: Int? = nil
    ) {
        if let session {
            sessionWords.remove(old, from: session)
            sessionWords.add(new, to: session)
        }
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
    public mutating func remove(_ document: Int, old: TermCounts, session: Int? = nil) {
        replace(document, old: old, with: TermCounts([]), session: session)
        keptCount -= 1
    }

    /// Where a document is among the postings of a term that are not in the file, or would be; by
    /// halving.
    private func place(of document: Int32, under term: TermCounts.Term) -> Int {
        postings[term]?.lowerBound(of: document) ?? 0
    }

    /// True if a document is at a place of these postings.
    private func holds(_ document: Int32, at place: Int, under term: TermCounts.Term) -> Bool {
        guard let list = postings[term] else { return false }
        return place < list.count && list[place].document == document
    }

    /// Terms of `document`'s length.
    public func length(of document: Int) -> Int { Int(lengths[document]) }

    /// Documents that hold a term.
    func documentCount(_ term: TermCounts.Term) -> Int {
        filed.range(of: term).count - (replacedCounts[term] ?? 0) + (postings[term]?.count ?? 0)
    }

    /// Calls `body` with each posting of a term, those of the file first.
    @inline(__always)
    func forEachPosting(of term: TermCounts.Term, _ body: (Posting<UInt8>) -> Void) {
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
    private func list(of term: TermCounts.Term) -> [Posting<UInt8>] {
        var list: [Posting<UInt8>] = []
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

    /// The mean lengths of documents and sessions.
    func meanLengths(_ sessions: SessionLinks) -> MeanLengths {
        MeanLengths(
            document: max(1, Float(totalLength) / Float(max(1, keptCount))),
            session: max(1, Float(totalLength) / Float(max(1, sessions.sessionCount))))
    }

    // MARK: Files

    /// Reads what ``write(to:sessions:)`` wrote.
    package init(from reader: inout TableReader) throws {
        filed = try PostingTable(from: &reader)
        lengths = try reader.column()
        let totals: Column<Int> = try reader.column()
        guard totals.count == 2 else {
            throw IndexError(.corrupt, "A table of words is damaged. Delete the file; it is made again.")
        }
        (totalLength, keptCount) = (totals[0], totals[1])
        isReplaced = Column([Bool](repeating: false, count: lengths.count))
        sessionWords = try SessionWords(from: &reader)
        maxima = try RangeMaxima(
            from: &reader, documents: lengths.count,
            mean: max(1, Float(totalLength) / Float(max(1, keptCount))))
    }

    /// Writes the postings that count, those of the file and new ones together.
    ///
    /// - Parameter sessions: of the same documents.
    package func write(to writer: inout TableWriter, sessions: SessionLinks) {
        let merged = merged
        merged.write(to: &writer)
        writer.add(lengths)
        writer.add(Column([totalLength, keptCount]))
        sessionWords.write(to: &writer)
        RangeMaxima(of: merged, lengths, sessions, mean: meanLengths(sessions).document)
            .write(to: &writer)
    }

    /// All postings that count, as one table.
    private var merged: PostingTable<UInt8> {
        guard !postings.isEmpty || !replacedCounts.isEmpty else { return filed }
        var merged = PostingTable<UInt8>()
        for term in Set(filed.terms.array).union(postings.keys).sorted() {
            let list = list(of: term)
            if !list.isEmpty { merged.append(term, list) }
        }
        return merged
    }
}
