extension JobKind {
    /// Has a language model find the claims of memories, see `Refinement`.
    public static let refine = JobKind(rawValue: "refine")
}

/// Extraction of claims by a language model, where rules found none.
///
/// Bounded by a count, since each memory is a call of a model; the next job goes on where this one
/// stopped.
struct RefineClaims: Maintainer {
    let kind = JobKind.refine
    let help =
        "have a language model find what contradicts what, where rules do not:"
        + " count=1000 memories of a user at most"
    let arguments: Set = ["count"]

    /// Memories that a job looks at if it names no number.
    private static let standardCount = 1_000

    func check(_ arguments: [String: String]) throws { _ = try count(arguments) }

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.refine(
            run.requireOwner(), count: count(run.arguments), now: run.now)
    }

    /// The most memories to ask about.
    /// - Throws: `InputError` for what is no whole number from 1 on.
    private func count(_ arguments: [String: String]) throws -> Int {
        try arguments.wholeNumber("count", in: 1...1_000_000_000) ?? Self.standardCount
    }
}
