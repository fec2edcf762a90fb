/// An inverted index over documents that stand in sessions (a conversation's turns), scored by BM25
/// at three widths from one set of postings: the document, a window of its neighbours, its session.
///
/// Scores are BM25, divided by the highest that the query could reach, so that they lie in 0…1
/// and compare across queries. ``WordSearch`` finds the highest; ``score(_:sessions:)`` computes all.
public struct LexicalIndex: Sendable {
    /// The segments that the index was read from, in the order of their documents.
    private(set) var segments: [WordSegment] = []
    /// By document of a segment: whether what the segment of its number has of it counts no more, as it
    /// has other terms now or none.
    private(set) var isMoved = Column<Bool>()
    /// Of these documents: the segment in which they stand now, `inMemory` if that is none.
    private var homes: [Int32: Int] = [:]
    private static let inMemory = Int.max
    /// By term: how many of its postings in segments count no more, and how many of these since the
    /// last one was written.
    private(set) var lost: [TermCounts.Term: Int] = [:], newlyLost: [TermCounts.Term: Int] = [:]
    /// Postings that are in no segment. By term: the documents that hold it, in rising order, and how
    /// often, at most 255.
    private var postings: [TermCounts.Term: [Posting<UInt8>]] = [:]
    /// Postings of sessions.
    private(set) var sessionWords = SessionWords()
    /// By document: how many terms it has; 0 for one that was removed.
    private(set) var lengths = Column<Int32>()
    /// Terms of all documents: over ``keptCount`` it is BM25's mean length.
    private var totalLength = 0
    /// Documents that were not removed: the N of BM25.
    private var keptCount = 0

    /// Counts of all documents, where this index holds a part of them.
    private(set) var whole: CorpusStatistics?

    /// An empty index.
    public init() {}

    /// Makes this index, of a part of the documents, score as one of all would.
    ///
    /// - Parameters:
    ///   - whole: counts of all documents.
    ///   - sessionCounts: by session, how often all of its documents together hold the terms that are
    ///     asked for.
    public mutating func complete(_ whole: CorpusStatistics, sessionCounts: [Int: [TermCounts.Term: Int]]) {
        self.whole = whole
        for (session, counts) in sessionCounts { sessionWords.set(counts, in: session) }
    }

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
        if let home = home(of: document), home != Self.inMemory {
            // Segments do not change: what is there of it is passed over from now on.
            isMoved[document] = true
            homes[Int32(document)] = Self.inMemory
            for (term, _) in old.entries {
                lost[term, default: 0] += 1
                newlyLost[term, default: 0] += 1
            }
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

    /// The segment that has what counts of a document; nil if it is in none by its number.
    private func home(of document: Int) -> Int? {
        guard document < isMoved.count else { return nil }
        if isMoved[document] { return homes[Int32(document)] }
        return segments.lastIndex { $0.documents.lowerBound <= document }
    }

    /// Takes a document out of a list that is in no segment.
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

    /// Where a document is among the postings of a term that are in no segment, or would be; by
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
        var count = (postings[term]?.count ?? 0) - (lost[term] ?? 0)
        for segment in segments { count += segment.count(of: term) }
        return count
    }

    /// The postings of a term that do not stand in the segment of their document's number, by document.
    func added(_ term: TermCounts.Term) -> [Posting<UInt8>] {
        let new = postings[term] ?? []
        var list: [Posting<UInt8>] = []
        forEachMoved(term) { list.append($0) }
        guard !list.isEmpty else { return new }
        list += new
        list.sort { $0.document < $1.document }
        return list
    }

    /// Calls `body` with each posting of a term.
    @inline(__always)
    func forEachPosting(of term: TermCounts.Term, _ body: (Posting<UInt8>) -> Void) {
        for segment in segments { forEachOwn(term, in: segment, body) }
        forEachMoved(term, body)
        if let list = postings[term] { for posting in list { body(posting) } }
    }

    /// Calls `body` with each posting of a term that counts, of a segment's own documents.
    @inline(__always)
    private func forEachOwn(
        _ term: TermCounts.Term, in segment: WordSegment, _ body: (Posting<UInt8>) -> Void
    ) {
        let range = segment.own.range(of: term)
        if lost[term] == nil {
            segment.own.forEach(in: range, body)
        } else {
            isMoved.withElements { isMoved in
                segment.own.forEach(in: range) { if !isMoved[Int($0.document)] { body($0) } }
            }
        }
    }

    /// Calls `body` with each posting of a term that counts, of documents that stand in a later segment
    /// than that of their number.
    @inline(__always)
    private func forEachMoved(
        _ term: TermCounts.Term, since first: Int = 0, _ body: (Posting<UInt8>) -> Void
    ) {
        for place in first..<max(first, segments.count) where segments[place].moved.terms.count > 0 {
            let moved = segments[place].moved
            moved.forEach(in: moved.range(of: term)) { if homes[$0.document] == place { body($0) } }
        }
    }

    /// All postings of a term by document.
    private func list(of term: TermCounts.Term) -> [Posting<UInt8>] {
        var list: [Posting<UInt8>] = []
        list.reserveCapacity(documentCount(term))
        for segment in segments { forEachOwn(term, in: segment) { list.append($0) } }
        Self.append(added(term), to: &list)
        return list
    }

