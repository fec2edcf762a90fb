import Foundation
import Logging
import MnemeStore
import NIOConcurrencyHelpers
import Synchronization

/// Owners whose index is not in memory, and how their questions are answered: from the database, where
/// that can find candidates, until they are asked often enough for their index to be loaded.
struct ColdOwners {
    /// Up to so many memories an index is loaded at the first question: that takes a moment.
    var memories = 5_000
    /// The question with which an index begins to be loaded, in the background.
    var questions = 3
    /// Questions that were answered from the database, by index.
    fileprivate var asked: [MemoryOS.IndexKey: Int] = [:]
    /// Owners whose questions are counted at most; then counting begins anew.
    private static let limit = 10_000

    /// Counts a question.
    ///
    /// - Returns: true if the index is to be loaded now.
    fileprivate mutating func count(_ key: MemoryOS.IndexKey) -> Bool {
        if asked.count >= Self.limit { asked = [:] }
        asked[key, default: 0] += 1
        return asked[key] == questions
    }
}

extension MemoryOS {
    /// Candidates that the store finds for a question whose owner is cold: no index of the owner is in
    /// memory or in a file here, and loading one would take longer than a pass in the store.
    ///
    /// - Returns: nil if the question is answered from an index.
    func coldCandidates(
        for request: RecallRequest, _ vector: QueryVectors?, _ key: IndexKey
    ) throws -> CandidateSearch.Found? {
        guard let candidates = store as? any CandidateStore, request.mode == .fused, formerEmbedder == nil,
            !isCached(key), !hasIndexFiles(key)
        else { return nil }
        let least = cold.withLockedValue { $0.memories }
        guard least < .max, try store.count(owner: key.owner, limit: least + 1) > least else { return nil }
        let search = CandidateSearch(
            store: candidates, request: request, visibility: key.visibility,
            embedder: embedder.map { ($0.identifier, $0.dimension) }, analyzer: analyzer)
        guard let found = try search.run(vector?.present) else { return nil }
        if cold.withLockedValue({ $0.count(key) }) { warm(key) }
        return found
    }

    /// Sets from which size on owners are answered from the database, and with which question their
    /// index begins to be loaded; for tests and measurements.
    package func setCold(above memories: Int, until questions: Int) {
        cold.withLockedValue { ($0.memories, $0.questions) = (memories, questions) }
    }

    /// Loads an index in the background, and writes its files; questions are answered from the database
    /// meanwhile.
    ///
    /// Of several processes with one folder the first does that. The others find it at work, leave it
    /// alone, and read its files when they are asked next.
    private func warm(_ key: IndexKey) {
        indexing.async { [self] in
            defer { cold.withLockedValue { $0.asked[key] = nil } }
            guard !closed.load(ordering: .sequentiallyConsistent), !isCached(key) else { return }
            do {
                try writeIndexFiles(of: key.owner) {
                    let index = try makeIndex(key)
                    try caughtUp(key, index) { _ in }
                    keep(index, key)
                    build(key, index)
                }
            } catch {
                // The next questions count anew.
                logger.warning("an index was not loaded", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Prepares vectors in the store to be compared there that are not yet.
    func prepareVectors() throws {
        guard let candidates = store as? any CandidateStore else { return }
        while !closed.load(ordering: .sequentiallyConsistent),
            try candidates.prepareVectors(limit: Self.preparedAtOnce) > 0
        {}
    }

    /// Vectors that are prepared in one transaction.
    private static let preparedAtOnce = 512
}
