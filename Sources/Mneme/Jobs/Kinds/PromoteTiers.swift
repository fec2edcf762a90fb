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
        + " dry=true only counts; with a language model, keeps the keys and values of profiles"
    let arguments: Set = ["heat", "keep", "dry"]
    /// The most short-term memories that a conversation may be told to keep.
    private static let keepLimit = 1e6
    /// The highest heat that may be asked of a topic: more than any topic reaches.
    private static let heatLimit = 1e9

    func check(_ arguments: [String: String]) throws { _ = try settings(arguments) }

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.promote(
            run.requireOwner(), settings(run.arguments), isDry: run.isDry, now: run.now)
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
