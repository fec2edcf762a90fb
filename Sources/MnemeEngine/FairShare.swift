/// The tokens that each key was served, so that keys get equal shares while they want them (VTC,
/// Sheng et al. 2024).
///
/// A key is a client: an API key, a user. Prompt and answer tokens count alike. A key that comes
/// back does not catch up on the time it was away: its count is lifted to the least of those that
/// stayed.
public struct FairShare: Sendable, Equatable {
    /// Tokens computed for each key, lifted.
    public private(set) var served: [String: Int] = [:]
    private var active: Set<String> = []
    /// The least count among active keys, when there last were some.
    private var floor = 0

    /// Shares before anybody was served.
    public init() {}

    /// Takes note of who has requests now. Keys without, and without a lead over others, are
    /// forgotten.
    public mutating func update(active now: Set<String>) {
        if let least = active.compactMap({ served[$0] }).min() { floor = max(floor, least) }
        for key in now.subtracting(active) { served[key] = max(served[key] ?? 0, floor) }
        active = now
        served = served.filter { now.contains($0.key) || $0.value > floor }
    }

    /// Tokens were computed for a key.
    public mutating func serve(_ key: String, tokens: Int) { served[key, default: floor] += tokens }
}
