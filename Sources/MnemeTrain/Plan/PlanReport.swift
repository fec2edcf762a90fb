/// One way to train, as it was simulated.
public struct PlannedOption: Sendable, Codable, Equatable {
    /// What it is, in a few words.
    public var name: String
    /// Seconds of a step.
    public var seconds: Double
    /// Bytes that the fullest device holds; nil where the question is another one.
    public var memoryBytes: Double?
    /// Bytes that all devices send in a step; nil where the question is another one.
    public var sentBytes: Double?
    /// Why it cannot be, where it cannot: it does not fit.
    public var obstacle: String?

    /// An option of which the time alone is known.
    public init(_ name: String, seconds: Double) { (self.name, self.seconds) = (name, seconds) }
}

/// What a planner found: ways to train, and the one that it would take.
///
/// Nothing of it was measured: seconds come from the described machine's rates.
public struct PlanReport: Sendable, Codable, Equatable {
    /// The question.
    public var title: String
    /// All ways that were looked at, or the best of them beside the ones that are compared with.
    public var options: [PlannedOption]
    /// The place of the fastest option that can be; nil if none can.
    public var chosen: Int?

    /// - Parameters:
    ///   - title: the question.
    ///   - options: in the order in which they are shown.
    public init(_ title: String, _ options: [PlannedOption]) {
        (self.title, self.options) = (title, options)
        chosen = options.indices.filter { options[$0].obstacle == nil }
            .min { options[$0].seconds < options[$1].seconds }
    }

    /// How much faster the chosen option is than another.
    public func speedup(over name: String) -> Double? {
        guard let chosen, let other = options.first(where: { $0.name == name }) else { return nil }
        return other.seconds / options[chosen].seconds
    }
}
