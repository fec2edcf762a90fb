public import Foundation
import GRDB
public import MnemeBase
public import MnemeSeal
import NIOConcurrencyHelpers

/// What the cache has for a question.
public struct CacheFinding: Sendable {
    /// How the entry was found.
    public enum Match: String, Sendable {
        /// The very same question in the same context.
        case exact = "hit"
        /// One that asks the same in other words.
        case similar
        /// One that is only shown to a smaller model as an example.
        case example
        /// None.
        case miss
    }
    /// How it was found.
    public let match: Match
    /// The kept answer; nil without one.
    public let entry: CacheEntry?
    /// The similarity of its question, from 0 to 1; 1 of the same one, 0 without an entry.
    public let similarity: Double
    /// The question's vector, for ``AnswerCache/store(_:for:vector:now:)``; nil if none was made.
    public let vector: [Float]?
}

/// Answers of language models, kept by their questions: exact, and similar ones by the vectors of
/// an embedder, a learned similarity and rules for what must not differ.
///
/// Answers are never shared across contexts: whose request it is, model, settings, and the
/// conversation before the last question are hashed into each key. Calls block; any thread may
/// call, one at a time goes on.
///
/// A question is looked for in three steps, each dearer than the one before: the hash of the very
/// same request in the file; the nearest vectors of its context in memory; and of these, the rules
/// for words. Only the second needs the embedder.
///
/// Another process may use the same file at the same time: what it keeps is taken into the index
/// before each search, and what it has erased is not found, as each entry is read from the file.
public final class AnswerCache: Sendable {
    /// The embedder that tells which questions are similar; nil finds the same ones alone.
    public let embedder: (any TextEmbedder)?
    let file: CacheFile
    private let similarity: SimilarityModel
    private let state: NIOLockedValueBox<State>

    private struct State {
        // Only touched under the lock.
        nonisolated(unsafe) var index: CacheIndex?
        /// Uses that are not in the file yet.
        var uses: [Int64: (count: Int, last: Date)] = [:]
        var counts: [String: Int] = [:]
    }

    /// Nearest entries that are looked at. Near misses lie closer than some paraphrases, so that one
    /// is not enough; what asks the same is hardly ever behind the eighth.
    private static let candidates = 8
    /// Bytes of an answer, at most; longer ones are not kept.
    public static let longestAnswer = 1 << 20
    /// Uses after which they are written: a write waits for the disk, some milliseconds.
    private static let pendingUses = 64

    /// Opens the cache's file, or makes it.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - key: encrypts it, as the memory store is.
    ///   - embedder: makes the vectors of questions.
    ///   - similarity: what is made of their cosine.
    /// - Throws: `StoreError`, and `SealError` if the key is missing or another one.
    public init(
        path: String, key: EncryptionKey? = nil, embedder: (any TextEmbedder)? = nil,
        similarity: SimilarityModel = .learned
    ) throws {
        file = try CacheFile(path: path, key: key)
        (self.embedder, self.similarity) = (embedder, similarity)
        state = NIOLockedValueBox(State())
    }

    /// Waits for the disk no longer: for a cache that is measured and thrown away.
    ///
    /// - Throws: `StoreError`.
    package func becomeTemporary() throws { try file.becomeTemporary() }

    /// Writes what is pending and closes the file. No call may follow.
    ///
    /// - Throws: `StoreError`.
    public func close() throws {
        try flush()
        try file.close()
    }

    // MARK: Looking

    /// What the cache has for a question.
    ///
    /// - Parameters:
    ///   - key: what the question is kept under.
    ///   - control: what the client wants of the cache.
    ///   - now: the time; entries that are older than their category's time to live are passed over.
    /// - Throws: `StoreError`, and what the embedder throws.
    public func find(_ key: CacheKey, _ control: CacheDirectives = CacheDirectives(nil), now: Date = Date()) throws
        -> CacheFinding
    {
        let policy = try policies()[key.category]
        guard policy.reuse != .off, control.reads else { return miss(key, nil) }
        let oldest = now.timeIntervalSince1970 - min(policy.timeToLive, control.maximumAge ?? .infinity)
        if let entry = try entry(exact: key, since: oldest) {
            note(key, .exact, entry, now)
            return CacheFinding(match: .exact, entry: entry, similarity: 1, vector: nil)
        }
        guard !key.isExactOnly, policy.reuse != .exact, let embedder else { return miss(key, nil) }
        let vector = try embedder.embed([key.question], as: .document)[0]
        guard let (entry, similarity) = try similar(key, vector, policy, since: oldest) else {
            return miss(key, vector)
        }
        let match = policy.reuse == .example ? CacheFinding.Match.example : .similar
        note(key, match, entry, now)
        return CacheFinding(match: match, entry: entry, similarity: similarity, vector: vector)
    }

