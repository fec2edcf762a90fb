import Foundation
import MnemeStore

extension JobKind {
    /// Moves memories from tier to tier, see ``TierReport``, and hands profiles on, see
    /// ``MemoryPromoter``.
    public static let promote = JobKind(rawValue: "promote")
}

/// Moves memories between the short, the mid and the long term and the profile.
struct PromoteTiers: Maintainer {
    let kind = JobKind.promote
    let help =
        "move memories from the short term to topics, the long term and the profile:"
        + " heat=5 above which a topic is long-term, keep=7 short-term memories of a conversation,"
        + " dry=true only counts; with a language model, keeps the keys and values of profiles."
        + " With adapter=NAME, the model learns what was recalled uses=3 times and is days=7 old (with tag=NAME"
        + " of what has the tag; uses=0 days=0 takes all),"
        + " in steps and minutes=30 at most; the adapter is kept if the loss of right answers falls by gain=0.2"
        + " of it and perplexity elsewhere rises by worse=2 percent at most"
    let arguments: Set = ["heat", "keep", "dry", "adapter", "tag", "uses", "days", "steps", "minutes", "gain", "worse"]
    /// The most short-term memories that a conversation may be told to keep.
    private static let keepLimit = 1e6
    /// The highest heat that may be asked of a topic: more than any topic reaches.
    private static let heatLimit = 1e9

    func check(_ arguments: [String: String]) throws {
        _ = try settings(arguments)
        let stable = try stable(arguments)
        let promotion = try promotion(arguments, Owner(), now: Date())
        let bounds: Set = ["tag", "uses", "days", "steps", "minutes", "gain", "worse"]
        guard promotion != nil || bounds.isDisjoint(with: arguments.keys) else {
            throw InputError("uses=\(stable.uses), and other bounds of learning, go with adapter=NAME.")
        }
    }

    func perform(_ run: MaintenanceRun) async throws -> String {
        let owner = try run.requireOwner()
        let moved = try await run.memory.promote(
            owner, settings(run.arguments), isDry: run.isDry, now: run.now)
        guard let promotion = try promotion(run.arguments, owner, now: run.now) else { return moved }
        return try await moved + "; "
            + run.memory.promote(promotion, of: stable(run.arguments), isDry: run.isDry)
    }

    /// Which memories are learned.
    /// - Throws: `InputError` for numbers out of bounds.
    private func stable(_ arguments: [String: String]) throws -> StableMemories {
        var stable = StableMemories()
        if let uses = try arguments.wholeNumber("uses", in: 0...1_000_000) { stable.uses = uses }
        if let days = try arguments.number("days", in: 0...36_500) { stable.days = days }
        if let tag = arguments["tag"] {
            guard tag.contains(where: { !$0.isWhitespace }) else { throw InputError("'tag' is a tag.") }
            stable.tag = tag
        }
        return stable
    }

    /// What is learned, at which cost, and what it has to bring; nil without a name for it.
    /// - Throws: `InputError` for numbers out of bounds.
    private func promotion(_ arguments: [String: String], _ owner: Owner, now: Date) throws -> AdapterPromotion? {
        guard let name = arguments["adapter"] else { return nil }
        guard name.contains(where: { !$0.isWhitespace }) else { throw InputError("'adapter' is a name.") }
        var promotion = AdapterPromotion(adapter: name, owner: owner, now: now)
        promotion.steps = try arguments.wholeNumber("steps", in: 1...1_000_000)
        if let minutes = try arguments.number("minutes", in: 0.1...10_000) { promotion.minutes = minutes }
        if let gain = try arguments.number("gain", in: 0...1) { promotion.gain = gain }
        if let worse = try arguments.number("worse", in: 0...1_000) { promotion.worse = worse }
        return promotion
    }

    /// The plan's settings with those that the job names.
    /// - Throws: `InputError` for numbers out of bounds.
    private func settings(_ arguments: [String: String]) throws -> TierPlan.Settings {
        var settings = TierPlan.Settings()
        if let heat = try arguments.number("heat", in: 0...Self.heatLimit) { settings.heat = heat }
        if let keep = try arguments.number("keep", in: 0...Self.keepLimit) {
            settings.kept = Int(keep)
        }
        return settings
    }
}
