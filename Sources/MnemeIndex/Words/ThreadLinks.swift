/// Which documents stand beside each other: each belongs to one thread, at a place in it.
///
/// A document without a conversation is a thread of its own.
public struct ThreadLinks: Sendable {
    private var before: [Int32] = [], after: [Int32] = [], threads: [Int32] = [],
        places: [Int64] = []
    private var last: [Int32] = []
    private var lengths: [Int] = []
    private var documentLengths: [Int32] = [], windowLengths: [Int32] = []
    /// Neighbours on each side that a window takes in.
    static let window = 2

    /// No threads yet.
    public init() {}

    /// Threads known; numbers run from 0.
    public var threadCount: Int { last.count }

    /// A new thread's number.
    public mutating func addThread() -> Int {
        last.append(-1)
        lengths.append(0)
        return last.count - 1
    }

    /// Adds the next document to `thread` at `place`; later places stand after earlier ones.
    ///
    /// - Complexity: O(1) in order; a walk from the thread's end otherwise.
    public mutating func append(thread: Int, place: Int64, length: Int) {
        let document = Int32(before.count)
        var previous = last[thread]
        while previous >= 0, places[Int(previous)] > place { previous = before[Int(previous)] }
        var next: Int32 = -1
        if previous >= 0 {
            next = after[Int(previous)]
            after[Int(previous)] = document
        } else if let first = firstDocument(of: thread) {
            next = first
        }
        before.append(previous)
        after.append(next)
        threads.append(Int32(thread))
        places.append(place)
        if next >= 0 { before[Int(next)] = document } else { last[thread] = document }
        lengths[thread] += length
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
            forEachNeighbour(of: other, reach: Self.window) { length += documentLengths[$0] }
            windowLengths[other] = length
        }
    }

    private func firstDocument(of thread: Int) -> Int32? {
        guard last[thread] >= 0 else { return nil }
        var document = last[thread]
        while before[Int(document)] >= 0 { document = before[Int(document)] }
        return document
    }

    /// A document's length changed by `difference` terms.
    public mutating func adjust(_ document: Int, by difference: Int) {
        lengths[Int(threads[document])] += difference
        documentLengths[document] += Int32(difference)
        measure(around: document)
    }

    /// The thread of `document`.
    public func thread(of document: Int) -> Int { Int(threads[document]) }

    /// Terms of a document and its neighbours, two on each side.
    @inline(__always)
    func length(ofWindow document: Int) -> Int { Int(windowLengths[document]) }

    /// Terms in a thread.
    public func length(ofThread thread: Int) -> Int { lengths[thread] }

    /// Calls `body` with what stands so many places before and behind `document`; with the document
    /// itself for 0.
    @inline(__always)
    public func forEachNeighbour(of document: Int, at distance: Int, _ body: (Int) -> Void) {
        guard distance > 0 else { return body(document) }
        var former = Int32(document), next = former
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
        var other = before[document], steps = 0
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
}
