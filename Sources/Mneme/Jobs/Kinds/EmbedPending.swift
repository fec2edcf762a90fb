extension JobKind {
    /// Makes vectors that are missing, or of another embedder.
    public static let embed = JobKind(rawValue: "embed")
}

/// Embeds memories that have no vector of the present embedder yet.
///
/// A change of the embedding model leaves all memories without a vector of the new one: this job
/// makes them, batch after batch, and goes on where an earlier one was cut off.
struct EmbedPending: Maintainer {
    let kind = JobKind.embed
    let help = "make vectors that are missing, or of another embedding model"
    let isPerOwner = false

    func perform(_ run: MaintenanceRun) async throws -> String {
        guard run.memory.embedder != nil else {
            return "nothing embedded: there is no embedding model here"
        }
        let count = try await run.memory.reembed()
        return count == 0 ? "all memories have vectors" : "\(count) vectors made"
    }
}
