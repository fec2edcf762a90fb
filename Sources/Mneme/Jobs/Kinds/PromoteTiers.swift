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

    func check(_ arguments: [String: String]) throws { _ = try settings(arguments) }

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.promote(
            run.requireOwner(), settings(run.arguments), isDry: run.isDry, now: run.now)
    }

    private func settings(_ arguments: [String: String]) throws -> TierPlan.Settings {
        var settings = TierPlan.Settings()
        if let heat = arguments["heat"] {
            guard let heat = Double(heat), heat >= 0, heat.isFinite else {
                throw InputError("'heat' is a number from 0 on.")
            }
            settings.heat = heat
        }
        if let keep = try arguments.keepValue(), keep <= Self.keepLimit {
            settings.kept = Int(keep)
        }
        return settings
    }
}

extension [String: String] {
    /// The argument `keep`: how many, or how many days.
    ///
    /// - Throws: `InputError` if it is no number from 0 on.
    func keepValue() throws -> Double? {
        guard let text = self["keep"] else { return nil }
        guard let number = Double(text), number >= 0, number.isFinite else {
            throw InputError("'keep' is a number from 0 on.")
        }
        return number
    }
}