    private func miss(_ key: CacheKey, _ vector: [Float]?) -> CacheFinding {
        state.withLockedValue { $0.counts["\(key.category.rawValue) miss", default: 0] += 1 }
        return CacheFinding(match: .miss, entry: nil, similarity: 0, vector: vector)
    }

    /// The entry of the very same question.
    private func entry(exact key: CacheKey, since oldest: Double) throws -> CacheEntry? {
        try file.read { db in
            try Row.fetchOne(
                db, sql: "SELECT \(CacheEntry.columns) FROM answer WHERE exact = ? AND stored >= ?",
                arguments: [key.exact, oldest]
            ).map(CacheEntry.init)
        }
    }

    /// The most similar entry of the same context that may answer the question.
    private func similar(
        _ key: CacheKey, _ vector: [Float], _ policy: CachePolicy, since oldest: Double
    ) throws -> (CacheEntry, Double)? {
        let near = try state.withLockedValue { state in
            try catchUp(&state).nearest(vector, in: key.context, count: Self.candidates)
        }
        var best: (CacheEntry, Double)?
        for (id, cosine) in near {
            // The context is compared again where the answer is: an index may be wrong, the file
            // decides.
            let found = try file.read { db in
                try Row.fetchOne(
                    db,
                    sql: """
                        SELECT \(CacheEntry.columns) FROM answer
                        WHERE id = ? AND context = ? AND category = ? AND stored >= ?
                        """,
                    arguments: [id, key.context, key.category.rawValue, oldest]
                ).map(CacheEntry.init)
            }
            guard let found else { continue }
            let words = QuestionWords(found.question)
            let value = similarity.probability(key.words, words, cosine: cosine)
            guard value >= policy.threshold, value > best?.1 ?? -1 else { continue }
            // An example may differ: the model is asked all the same.
            if policy.reuse == .verbatim, similarity.checksWords,
                QuestionDifference.between(key.words, words) != nil
            {
                continue
            }
            best = (found, value)
        }
        return best
    }

