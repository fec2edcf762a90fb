import MnemeBase

/// A seeded log of what somebody does at a desk, day by day: routines come back, share actions with one another, are
/// broken off, and are disturbed by other actions. What comes next depends on more than the action before it.
struct ActionStream: Sendable {
    /// Actions of each day, in order.
    let days: [[String]]

    /// What somebody can do.
    static let actions = [
        "opened mail", "read invoice", "opened ledger", "booked payment", "printed receipt", "filed receipt",
        "called supplier", "checked stock", "ordered paper", "wrote memo", "joined meeting", "shared minutes",
        "read report", "drew chart", "sent chart", "closed ledger", "locked cabinet", "watered plants", "made coffee",
        "updated calendar", "answered chat", "scanned contract", "signed contract", "archived contract",
    ]
    /// Routines that there are, and the least and most actions of one.
    static let routines = 8, length = 4...6
    /// Routines of a day, the share of them that are broken off, and of actions that something comes between.
    static let perDay = 4, broken = 0.15, disturbed = 0.08

    /// - Parameters:
    ///   - days: how many.
    ///   - seed: the same gives the same log.
    init(days count: Int, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        // Each routine is a way through few actions, so that several share the same.
        let shared = Self.actions.shuffled(using: &generator).prefix(14)
        let routines = (0..<Self.routines).map { _ in
            Array(shared.shuffled(using: &generator).prefix(Int.random(in: Self.length, using: &generator)))
        }
        days = (0..<count).map { _ in
            var day: [String] = []
            for _ in 0..<Self.perDay {
                let routine = routines.randomElement(using: &generator)!
                let whole = generator.unit() >= Self.broken
                for action in routine.prefix(whole ? routine.count : 2) {
                    if generator.unit() < Self.disturbed { day.append(Self.actions.randomElement(using: &generator)!) }
                    day.append(action)
                }
            }
            return day
        }
    }
}
