extension JobKind {
    /// Has a language model find the claims of memories, see `Refinement`.
    public static let refine = JobKind(rawValue: "refine")
}

/// Extraction of claims by a language model, where rules found none.
struct RefineClaims: Maintainer {
    let kind = JobKind.refine
    let help =
        "have a language model find what contradicts what, where rules do not:"
        + " count=1000 memories of a user at most"
    let arguments: Set = ["count"]

    func check(_ arguments: [String: String]) throws {
        guard let count = arguments["count"] else { return }
        guard let number = Int(count), number >= 1 else {
            throw InputError("'count' is a number from 1 on.")
        }
    }

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.refine(
            run.requireOwner(), count: run.arguments["count"].flatMap(Int.init) ?? 1_000,
            now: run.now)
    }
}
