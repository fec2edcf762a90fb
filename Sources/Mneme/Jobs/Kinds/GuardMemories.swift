extension JobKind {
    /// Quarantines memories that contradict what related ones imply, see `Consensus`.
    public static let guarding = JobKind(rawValue: "guard")
}

/// The guard by consensus over memories in use.
///
/// Recall compares what it hands out with one another anyway; the job quarantines for good, and
/// applies what was learned since.
struct GuardMemories: Maintainer {
    let kind = JobKind.guarding
    let help = "quarantine what contradicts what related memories imply; dry=true only counts"
    let arguments: Set = ["dry"]

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.guardMemories(of: run.requireOwner(), isDry: run.isDry, now: run.now)
    }
}
