/// The lifecycle state of a cube.
public enum LifecycleState: String, Sendable, Codable, CaseIterable {
    /// `generated` and `activated` are in use; `frozen` is, too, and never changes. `merged` gave
    /// way to another memory, `archived` is out of recall and can be restored, `erased` is gone.
    case generated, activated, merged, archived, frozen, erased
    /// Kept out of recall, as it reads like an instruction to a model, until somebody releases it.
    case quarantined

    /// True if recall may return a cube in this state.
    public var isRecallable: Bool { self == .generated || self == .activated || self == .frozen }

    /// Tells whether the change is legal. Archived cubes can be restored; erased ones never.
    public func canBecome(_ next: LifecycleState) -> Bool {
        switch (self, next) {
        // Erasure is final, and possible from everywhere: nothing may protect a memory from its
        // owner.
        case (.erased, _): false
        case (_, .erased): true
        case (.generated, .activated), (.generated, .archived), (.generated, .merged),
            (.generated, .frozen),
            (.generated, .quarantined):
            true
        case (.activated, .archived), (.activated, .merged), (.activated, .frozen),
            (.activated, .quarantined):
            true
        // Ways back lead to use alone: what is archived is restored before it is frozen, say.
        case (.merged, .activated), (.archived, .activated), (.frozen, .activated),
            (.quarantined, .activated):
            true
        default: false
        }
    }
}
