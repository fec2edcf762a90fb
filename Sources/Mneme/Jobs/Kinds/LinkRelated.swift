extension JobKind {
    /// Connects memories that are near by dense similarity, see `Linking`.
    public static let link = JobKind(rawValue: "link")
}

/// Graph building: links memories to earlier ones that are near by dense similarity.
///
/// The rules are in `Linking`; each memory is looked at once.
struct LinkRelated: Maintainer {
    let kind = JobKind.link
    let help = "link memories to earlier ones that are near by meaning; recall follows links"

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.link(run.requireOwner(), now: run.now)
    }
}
