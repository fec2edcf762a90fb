public import Foundation
import MnemeIndex
public import MnemeStore

/// A report of an owner's tiers.
public struct TierReport: Sendable, Codable {
    /// A topic of the mid term.
    public struct Topic: Sendable, Codable {
        /// The memory that began it.
        public var id: CubeID
        /// Words that it is about.
        public var about: [String]
        /// Its memories, and those of them that are not promoted.
        public var memories: Int, midTerm: Int
        /// The number of times that these were recalled.
        public var visits: Int
        /// Visits, memories and recency together; above 5 they become long-term.
        public var heat: Double
        /// The time at which it was last used, or grew.
        public var last: Date
    }

    /// Memories in use by tier.
    public var counts: [String: Int]
    /// Topics, the hottest first.
    public var topics: [Topic]
    /// The profile: what is known of somebody before they say anything.
    public var profile: [MemCube]
}

/// Tiers of memory after MemoryOS (Kang et al. 2025) [95]: short, mid and long term, and the
/// profile. ``TierPlan`` decides; here it is fed from the store, and its moves are committed.
extension MemoryOS {
    /// An owner's tiers. What recall uses is counted first.
    public func tiers(
        of owner: Owner, limit: Int = 20, now: Date = Date(), by caller: Caller = .local
    ) async throws
        -> TierReport
    {
        try await run { [self] in
            flushUses()
            let (plan, profile) = try plan(TierPlan.Settings(), owner, by: caller)
            let topics = plan.topics.values.filter { !$0.members.isEmpty }.map { topic in
                TierReport.Topic(
                    id: topic.id, about: topic.about, memories: topic.count,
                    midTerm: topic.members.count,
                    visits: topic.visits,
                    heat: topic.heat(now, plan.settings), last: topic.last)
            }.sorted { ($1.heat, $0.id) < ($0.heat, $1.id) }
            return TierReport(
                counts: Dictionary(
                    uniqueKeysWithValues: MemoryTier.allCases.map {
                        ($0.rawValue, plan.counts[$0] ?? 0)
                    }),
                topics: Array(topics.prefix(limit)),
                profile: profile)
        }
    }

    /// Speakers that are no person: what they say never becomes a user's profile.
    private static let modelRoles: Set = ["assistant", "system", "tool"]

    /// Feeds a plan with what is in use of an owner's, and hands out what is in the profile.
    private func plan(_ settings: TierPlan.Settings, _ owner: Owner, by caller: Caller) throws -> (
        plan: TierPlan, profile: [MemCube]
    ) {
        var plan = TierPlan(settings)
        var profile: [MemCube] = []
        var filter = CubeFilter(owner: owner, limit: 1_024)
        filter.state = .activated
        let key = IndexKey(
            owner: owner, visibility: try store.visibility(of: owner, for: .read, by: caller))
        var pages = CubePages(filter, by: caller)
        while let page = try pages.next(from: store) {
            let vectors = try withIndex(key) { index in page.map { index.vector(of: $0.id) } }
            for (cube, vector) in zip(page, vectors) where cube.isPlaintext {
                var memory = TierPlan.Memory(
                    id: cube.id, type: cube.type, session: cube.scope.session,
                    time: min(cube.recordedTime, cube.eventTime))
                // What a model says is nobody's profile.
                if Self.modelRoles.contains(cube.speaker?.lowercased() ?? "") {
                    memory.type = .episodic
                }
                memory.lastUse = cube.usage?.last
                memory.uses = cube.usage?.count ?? 0
                memory.keywords = Set(cube.keywords)
                memory.vector = vector
                memory.tier = cube.tier ?? .shortTerm
                memory.topic = cube.topic
                memory.isCurrent = cube.validUntil == nil
                plan.add(memory)
                if memory.tier == .profile, memory.isCurrent { profile.append(cube) }
            }
        }
        return (plan, profile)
    }

    /// Moves an owner's memories from tier to tier.
    ///
    /// - Returns: what was done, in words.
    func promote(_ owner: Owner, _ settings: TierPlan.Settings, isDry: Bool, now: Date) async throws
        -> String
    {
        flushUses()
        let moves = try await run { [self] in
            var (plan, _) = try plan(settings, owner, by: .mneme)
            return plan.moves(now: now)
        }
        var counts: [MemoryTier: Int] = [:]
        for start in stride(from: 0, to: moves.count, by: 256) {
            try Task.checkCancellation()
            let part = moves[start..<min(start + 256, moves.count)]
            let results =
                try isDry
                ? part.map { _ in nil }
                : await run { [store] in
                    try store.commit(
                        part.map { move in
                            WriteRequest(
                                [.move(move.id, to: move.tier, topic: move.topic)], owner: owner,
                                by: Caller(
                                    Caller.mneme.principal, operation: "promote",
                                    reason: move.reason, time: now)
                            )
                        })
                }
            for (move, result) in zip(part, results) {
                // One that somebody changed at this moment, or froze, stays where it is.
                do { _ = try result?.get() } catch let error as StoreError
                    where error.code == .notFound || error.code == .conflict
                { continue }
                counts[move.tier, default: 0] += 1
            }
        }
        let parts = MemoryTier.allCases.compactMap { tier in
            counts[tier].map { "\($0) to \(tier.rawValue)" }
        }
        let moved =
            parts.isEmpty
            ? "nothing moves" : (isDry ? "would move: " : "moved: ") + parts.joined(separator: ", ")
        return ([moved] + (isDry ? [] : try await promoteProfile(of: owner, now: now))).joined(
            separator: "; ")
    }
}
