/// How often each session holds each term: postings of sessions, those of the file and what has
/// changed since.
///
/// Only sessions that may come to hold several documents are here; a document by itself is its own
/// session.
struct SessionWords: Sendable {
    /// Postings of the file; none in a new index.
    private var filed = PostingTable<Int32>()
    /// By term: what its count has changed by since in some sessions, in rising order of these.
    private var changes: [TermCounts.Term: [Posting<Int32>]] = [:]

    /// No words.
    init() {}

    /// Adds a document's terms to a session's.
    mutating func add(_ terms: TermCounts, to session: Int) {
        for (term, count) in terms.entries { change(term, in: session, by: Int32(count)) }
    }

    /// Takes a document's terms out of a session's.
    mutating func remove(_ terms: TermCounts, from session: Int) {
        for (term, count) in terms.entries { change(term, in: session, by: -Int32(count)) }
    }

    /// - Complexity: O(log n) for a session that is there or the last, else linear in the term's
    ///   changes.
    private mutating func change(_ term: TermCounts.Term, in session: Int, by difference: Int32) {
        let session = Int32(session)
        let place = changes[term].map { $0.lowerBound(of: session) } ?? 0
        if let list = changes[term], place < list.count, list[place].document == session {
            changes[term]![place].count += difference
        } else {
            changes[term, default: []].insert(
                Posting(document: session, count: difference), at: place)
        }
    }

    /// The list of one term, found once for many sessions.
    struct List {
        fileprivate let filed: PostingTable<Int32>, range: Range<Int>
        fileprivate let changes: [Posting<Int32>]

        /// How often a session holds the term.
        ///
        /// - Complexity: two searches by halving.
        func count(in session: Int) -> Int {
            let place = changes.lowerBound(of: Int32(session))
            let isChanged = place < changes.count && changes[place].document == session
            return Int(filed.count(of: Int32(session), in: range))
                + (isChanged ? Int(changes[place].count) : 0)
        }
    }

    /// The list of a term; empty if no session holds it.
    func list(of term: TermCounts.Term) -> List {
        List(filed: filed, range: filed.range(of: term), changes: changes[term] ?? [])
    }

    // MARK: Files

    /// Reads what ``write(to:)`` wrote.
    init(from reader: inout TableReader) throws { filed = try PostingTable(from: &reader) }

    /// Writes what sessions hold now.
    func write(to writer: inout TableWriter) {
        guard !changes.isEmpty else { return filed.write(to: &writer) }
        var all = PostingTable<Int32>()
        for term in Set(filed.terms.array).union(changes.keys).sorted() {
            let list = merged(filed.range(of: term), changes[term] ?? [])
            if !list.isEmpty { all.append(term, list) }
        }
        all.write(to: &writer)
    }

    /// A list of the file with its changes; sessions that hold the term no more are left out.
    private func merged(_ range: Range<Int>, _ changes: [Posting<Int32>]) -> [Posting<Int32>] {
        var list: [Posting<Int32>] = []
        list.reserveCapacity(range.count + changes.count)
        var next = 0
        func take(_ posting: Posting<Int32>) { if posting.count > 0 { list.append(posting) } }
        filed.forEach(in: range) { posting in
            while next < changes.count, changes[next].document < posting.document {
                take(changes[next])
                next += 1
            }
            var posting = posting
            if next < changes.count, changes[next].document == posting.document {
                posting.count += changes[next].count
                next += 1
            }
            take(posting)
        }
        for posting in changes[next...] { take(posting) }
        return list
    }
}

extension Array {
    /// Where a document is among postings in rising order from a place on, or would be; by halving.
    func lowerBound<Count>(of document: Int32, from start: Int = 0) -> Int where Element == Posting<Count> {
        var low = start
        var high = count
        // What comes is new, nearly always.
        if let last, last.document < document { return high }
        while low < high {
            let middle = (low + high) / 2
            if self[middle].document < document { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
