import Foundation
public import MnemeIndex
import MnemeNumerics
import NIOConcurrencyHelpers

/// A small memory of what was just found, in front of an index: who talks about one thing asks
/// about it again (the semantic lookaside buffer of Aeon, 2026).
///
/// Aeon answers from its buffer when a query is near enough to an earlier one. Here an answer needs
/// a reason: whatever an earlier search did not return lies further from its query than the last
/// that it did, by a known angle; if the new query is turned from the old one by less than that
/// leaves over, nothing outside can be among the nearest, and the answer is what the index would
/// say. `slack` gives some of that certainty up for more hits. Vectors that are new since are in
/// the buffer.
public final class LookasideBuffer: VectorIndex, @unchecked Sendable {
    // Sendable: `state` is behind its lock.
    /// Knows all vectors; the buffer only some.
    private let index: any VectorIndex
    private let capacity: Int, slack: Float
    /// An earlier search that vouches for what is around it.
    private struct Question {
        var vector: [Float]
        /// The angle beyond which the search looked no further, in radians.
        var reach: Float
    }
    /// Vectors and questions, and what they are true of.
    private struct State {
        var vectors: [Int: (vector: [Float], used: UInt64)] = [:]
        var questions: [Question] = []
        var clock: UInt64 = 0
        /// Changes made, and changes under way: what a search finds meanwhile is neither kept nor
        /// answered from here.
        var changes: UInt64 = 0
        var underway = 0
        var hits = 0, misses = 0
    }
    private let state = NIOLockedValueBox(State())

    /// Earlier questions that are remembered.
    private static let questionLimit = 32
    /// How many more than asked for the index is asked, so that an answer reaches further.
    private static let depth = 8

    /// - Parameters:
    ///   - index: what is asked when the buffer does not know.
    ///   - capacity: vectors kept.
    ///   - slack: radians by which the certain angle may be exceeded; 0 answers as the index would.
    public init(_ index: any VectorIndex, capacity: Int = 1024, slack: Float = 0) {
        self.index = index
        self.capacity = max(1, capacity)
        self.slack = slack
    }

    /// That of the index.
    public var dimension: Int { index.dimension }
    /// That of the index: it knows all vectors.
    public var count: Int { index.count }
    /// That of the index.
    public var position: Int64 { index.position }
    /// The index and the buffer.
    public var footprint: IndexFootprint {
        let own = state.withLockedValue {
            ($0.vectors.count + $0.questions.count) * (dimension * 4 + 64)
        }
        return IndexFootprint(memory: index.footprint.memory + own, disk: index.footprint.disk)
    }
    /// Searches answered from the buffer, and by the index.
    public var searches: (hits: Int, misses: Int) { state.withLockedValue { ($0.hits, $0.misses) } }

    /// Changes the index, then the buffer, so that new vectors are found here at once.
    public func apply(_ changes: VectorChanges) throws {
        let inserted = try Vector.checked(changes, dimension: dimension)
        state.withLockedValue { state in
            state.changes += 1
            state.underway += 1
        }
        defer { state.withLockedValue { $0.underway -= 1 } }
        try index.apply(changes)
        state.withLockedValue { state in
            for key in changes.deleted { state.vectors[key] = nil }
            state.clock += 1
            for (key, vector) in inserted { state.vectors[key] = (vector, state.clock) }
            trim(&state)
        }
    }

    /// Drops the vectors that were used the longest ago, if there are too many. They may be among
    /// the nearest of a later query: then no earlier search vouches for the buffer any more.
    private func trim(_ state: inout State) {
        guard state.vectors.count > capacity else { return }
        let oldest = state.vectors.sorted { $0.value.used < $1.value.used }.prefix(
            state.vectors.count - capacity * 3 / 4)
        for (key, _) in oldest { state.vectors[key] = nil }
        state.questions = []
    }

    /// From the buffer where an earlier search vouches for the answer, else from the index.
    /// Filtered and large searches go to the index.
    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        guard options.filter == nil, options.count > 0, options.count * Self.depth <= capacity / 2
        else {
            return try index.search(query, options)
        }
        let query = try Vector.normalized(query, dimension: dimension, what: "The query")
        let (known, changes) = state.withLockedValue {
            ($0.underway > 0 ? nil : answer(query, options.count, &$0), $0.changes)
        }
        if let known { return known }
        var deeper = options
        deeper.count *= Self.depth
        let found = try index.search(query, deeper)
        let vectors = found.map { (key: $0.key, vector: index.vector($0.key)) }
        state.withLockedValue { state in
            state.misses += 1
            guard state.changes == changes, state.underway == 0 else { return }
            state.clock += 1
            for case (let key, let vector?) in vectors {
                state.vectors[key] = (vector, state.clock)
            }
            trim(&state)
            // All there is was found: nothing is outside.
            let reach = found.count >= index.count ? Float.pi : Self.angle(found.last?.score ?? 1)
            if state.questions.count >= Self.questionLimit { state.questions.removeFirst() }
            state.questions.append(Question(vector: query, reach: reach))
        }
        return Array(found.prefix(options.count))
    }

    /// The answer from the buffer, if no vector outside of it can be among the nearest; nil
    /// otherwise.
    ///
    /// - Complexity: O(vectors kept): all of them are compared.
    private func answer(_ query: [Float], _ count: Int, _ state: inout State) -> [VectorMatch]? {
        // How far from this query everything nearby is known.
        let known =
            state.questions.map {
                $0.reach - Self.angle(dotProduct($0.vector, query, count: dimension))
            }.max() ?? 0
        guard known + slack > 0 else { return nil }
        var best = state.vectors.map {
            VectorMatch(key: $0.key, score: dotProduct($0.value.vector, query, count: dimension))
        }
        best.sort(by: VectorMatch.isBefore)
        best = Array(best.prefix(count))
        guard best.count == count, let last = best.last, Self.angle(last.score) <= known + slack
        else { return nil }
        state.hits += 1
        state.clock += 1
        for match in best { state.vectors[match.key]!.used = state.clock }
        return best
    }

    /// In radians. Angles obey the triangle inequality, which similarities do not.
    private static func angle(_ cosine: Float) -> Float { acos(max(-1, min(1, cosine))) }

    /// From the index.
    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        index.add(key, to: sum)
    }

    /// Saves the index; the buffer is of this process.
    public func save(to path: String, name: (Int) -> Int) throws {
        try index.save(to: path, name: name)
    }
}
