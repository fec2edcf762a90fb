import Foundation
package import MnemeCube
import MnemeIndex

/// Puts together what says the same, as a sleeping mind would (sleep-time compute, Lin et al. 2025;
/// LightMem, Fang et al. 2025 [63]; without a model): facts, preferences, ways of doing things and
/// who somebody is, word for word alike but for case, punctuation and words that add nothing. What
/// happened is left alone: it may have happened twice.
///
/// A pure value: memories go in one by one, mergers come out, and the store is not touched. Texts
/// are equal or not; nothing is guessed.
///
/// - Complexity: O(n) in the words of all memories, which are held as keys.
package struct Consolidation {
    /// Filler words, without which a statement says the same. "Not", numbers and names are none of
    /// them.
    private static let fillers: Set<String> = [
        "a", "actually", "ah", "an", "and", "anyway", "basically", "btw", "by", "hey", "honestly",
        "just", "oh", "ok",
        "okay", "please", "quite", "really",
        "right",
        "simply", "so", "that", "the", "too", "very", "way", "well", "yeah", "yes",
    ]

    /// One memory in place of others.
    ///
    /// All merged ones have the type, speaker, agent and label of the one that stays.
    package struct Merger: Equatable {
        /// The memory that stays: the latest.
        package var kept: CubeID
        /// The memories whose place it takes.
        package var merged: [CubeID]
    }

    /// The properties that memories share when they are merged; two of different speakers or labels
    /// never are.
    private struct Key: Hashable {
        /// Words without fillers, in order.
        var words: [String]
        var type: MemoryType, speaker: String?, agent: String?, sensitivity: Sensitivity
    }
    /// Memories that say the same.
    private var groups: [Key: [MemCube]] = [:]

    /// Nothing to put together yet.
    package init() {}

    /// Considers a memory. Episodic, superseded, expiring and suspicious ones are passed over, and
    /// those that are not in recall.
    package mutating func add(_ cube: MemCube) {
        guard cube.type != .episodic, cube.state == .activated, cube.isPlaintext,
            cube.validUntil == nil,
            cube.expires == nil, cube.caution == nil
        else {
            return
        }
        let words = TextAnalyzer.words(cube.text).map { $0.lowercased() }.filter {
            !Self.fillers.contains($0)
        }
        guard !words.isEmpty else { return }
        let key = Key(
            words: words, type: cube.type, speaker: cube.speaker?.lowercased(),
            agent: cube.scope.agent,
            sensitivity: cube.sensitivity)
        groups[key, default: []].append(cube)
    }

    /// The mergers among the memories seen, in the order of what stays: of each group the latest by
    /// event time.
    ///
    /// A memory with tags, metadata or a priority that the latest lacks stays by itself: somebody
    /// gave them for a reason.
    package func mergers() -> [Merger] {
        groups.values.compactMap { cubes in
            guard cubes.count > 1,
                let kept = cubes.max(by: { ($0.eventTime, $0.id) < ($1.eventTime, $1.id) })
            else {
                return nil
            }
            // Whatever somebody gave a memory besides its text stays in use.
            let merged = cubes.filter { cube in
                cube.id != kept.id && cube.priority <= kept.priority
                    && Set(cube.tags).isSubset(of: kept.tags)
                    && cube.metadata.allSatisfy { kept.metadata[$0.key] == $0.value }
            }
            return merged.isEmpty ? nil : Merger(kept: kept.id, merged: merged.map(\.id).sorted())
        }.sorted { $0.kept < $1.kept }
    }
}

extension MemoryOS {
    /// Puts an owner's memories together that say the same. The others stay in the store, linked,
    /// and `restore` takes each back.
    ///
    /// Each merger is one transaction: a link `consolidates`, the merge, and a confirmation of what
    /// stays, which slows its forgetting.
    ///
    /// - Parameters:
    ///   - isDry: counts only.
    ///   - now: the time of the changes in the journal.
    /// - Returns: what was done, in words.
    /// - Throws: `StoreError`, `CancellationError` between two mergers.
    func consolidate(_ owner: Owner, isDry: Bool, now: Date) async throws -> String {
        var filter = CubeFilter(owner: owner, limit: 1_024)
        var consolidation = Consolidation()
        filter.state = .activated
        var pages = CubePages(filter, by: .mneme)
        while let page = try await pages.next(from: self) {
            for cube in page { consolidation.add(cube) }
        }
        let mergers = consolidation.mergers()
        let caller = Caller(
            Caller.mneme.principal, operation: "consolidate", reason: "says the same", time: now
        )
        var count = 0
        for merger in mergers {
            try Task.checkCancellation()
            if !isDry {
                let mutations = merger.merged.flatMap { id -> [Mutation] in
                    [
                        .link(
                            CubeLink(
                                source: merger.kept, target: id, kind: CubeLink.consolidates,
                                time: now)),
                        .merge(id, into: merger.kept),
                        .confirm(merger.kept),
                    ]
                }
                // All of it or nothing; what somebody changed at this moment is seen the next time.
                do {
                    _ = try await run { [store] in
                        try store.commit(mutations, owner: owner, by: caller)
                    }
                } catch let
                    error as StoreError
                    where error.code == .notFound || error.code == .conflict
                { continue }
            }
            count += merger.merged.count
        }
        return count == 0
            ? "nothing says the same"
            : "\(count) \(isDry ? "would be merged" : "merged") into \(mergers.count) that say the same"
    }
}