    /// Adds postings, of which all are nearly always behind those of a list; it stays in order.
    private static func append(_ added: [Posting<UInt8>], to list: inout [Posting<UInt8>]) {
        guard let first = added.first else { return }
        let isBehind = list.last.map { $0.document < first.document } ?? true
        list += added
        if !isBehind { list.sort { $0.document < $1.document } }
    }

    /// True if a document holds a term.
    private func holds(_ document: Int32, _ term: TermCounts.Term) -> Bool {
        guard let home = home(of: Int(document)), home != Self.inMemory else {
            return holds(document, at: place(of: document, under: term), under: term)
        }
        let table = isMoved[Int(document)] ? segments[home].moved : segments[home].own
        return table.holds(document, in: table.range(of: term))
    }

    /// How much a term tells: ln(1 + (N − n + ½)/(n + ½)).
    public func inverseDocumentFrequency(_ term: TermCounts.Term) -> Float {
        if let whole { return whole.inverseDocumentFrequency(term) }
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
        whole?.meanLengths
            ?? MeanLengths(
                document: max(1, Float(totalLength) / Float(max(1, keptCount))),
                session: max(1, Float(totalLength) / Float(max(1, sessions.sessionCount))))
    }

    // MARK: Files

    /// Takes in what ``write(to:since:sessions:)`` wrote, upon what was read before.
    package mutating func read(from reader: inout TableReader) throws {
        let start = lengths.count
        try reader.change(&lengths)
        let totals: Column<Int> = try reader.column()
        guard totals.count == 2 else {
            throw IndexError(.corrupt, "A table of words is damaged. Delete the file; it is made again.")
        }
        (totalLength, keptCount) = (totals[0], totals[1])
        let segment = try WordSegment(
            from: &reader, documents: start..<lengths.count,
            mean: max(1, Float(totalLength) / Float(max(1, keptCount))))
        isMoved.append([Bool](repeating: false, count: lengths.count - start))
        for document in segment.movedDocuments.array {
            isMoved[Int(document)] = true
            homes[document] = segments.count
        }
        segment.forEachLost { lost[$0, default: 0] += $1 }
        segments.append(segment)
        try sessionWords.read(from: &reader)
    }

    /// Writes what some segments have, and what is in none, as one segment.
    ///
    /// - Parameters:
    ///   - first: the first of these segments; 0 writes all that there is.
    ///   - sessions: of the same documents, which stand in as many segments.
    package func write(
        to writer: inout TableWriter, since first: Int = 0, sessions: SessionLinks
    ) {
        writer.addChanges(of: lengths, since: first)
        writer.add(Column([totalLength, keptCount]))
        let parts = parts(since: first, spillingTo: writer.spillFolder)
        if writer.spillFolder != nil { for segment in segments.dropFirst(first) { segment.own.release() } }
        parts.write(
            to: &writer,
            RangeMaxima.Documents(
                numbers: lengths.start(ofSegment: first)..<lengths.count, lengths: lengths,
                sessions: sessions, mean: meanLengths(sessions).document))
        sessionWords.write(to: &writer, since: first)
    }

    /// What some segments have, and what is in none, in one.
    ///
    /// - Parameter folder: where files lie that it comes into, see ``Column/init(spillingTo:)``.
    private func parts(since first: Int, spillingTo folder: String?) -> WordSegment.Parts {
        let start = lengths.start(ofSegment: first)
        let merged = segments.dropFirst(first)
        var parts = WordSegment.Parts(spillingTo: folder)
        parts.movedDocuments = homes.filter { $0.key < start && $0.value >= first }.map(\.key).sorted()
        var terms = Set(postings.keys)
        if first > 0 { terms.formUnion(newlyLost.keys) }
        for segment in merged {
            terms.formUnion(segment.own.terms.array)
            terms.formUnion(segment.moved.terms.array)
            if first > 0 { segment.forEachLost { term, _ in terms.insert(term) } }
        }
        for term in terms.sorted() {
            var list: [Posting<UInt8>] = []
            for segment in merged { forEachOwn(term, in: segment) { list.append($0) } }
            var added: [Posting<UInt8>] = []
            forEachMoved(term, since: first) { added.append($0) }
            Self.append(postings[term] ?? [], to: &added)
            added.sort { $0.document < $1.document }
            let former = added.prefix { $0.document < start }
            if !former.isEmpty { parts.moved.append(term, former) }
            Self.append(Array(added.dropFirst(former.count)), to: &list)
            if !list.isEmpty { parts.own.append(term, list) }
            guard first > 0 else { continue }
            // Of those that count no more, some are not written; the others are in earlier segments.
            let inMemory = postings[term]?.count ?? 0
            let left = merged.reduce(inMemory) { $0 + $1.count(of: term) } - list.count - former.count
            let lost = merged.reduce(newlyLost[term] ?? 0) { $0 + $1.lostCount(of: term) } - left
            if lost > 0 {
                parts.lostTerms.append(term)
                parts.lostCounts.append(lost)
            }
        }
        return parts
    }
}
