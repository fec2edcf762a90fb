import Foundation
import MnemeStore

extension MemoryOS {
    /// Memories of one page of the store: reading ends with the page that goes beyond the bound.
    private static let wholePage = 200

    /// All memories of some owners, for the route ``ContextRouter/Route/fullContext``: what is in use, is not expired
    /// and may be shown, as recall has it, without summaries that recipes made of others.
    ///
    /// - Parameters:
    ///   - owners: whose memories; each is read with the caller's rights.
    ///   - router: how long a history may be.
    ///   - question: what they are asked for, by which the guard compares them.
    ///   - caller: with whose rights.
    /// - Returns: nil if they are longer than the router lets through; then recall chooses.
    /// - Complexity: O(tokens of the bound), whatever the store holds.
    /// - Throws: `StoreError`, `AccessError`.
    func whole(
        of owners: [Owner], _ router: ContextRouter, question: String, by caller: Caller
    ) async throws -> [RecalledMemory]? {
        // 0 is recall's case alone: nothing is read.
        guard router.fullTokens > 0 else { return nil }
        return try await run { [self] in
            var found: [RecalledMemory] = []
            var tokens = 0
            let now = Date()
            for owner in owners {
                var cubes: [MemCube] = []
                var filter = CubeFilter(owner: owner, limit: Self.wholePage)
                while true {
                    let page = try store.list(filter, by: caller)
                    let shown = page.filter {
                        $0.state.isRecallable && $0.isPlaintext && $0.expires ?? .distantFuture > now
                            && $0.provenance.source != Provenance.recipe
                    }
                    cubes += shown
                    tokens += shown.reduce(0) { $0 + tokenCount($1) }
                    guard router.route(historyTokens: tokens) == .fullContext else { return nil }
                    guard page.count == filter.limit, let last = page.last else { break }
                    filter.after = last.id
                }
                let items = cubes.map {
                    RecalledMemory(memory: $0, score: 0, explanation: [:], matched: [], duplicates: [])
                }
                let policy = try store.policy(of: owner.tenant)
                // The store's list has noted for the audit log that these were read.
                found += screened(items, policy, question: question).passed
            }
            return found
        }
    }
}
