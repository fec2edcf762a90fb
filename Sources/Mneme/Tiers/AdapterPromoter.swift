public import Foundation
public import MnemeStore

/// Learns an adapter of a language model from memories that are stable and used, and keeps it only
/// if it has proved its worth: promotion from text to weights.
///
/// The job `promote` hands memories to the promoter that is attached, where its argument `adapter`
/// names what is to be learned.
public protocol AdapterPromoter: Sendable {
    /// The model for which it learns.
    var name: String { get }
    /// Learns, measures, and keeps or drops what was learned.
    ///
    /// - Returns: what became of it and what it cost, in words.
    func promote(_ promotion: AdapterPromotion, in memory: any AdapterKeeper) async throws -> String
}

/// Records adapters as memories: a ``MemoryOS``.
public protocol AdapterKeeper: Sendable {
    /// Makes the memory that stands for an adapter, or its next version.
    func keep(_ adapter: AdapterReference, figures: [String: String], scope: Scope, by caller: Caller) async throws
        -> MemCube
}

/// What is to be learned, what it may cost, and what it has to bring.
public struct AdapterPromotion: Sendable {
    /// The adapter's name.
    public var adapter: String
    /// Whose memories.
    public var owner: Owner
    /// What is learned.
    public var memories: [MemCube] = []
    /// Steps at most; nil takes as many as the training does by itself.
    public var steps: Int?
    /// Minutes of training at most, with what is made ready for it; the measuring after it comes on top.
    public var minutes = 30.0
    /// The least part by which the loss of right answers to probes has to fall, of 1.
    public var gain = 0.2
    /// The most percent by which perplexity of other texts may rise.
    public var worse = 2.0
    /// The time of the promotion.
    public var now: Date

    /// A promotion with the usual bounds, of no memories yet.
    public init(adapter: String, owner: Owner, now: Date) {
        (self.adapter, self.owner, self.now) = (adapter, owner, now)
    }
}

/// Which memories are stable and used enough to be learned by a model.
package struct StableMemories: Sendable {
    /// The least number of recalls, and of days since it was recorded.
    package var uses = 3, days = 7.0
    /// A tag that they must have; nil for none.
    package var tag: String?
    /// Memories of an adapter at most; those that are used most come first.
    package static let limit = 500
    /// Speakers that are no person: what a model says is not learned by one.
    private static let modelRoles: Set = ["assistant", "system", "tool"]

    /// Three recalls, a week.
    package init() {}

    /// True for a text in use, which nothing contradicts, which does not end by itself, and that
    /// anybody who reaches the owner may see: what a model has learned it tells everybody.
    package func fits(_ cube: MemCube, now: Date) -> Bool {
        guard cube.isPlaintext, cube.state == .activated, cube.validUntil == nil, cube.expires == nil,
            cube.caution == nil, cube.sensitivity <= .internal, !cube.text.isEmpty
        else { return false }
        let speaker = cube.speaker?.lowercased() ?? ""
        let count = cube.usage?.count ?? 0
        guard tag.map(cube.tags.contains) ?? true else { return false }
        return !Self.modelRoles.contains(speaker) && count >= uses
            && now.timeIntervalSince(cube.recordedTime) >= days * 86_400
    }

    /// Those that fit: the most used ones, in the order that they were recorded in.
    package func chosen(of cubes: [MemCube], now: Date) -> [MemCube] {
        let found = cubes.filter { fits($0, now: now) }.map { (cube: $0, uses: $0.usage?.count ?? 0) }
        let ranked = found.sorted { $0.uses == $1.uses ? $0.cube.id < $1.cube.id : $0.uses > $1.uses }
        return ranked.prefix(Self.limit).map { $0.cube }.sorted { $0.id < $1.id }
    }
}
