extension JobKind {
    /// Merges facts and preferences that say the same into the latest.
    public static let consolidate = JobKind(rawValue: "consolidate")
}

/// Deduplication: merges facts and preferences that say the same.
///
/// The rules are in ``Consolidation``; the merged ones stay in the store and can be restored.
struct MergeDuplicates: Maintainer {
    let kind = JobKind.consolidate
    let help = "merge facts and preferences that say the same into the latest; dry=true only counts"
    let arguments: Set = ["dry"]

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.consolidate(run.requireOwner(), isDry: run.isDry, now: run.now)
    }
}
