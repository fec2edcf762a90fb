extension JobKind {
    /// Does what the recipe in use asks for from time to time, see `MemoryMaintainer`.
    public static let maintain = JobKind(rawValue: "maintain")
}

/// The recipe's own maintenance: forgetting, summaries, links, as its ``MemoryMaintainer`` says.
struct RunRecipe: Maintainer {
    let kind = JobKind.maintain
    let help =
        "what the recipe in use does from time to time (`mneme recipes`); dry=true only counts"
    let arguments: Set = ["dry"]

    func perform(_ run: MaintenanceRun) async throws -> String {
        try await run.memory.maintain(run.requireOwner(), isDry: run.isDry, now: run.now)
    }
}
