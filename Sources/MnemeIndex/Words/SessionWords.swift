/// How often each session holds each term: postings of sessions, those of files and what has
/// changed since.
///
/// Only sessions that may come to hold several documents are here; a document by itself is its own
/// session.
struct SessionWords: Sendable {
    /// Postings of files, in the order in which they were written: of the first, counts; of the others,
    /// by what counts differ from those before.
    private var segments: [PostingTable<Int32>] = []
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

    /// Sets how often a session holds some terms.
    mutating func set(_ counts: [TermCounts.Term: Int], in session: Int) {
        for (term, count) in counts {
            change(term, in: session, by: Int32(count - list(of: term).count(in: session)))
        }
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
        fileprivate var filed: [(table: PostingTable<Int32>, range: Range<Int>)] = []
        fileprivate let changes: [Posting<Int32>]

        /// How often a session holds the term.
        ///
        /// - Complexity: a search by halving in each file.
        func count(in session: Int) -> Int {
            let place = changes.lowerBound(of: Int32(session))
            let isChanged = place < changes.count && changes[place].document == session
            var count = isChanged ? Int(changes[place].count) : 0
            for (table, range) in filed { count += Int(table.count(of: Int32(session), in: range)) }
            return count
        }
    }

    /// The list of a term; empty if no session holds it.
    func list(of term: TermCounts.Term) -> List {
        var list = List(changes: changes[term] ?? [])
        for table in segments {
            let range = table.range(of: term)
            if !range.isEmpty { list.filed.append((table, range)) }
        }
        return list
    }

    // MARK: Files

    /// Takes in what ``write(to:since:)`` wrote, upon what was read before.
    mutating func read(from reader: inout TableReader) throws {
        segments.append(try PostingTable(from: &reader))
    }

    /// Writes by what counts differ from those before a segment; all that there are for 0.
    func write(to writer: inout TableWriter, since segment: Int) {
        let former = segments.dropFirst(segment)
        if former.count == 1, changes.isEmpty { return former.first!.write(to: &writer) }
        var all = PostingTable<Int32>(spillingTo: writer.spillFolder)
        let terms = former.reduce(into: Set(changes.keys)) { $0.formUnion($1.terms.array) }
        for term in terms.sorted() {
            var list = changes[term] ?? []
            for table in former.reversed() {
                let range = table.range(of: term)
                if !range.isEmpty { list = Self.merged(table, range, list) }
            }
            // Sessions that hold the term no more, or as often as before, are left out.
            list.removeAll { segment == 0 ? $0.count <= 0 : $0.count == 0 }
            if !list.isEmpty { all.append(term, list) }
        }
        if writer.spillFolder != nil { for table in former { table.release() } }
        all.write(to: &writer)
    }

    /// A list of a table with changes of its counts.
    private static func merged(
        _ filed: PostingTable<Int32>, _ range: Range<Int>, _ changes: [Posting<Int32>]
    ) -> [Posting<Int32>] {
        var list: [Posting<Int32>] = []
        list.reserveCapacity(range.count + changes.count)
        var next = 0
        filed.forEach(in: range) { posting in
            while next < changes.count, changes[next].document < posting.document {
                list.append(changes[next])
                next += 1
            }
            var posting = posting
            if next < changes.count, changes[next].document == posting.document {
                posting.count += changes[next].count
                next += 1
            }
            list.append(posting)
        }
        list += changes[next...]
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