    /// The index with all entries of the file, those of other processes too.
    private func catchUp(_ state: inout State) throws -> CacheIndex {
        guard let embedder else { throw InputError("The cache has no embedder.") }
        let index = try state.index ?? CacheIndex(dimension: embedder.dimension)
        state.index = index
        let (rows, last) = try file.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: "SELECT id, context, vector FROM answer WHERE id > ? AND embedder = ? ORDER BY id",
                arguments: [index.position, embedder.identifier])
            return (
                try rows.map { row in
                    let bytes: Data = try row.decode(forColumn: "vector")
                    return (
                        id: try row.decode(forColumn: "id") as Int64,
                        context: try row.decode(forColumn: "context") as Data,
                        vector: Self.vector(bytes)
                    )
                }, try Int64.fetchOne(db, sql: "SELECT max(id) FROM answer") ?? 0
            )
        }
        try index.add(rows, upTo: last)
        return index
    }

    // MARK: Keeping

    /// Keeps an answer, whole or not at all; it is on disk when this returns. Entries beyond the
    /// category's quota and those that are too old go.
    ///
    /// - Parameters:
    ///   - key: what the question is kept under.
    ///   - answer: the body of a whole answer.
    ///   - vector: the question's, if ``find(_:_:now:)`` has made it.
    ///   - now: the time, from which the answer's age counts.
    /// - Returns: false if the category keeps nothing, or the answer is too long.
    /// - Throws: `StoreError`, and what the embedder throws; nothing is kept then.
    @discardableResult
    public func store(
        _ answer: String, for key: CacheKey, vector: [Float]? = nil, now: Date = Date()
    ) throws -> Bool {
        let policy = try policies()[key.category]
        guard policy.reuse != .off, policy.quota > 0, policy.timeToLive > 0,
            answer.utf8.count <= Self.longestAnswer
        else { return false }
        var vector = vector
        if vector == nil, !key.isExactOnly, let embedder {
            vector = try embedder.embed([key.question], as: .document)[0]
        }
        let bytes = key.isExactOnly ? nil : vector.map(Self.data)
        let time = now.timeIntervalSince1970
        let gone = try file.write { db in
            // A new number, so that indexes of other processes see the change.
            var gone = try Int64.fetchAll(
                db, sql: "DELETE FROM answer WHERE exact = ? RETURNING id", arguments: [key.exact])
            gone += try Int64.fetchAll(
                db, sql: "DELETE FROM answer WHERE category = ? AND stored < ? RETURNING id",
                arguments: [key.category.rawValue, time - policy.timeToLive])
            try db.execute(
                sql: """
                    INSERT INTO answer
                    (exact, context, principal, model, category, question, body, embedder, vector, stored, used)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    key.exact, key.context, key.principal, key.model, key.category.rawValue,
                    key.question, answer, bytes.flatMap { _ in embedder?.identifier }, bytes, time, time,
                ])
            gone += try Int64.fetchAll(
                db,
                sql: """
                    DELETE FROM answer WHERE id IN (
                        SELECT id FROM answer WHERE principal = ? AND category = ?
                        ORDER BY used DESC, id DESC LIMIT -1 OFFSET ?
                    ) RETURNING id
                    """,
                arguments: [key.principal, key.category.rawValue, policy.quota])
            return gone
        }
        try forget(gone)
        return true
    }

    /// Takes entries out of the index.
    func forget(_ ids: [Int64]) throws {
        try state.withLockedValue { state in
            for id in ids { state.uses[id] = nil }
            try state.index?.remove(ids)
        }
    }

    // MARK: Uses

    /// Notes a use; uses are written some at a time, so that no answer waits for the disk.
    private func note(_ key: CacheKey, _ match: CacheFinding.Match, _ entry: CacheEntry, _ now: Date) {
        let isMuch = state.withLockedValue { state in
            state.uses[entry.id] = ((state.uses[entry.id]?.count ?? 0) + 1, now)
            state.counts["\(key.category.rawValue) \(match.rawValue)", default: 0] += 1
            return state.counts.values.reduce(0, +) >= Self.pendingUses
        }
        // What cannot be counted now is counted later.
        if isMuch { try? flush() }
    }

    /// Writes uses and counts that are pending. A process that is killed loses those, never answers.
    ///
    /// - Throws: `StoreError`; what is pending stays so.
    public func flush() throws {
        let (uses, counts) = state.withLockedValue { state in
            defer { (state.uses, state.counts) = ([:], [:]) }
            return (state.uses, state.counts)
        }
        guard !uses.isEmpty || !counts.isEmpty else { return }
        do {
            try file.write { db in
                for (id, use) in uses {
                    try db.execute(
                        sql: "UPDATE answer SET hits = hits + ?, used = max(used, ?) WHERE id = ?",
                        arguments: [use.count, use.last.timeIntervalSince1970, id])
                }
                for (name, count) in counts {
                    let parts = name.split(separator: " ").map(String.init)
                    try db.execute(
                        sql: """
                            INSERT INTO count VALUES (?, ?, ?)
                            ON CONFLICT (category, name) DO UPDATE SET value = value + excluded.value
                            """,
                        arguments: [parts[0], parts[1], count])
                }
            }
        } catch {
            state.withLockedValue { state in
                state.uses.merge(uses) { ($0.count + $1.count, max($0.last, $1.last)) }
                state.counts.merge(counts, uniquingKeysWith: +)
            }
            throw error
        }
    }

    // MARK: Vectors as bytes

    private static func data(_ vector: [Float]) -> Data {
        var data = Data(capacity: vector.count * 4)
        for value in vector { withUnsafeBytes(of: value.bitPattern.littleEndian) { data += $0 } }
        return data
    }

    private static func vector(_ data: Data) -> [Float] {
        let bytes = [UInt8](data)
        return stride(from: 0, to: bytes.count - bytes.count % 4, by: 4).map { place in
            let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
            return Float(bitPattern: bits)
        }
    }
}
