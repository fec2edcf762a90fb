import Foundation
import Mneme
import MnemeBase
import MnemePipeline
import MnemeStore

/// What a stream is played with: a recipe's memory in a store of its own, or none. Counts what it returns.
struct StreamMemory {
    private let bench: BenchMemory?
    /// Tokens of all texts that were returned, and how often it was asked.
    private(set) var tokens = 0, recalls = 0

    /// The time of the first thing in a stream.
    static let start = Date(timeIntervalSince1970: 1_700_000_000)

    /// - Parameters:
    ///   - recipe: nil keeps nothing.
    ///   - embedder: nil recalls by words alone.
    /// - Throws: `StoreError`.
    init(_ recipe: Recipe?, embedder: (any TextEmbedder)?) throws {
        bench = try recipe.map { try BenchMemory(recipe: $0, embedder: embedder) }
    }

    /// What is recalled, the best first; nothing without memory.
    ///
    /// - Throws: `StoreError`, `ModelError`.
    mutating func recall(_ text: String, of user: String, limit: Int, at time: Date) async throws -> [RecalledMemory] {
        recalls += 1
        guard let bench else { return [] }
        var request = RecallRequest(text, owner: Owner(user: user), limit: limit)
        request.now = time
        let result = try await bench.memory.recall(request)
        tokens += result.tokens
        return result.memories
    }

    /// Keeps what happened at a time.
    ///
    /// - Throws: `StoreError`, `ModelError`.
    func record(_ inputs: [MemoryInput], of user: String, at time: Date) async throws {
        guard let bench, !inputs.isEmpty else { return }
        var caller = Caller.local
        caller.time = time
        _ = try await bench.memory.record(inputs, scope: Scope(user: user), by: caller)
        try await bench.memory.embedPending()
    }

    /// Has the recipe look after the memories.
    ///
    /// - Throws: `StoreError`.
    func rest(of users: [String], at time: Date) async throws {
        guard let bench else { return }
        for user in users { _ = try await bench.maintain(owner: Owner(user: user), now: time) }
    }

    /// Memories in use.
    ///
    /// - Throws: `StoreError`.
    func count(of users: [String]) throws -> Int {
        try bench.map { bench in try users.reduce(0) { $0 + (try bench.inUse(of: Owner(user: $1))) } } ?? 0
    }

    /// Takes the store away.
    func close() async { await bench?.close() }
}
