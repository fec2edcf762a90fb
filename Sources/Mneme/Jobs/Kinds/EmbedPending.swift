extension JobKind {
    /// Makes vectors that are missing.
    public static let embed = JobKind(rawValue: "embed")
}

/// Embeds memories that have no vector of the present embedder yet.
///
/// A change of the embedding model leaves all memories without a vector of the new one: this job
/// makes them.
struct EmbedPending: Maintainer {
    let kind = JobKind.embed
    let help = "make vectors that are missing"
    let isPerOwner = false

    func perform(_ run: MaintenanceRun) async throws -> String {
        let left = try await run.memory.embedPending()
        return left == 0 ? "all memories have vectors" : "\(left) memories wait for vectors"
    }
}
