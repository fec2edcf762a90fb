import MnemeStore

/// Owners whose index is to be written, and when, see ``MemoryOS/scheduleSaving(_:)``.
struct UnsavedIndexes {
    /// Whose.
    var owners: Set<Owner> = []
    /// Seconds until they are written, and the least that this may be.
    var pause = 30.0, leastPause = 30.0
}
