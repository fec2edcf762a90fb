/// Which documents stand beside each other: each belongs to one session, at a place in it.
///
/// A document without a conversation is a session of its own.
public struct SessionLinks: Sendable {
    /// By document: the ones beside it in its session (−1 at the ends), its session, its place there.
    private var before = Column<Int32>(), after = Column<Int32>(), sessions = Column<Int32>(),
        places = Column<Int64>()
    /// By session: its last document, −1 while there is none.
    private var last = Column<Int32>()
    /// By session: the terms of all its documents.
    private var lengths = Column<Int>()
    /// By document: its terms, and those of its window. Windows overlap: a document counts in those
    /// of all within ``window`` of it.
    private var documentLengths = Column<Int32>(), windowLengths = Column<Int32>()
    /// Documents of the files that this was read from, and the windows with documents of several of
    /// them, or not as they were there: of them no file knows the highest scores.
    private var filedCount = 0
    private(set) var changedWindows: Set<Int32> = []
    /// Such windows that each file knows of, and those that none does.
    private var segments: [Column<Int32>] = [], newWindows: Set<Int32> = []
    /// Neighbours on each side that a window takes in.
    static let window = 2

    /// No sessions yet.
    public init() {}

    /// Sessions known; numbers run from 0.
    public var sessionCount: Int { last.count }

    /// A new session's number.
    public mutating func addSession() -> Int {
        last.append(-1)
        lengths.append(0)
        return last.count - 1
    }

    /// Adds the next document to `session` at `place`; later places stand after earlier ones.
    ///
    /// - Complexity: O(1) in order; a walk from the session's end otherwise.
    public mutating func append(session: Int, place: Int64, length: Int) {
        let document = Int32(before.count)
        var previous = last[session]
        while previous >= 0, places[Int(previous)] > place { previous = before[Int(previous)] }
        var next: Int32 = -1
        if previous >= 0 {
            next = after[Int(previous)]
            after[Int(previous)] = document
        } else if let first = firstDocument(of: session) {
            next = first
        }
        before.append(previous)
        after.append(next)
        sessions.append(Int32(session))
        places.append(place)
        if next >= 0 { before[Int(next)] = document } else { last[session] = document }
        lengths[session] += length
        documentLengths.append(Int32(length))
        windowLengths.append(0)
        measure(around: Int(document))
    }

    /// Adds up the lengths in the windows that hold a document.
    private mutating func measure(around document: Int) {
        var touched: [Int] = []
        // One further: a document that is put between two pushes others out of their windows.
        forEachNeighbour(of: document, reach: Self.window + 1) { touched.append($0) }
        for other in touched {
            var length: Int32 = 0
            var isFiled = false
            forEachNeighbour(of: other, reach: Self.window) {
                length += documentLengths[$0]
                if $0 < filedCount { isFiled = true }
            }
            windowLengths[other] = length
            if isFiled {
                changedWindows.insert(Int32(other))
                newWindows.insert(Int32(other))
            }
        }
    }

    /// The document that stands at the session's beginning.
    private func firstDocument(of session: Int) -> Int32? {
        guard last[session] >= 0 else { return nil }
        var document = last[session]
        while before[Int(document)] >= 0 { document = before[Int(document)] }
        return document
    }

    /// A document's length changed by `difference` terms.
    public mutating func adjust(_ document: Int, by difference: Int) {
        lengths[Int(sessions[document])] += difference
        documentLengths[document] += Int32(difference)
        measure(around: document)
    }

    /// Sets the terms of a session of which not all documents are here.
    public mutating func setLength(ofSession session: Int, _ length: Int) { lengths[session] = length }

    /// The session of `document`.
    public func session(of document: Int) -> Int { Int(sessions[document]) }

    /// True if a document is alone in its session.
    func isAlone(_ document: Int) -> Bool { before[document] < 0 && after[document] < 0 }

    /// Terms of a document and its neighbours, two on each side.
    @inline(__always)
    func length(ofWindow document: Int) -> Int { Int(windowLengths[document]) }

    /// The documents of a session, the last first.
    public func documents(ofSession session: Int) -> [Int] {
        var documents: [Int] = []
        var document = last[session]
        while document >= 0 {
            documents.append(Int(document))
            document = before[Int(document)]
        }
        return documents
    }

    /// Terms in a session.
    public func length(ofSession session: Int) -> Int { lengths[session] }

    /// Calls `body` with what stands so many places before and behind `document`; with the document
    /// itself for 0.
    @inline(__always)
    public func forEachNeighbour(of document: Int, at distance: Int, _ body: (Int) -> Void) {
        guard distance > 0 else { return body(document) }
        var former = Int32(document)
        var next = former
        for _ in 0..<distance {
            if former >= 0 { former = before[Int(former)] }
            if next >= 0 { next = after[Int(next)] }
        }
        if former >= 0 { body(Int(former)) }
        if next >= 0 { body(Int(next)) }
    }

    /// Calls `body` with `document` and up to `reach` neighbours on each side.
    @inline(__always)
    public func forEachNeighbour(of document: Int, reach: Int, _ body: (Int) -> Void) {
        body(document)
        var other = before[document]
        var steps = 0
        while other >= 0, steps < reach {
            body(Int(other))
            other = before[Int(other)]
            steps += 1
        }
        other = after[document]
        steps = 0
        while other >= 0, steps < reach {
            body(Int(other))
            other = after[Int(other)]
            steps += 1
        }
    }

    // MARK: Files

    /// Where the documents of a segment begin.
    func start(ofSegment segment: Int) -> Int { before.start(ofSegment: segment) }

    /// Takes in what ``write(to:since:)`` wrote, upon what was read before.
    package mutating func read(from reader: inout TableReader) throws {
        try reader.change(&before)
        try reader.change(&after)
        try reader.change(&sessions)
        try reader.change(&places)
        try reader.change(&last)
        try reader.change(&lengths)
        try reader.change(&documentLengths)
        try reader.change(&windowLengths)
        segments.append(try reader.column())
        filedCount = before.count
        changedWindows.formUnion(segments[segments.count - 1].array)
        newWindows = []
        guard last.count == lengths.count,
            [after.count, sessions.count, places.count, documentLengths.count, windowLengths.count]
                .allSatisfy({ $0 == before.count })
        else {
            throw IndexError(
                .corrupt, "A table of sessions is damaged. Delete the file; it is made again.")
        }
    }

    /// Writes what a segment and those behind it have, and what is in none; all for 0.
    package func write(to writer: inout TableWriter, since segment: Int = 0) {
        writer.addChanges(of: before, since: segment)
        writer.addChanges(of: after, since: segment)
        writer.addChanges(of: sessions, since: segment)
        writer.addChanges(of: places, since: segment)
        writer.addChanges(of: last, since: segment)
        writer.addChanges(of: lengths, since: segment)
        writer.addChanges(of: documentLengths, since: segment)
        writer.addChanges(of: windowLengths, since: segment)
        let start = start(ofSegment: segment)
        // Windows whose documents are all in the new file are measured there.
        let windows = segments.dropFirst(segment).reduce(into: newWindows) { $0.formUnion($1.array) }
            .filter { window in
                var isFormer = false
                forEachNeighbour(of: Int(window), reach: Self.window) { if $0 < start { isFormer = true } }
                return isFormer
            }
        writer.add(Column(windows.sorted()))
    }
}
