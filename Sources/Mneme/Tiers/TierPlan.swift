package import Foundation
package import MnemeCube

/// Decides which memories move from tier to tier, as MemoryOS (Kang et al. 2025) [95] has it: what
/// leaves the short term joins a topic; topics that were visited often, hold much and were in use
/// of late are hot, and what is in them becomes long-term.
///
/// A value: it is fed with memories, and says what moves and why. Nothing is archived here; see
/// `ForgettingCurve`. Against the paper: who somebody is goes to the profile when it leaves the
/// short term, not only with a hot topic, and no model rewrites it.
package struct TierPlan {
    /// Thresholds of the tiers. Short-term capacity, similarity, heat and the time constant count
    /// memories, a sum of cosine and Jaccard, visits with memories, and seconds.
    package struct Settings: Sendable {
        /// The defaults.
        package init() {}

        /// The last memories of a conversation that stay short-term, and after how many seconds of
        /// silence it has ended.
        package var kept = 7, silence = 86_400.0
        /// Cosine similarity and overlap of keywords, added, from which a memory belongs to a
        /// topic.
        package var similarity = 0.6
        /// Above it a topic is hot.
        package var heat = 5.0
        /// After so many seconds without use recency has fallen to 1/e.
        package var recency = 1e7
        /// Memories in a profile.
        package var profile = 100
        /// Topics that a memory is compared with: those that grew last.
        package var open = 200
    }

    /// The fields of a memory that decide on its tier.
    package struct Memory {
        package var id: CubeID
        package var type: MemoryType
        package var session: String?
        /// The time at which it was said, or recorded if that was sooner; and of the last use.
        package var time: Date
        package var lastUse: Date?
        package var uses = 0
        package var keywords: Set<String> = []
        /// Of length 1; nil if there is none.
        package var vector: [Float]?
        package var tier = MemoryTier.shortTerm, topic: CubeID?
        /// It is not superseded.
        package var isCurrent = true

        /// A memory of the short term, not used yet.
        package init(id: CubeID, type: MemoryType, session: String?, time: Date) {
            (self.id, self.type, self.session, self.time) = (id, type, session, time)
        }
    }

    /// A move, and why: without a word of any memory, as it stays when that is erased.
    package struct Move: Equatable {
        package var id: CubeID
        package var tier: MemoryTier, topic: CubeID?
        package var reason: String
    }

    /// A topic as it stands.
    package struct Topic {
        var id: CubeID
        var keywords: [String: Int] = [:]
        var sum: [Float] = []
        var visits = 0, last = Date.distantPast
        /// Its memories that are mid-term.
        var members: [(id: CubeID, type: MemoryType)] = []
        /// With those that were promoted.
        var count = 0

        /// Words that say what it is about, the commonest first.
        var about: [String] {
            keywords.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(5).map(\.key)
        }

        /// Recency of the last visit: exp(−t/τ), 1 at the moment of use.
        func recency(_ now: Date, _ settings: Settings) -> Double {
            exp(-max(0, now.timeIntervalSince(last)) / settings.recency)
        }
        /// Visits and memories that are not promoted yet, and recency: each counts alike (α = β = γ
        /// = 1).
        func heat(_ now: Date, _ settings: Settings) -> Double {
            Double(visits + members.count) + (members.isEmpty ? 0 : recency(now, settings))
        }

        /// Adds a memory to the topic's keywords and mean vector. A promoted one still describes
        /// the topic, but heats it no more: otherwise a topic would stay hot for ever.
        mutating func add(_ memory: Memory, isMember: Bool) {
            for word in memory.keywords { keywords[word, default: 0] += 1 }
            if let vector = memory.vector {
                if sum.isEmpty {
                    sum = vector
                } else if sum.count == vector.count {
                    for i in sum.indices { sum[i] += vector[i] }
                }
            }
            last = max(last, memory.lastUse ?? memory.time, memory.time)
            count += 1
            guard isMember else { return }
            visits += memory.uses
            members.append((memory.id, memory.type))
        }

        /// Cosine similarity to what it is about on average, and overlap of keywords (Jaccard).
        func similarity(_ memory: Memory) -> Double {
            var cosine = 0.0
            if let vector = memory.vector, vector.count == sum.count {
                var dot: Float = 0
                var square: Float = 0
                for i in sum.indices {
                    dot += vector[i] * sum[i]
                    square += sum[i] * sum[i]
                }
                cosine = square > 0 ? Double(dot / square.squareRoot()) : 0
            }
            let shared = memory.keywords.count { keywords[$0] != nil }
            let all = keywords.count + memory.keywords.count - shared
            return cosine + (all > 0 ? Double(shared) / Double(all) : 0)
        }
    }

    /// The thresholds.
    let settings: Settings
    /// Short-term memories by session, the oldest first.
    private var recent: [String?: [Memory]] = [:]
    /// Topics by the memory that began each.
    package private(set) var topics: [CubeID: Topic] = [:]
    /// Memories of the profile, superseded ones among them until they are moved out.
    private(set) var profile: [Memory] = []
    /// Memories by tier, as they were added.
    private(set) var counts: [MemoryTier: Int] = [:]

    /// An empty plan.
    package init(_ settings: Settings = Settings()) { self.settings = settings }

    /// Memories come in the order in which they were recorded.
    package mutating func add(_ memory: Memory) {
        counts[memory.tier, default: 0] += 1
        switch memory.tier {
        case .shortTerm: recent[memory.session, default: []].append(memory)
        case .profile: profile.append(memory)
        case .midTerm, .longTerm: break
        }
        if let topic = memory.topic {
            topics[topic, default: Topic(id: topic)].add(memory, isMember: memory.tier == .midTerm)
        }
    }

    /// Moves that are due now, in the order in which they were found.
    ///
    /// - Complexity: memories that leave the short term × ``Settings/open`` × length of a vector.
    package mutating func moves(now: Date) -> [Move] {
        var moves: [CubeID: Move] = [:]
        var order: [CubeID] = []
        /// Notes a move. A memory that moves twice, as into a topic that is hot at once, moves to
        /// the last tier, with both reasons.
        func move(_ id: CubeID, _ tier: MemoryTier, _ topic: CubeID?, _ reason: String) {
            if let former = moves[id] {
                moves[id] = Move(
                    id: id, tier: tier, topic: topic, reason: former.reason + "; " + reason)
            } else {
                order.append(id)
                moves[id] = Move(id: id, tier: tier, topic: topic, reason: reason)
            }
        }
        // What leaves the short term.
        var leaving: [(memory: Memory, reason: String)] = []
        for memories in recent.values {
            let isOver =
                memories.last.map { now.timeIntervalSince($0.time) > settings.silence } ?? true
            leaving += memories.dropLast(isOver ? 0 : settings.kept).map {
                (
                    $0,
                    isOver
                        ? "its conversation ended"
                        : "not among the last \(settings.kept) of its conversation"
                )
            }
        }
        leaving.sort { ($0.memory.time, $0.memory.id) < ($1.memory.time, $1.memory.id) }
        var open = topics.values.sorted { ($0.last, $0.id) < ($1.last, $1.id) }.map(\.id)
        for (memory, reason) in leaving {
            if memory.type == .core, memory.isCurrent {
                move(memory.id, .profile, nil, reason + "; says who somebody is")
                profile.append(memory)
                continue
            }
            let best = open.suffix(settings.open).map {
                (id: $0, similarity: topics[$0]!.similarity(memory))
            }.max {
                ($0.similarity, $1.id) < ($1.similarity, $0.id)
            }
            let topic: CubeID
            if let best, best.similarity >= settings.similarity {
                topic = best.id
                move(
                    memory.id, .midTerm, topic,
                    "\(reason); \(String(format: "%.2f", best.similarity)) like the topic of \(topic)"
                )
            } else {
                topic = memory.id
                move(memory.id, .midTerm, topic, reason + "; begins a topic")
            }
            topics[topic, default: Topic(id: topic)].add(memory, isMember: true)
            open.removeAll { $0 == topic }
            open.append(topic)
        }
        // What is hot.
        for topic in topics.values.sorted(by: { $0.id < $1.id }) {
            let heat = topic.heat(now, settings)
            guard heat > settings.heat else { continue }
            let reason = String(
                format: "its topic is hot: %d visits + %d memories + recency %.2f = %.2f, above %g",
                topic.visits,
                topic.members.count,
                topic.recency(now, settings), heat, settings.heat)
            for member in topic.members {
                move(
                    member.id,
                    member.type == .preference || member.type == .core ? .profile : .longTerm,
                    topic.id,
                    reason)
            }
        }
        // What a profile does not hold any more, or has no room for.
        for memory in profile where !memory.isCurrent {
            move(memory.id, .longTerm, memory.topic, "does not hold any more")
        }
        let current = profile.filter(\.isCurrent)
        if current.count > settings.profile {
            for memory in current.sorted(by: {
                ($0.lastUse ?? $0.time, $0.id) < ($1.lastUse ?? $1.time, $1.id)
            }).prefix(
                current.count - settings.profile)
            {
                move(
                    memory.id, .longTerm, memory.topic,
                    "the profile holds \(settings.profile); this was used least recently")
            }
        }
        return order.compactMap { moves[$0] }
    }
}
