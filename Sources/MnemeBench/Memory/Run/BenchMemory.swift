public import Foundation
public import Mneme
public import MnemeBase
public import MnemePipeline
import MnemeStore

/// Memories of one run in a store of their own, which goes with it: fed with histories, and asked.
public final class BenchMemory: Sendable {
    /// The memories.
    public let memory: MemoryOS
    private let store: SQLiteMemoryStore
    private let folder: String

    /// A store in a temporary folder.
    ///
    /// - Throws: `StoreError`.
    public init(recipe: Recipe, embedder: (any TextEmbedder)?, oracle: (any Oracle)? = nil) throws {
        folder = NSTemporaryDirectory() + "mneme-bench-\(UUID().uuidString)"
        store = try SQLiteMemoryStore(path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion)
        memory = MemoryOS(store: store, embedder: embedder, recipe: recipe)
        if let oracle { memory.attach(oracle: oracle) }
    }

    /// Closes the store and takes its files away.
    public func close() async {
        await memory.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Bytes of the store's files.
    public var bytes: Int {
        store.files.reduce(0) { sum, file in
            sum + ((try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0)
        }
    }

    /// Stores turns, a call for each run of a session at the time when it was held, and embeds them.
    ///
    /// - Returns: the milliseconds that it took, embedding included.
    /// - Throws: `InputError` for a text that no memory takes, `StoreError`, `ModelError`.
    @discardableResult
    public func feed(_ turns: [BenchTurn], owner: Owner) async throws -> Double {
        let start = ContinuousClock.now
        // Where a file has no times, turns are a minute apart, so that their order is kept.
        let begin = Date(timeIntervalSince1970: 1_700_000_000)
        var first = 0
        while first < turns.count {
            let session = turns[first].session
            let part = turns[first...].prefix { $0.session == session }.prefix(500)
            let inputs = part.enumerated().map { i, turn in
                var input = MemoryInput(
                    turn.text.contains { !$0.isWhitespace } ? turn.text : "…", speaker: turn.speaker,
                    eventTime: turn.time ?? begin.addingTimeInterval(Double(first + i) * 60),
                    session: turn.session)
                input.reference = turn.id
                return input
            }
            var caller = Caller.local
            caller.time = inputs.last?.eventTime ?? begin
            _ = try await memory.record(
                inputs, scope: Scope(tenant: owner.tenant, user: owner.user), by: caller)
            first += part.count
        }
        try await memory.embedPending()
        return (ContinuousClock.now - start) / .milliseconds(1)
    }

    /// Has the recipe look after an owner's memories once, if it does.
    ///
    /// - Returns: the milliseconds that it took.
    /// - Throws: `StoreError`, and what a model throws.
    public func maintain(owner: Owner, now: Date) async throws -> Double {
        guard memory.recipe.maintainer != nil else { return 0 }
        let start = ContinuousClock.now
        _ = try await memory.maintain(owner, isDry: false, now: now)
        try await memory.embedPending()
        return (ContinuousClock.now - start) / .milliseconds(1)
    }

    /// Memories of an owner that recall may show; at most a million are counted.
    ///
    /// - Throws: `StoreError`.
    func inUse(of owner: Owner) throws -> Int {
        var filter = CubeFilter(owner: owner, limit: 1_000_000)
        filter.state = .activated
        return try store.list(filter, by: .local).count
    }

    /// All memories of an owner, the oldest first.
    ///
    /// - Throws: `StoreError`.
    func all(of owner: Owner) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: 1000)
        var found: [MemCube] = []
        while true {
            let page = try store.list(filter, by: .local)
            found += page.filter { $0.provenance.source != Provenance.recipe }
            guard page.count == filter.limit, let last = page.last else { return found }
            filter.after = last.id
        }
    }
}
