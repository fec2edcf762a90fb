extension JobKind {
    /// Brings an owner's vector index into its best form, and keeps it.
    public static let index = JobKind(rawValue: "index")
}

/// Builds and saves an owner's vector index.
struct PrepareIndexes: Maintainer {
    let kind = JobKind.index
    let help = "bring vectors into their best form on disk"

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.prepareIndex(of: run.requireOwner())
        return "done"
    }
}
