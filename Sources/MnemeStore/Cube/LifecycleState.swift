/// Where a cube stands in its life.
public enum LifecycleState: String, Sendable, Codable, CaseIterable {
    case generated, activated, merged, archived, frozen, erased
    /// Kept out of recall, as it reads like an instruction to a model, until somebody releases it.
    case quarantined

    /// Whether recall may return a cube in this state.
    public var isRecallable: Bool { self == .generated || self == .activated || self == .frozen }

    /// Whether the change is legal. Archived cubes can be restored; erased ones never.
    public func canBecome(_ next: LifecycleState) -> Bool {
        switch (self, next) {
        case (.erased, _): false
        case (_, .erased): true
        case (.generated, .activated), (.generated, .archived), (.generated, .merged),
            (.generated, .frozen),
            (.generated, .quarantined):
            true
        case (.activated, .archived), (.activated, .merged), (.activated, .frozen),
            (.activated, .quarantined):
            true
        case (.merged, .activated), (.archived, .activated), (.frozen, .activated),
            (.quarantined, .activated):
            true
        default: false
        }
    }
}
