import Foundation

extension JobKind {
    /// Gives freed pages back to the disk, and forgets jobs that ended long ago.
    public static let compact = JobKind(rawValue: "compact")
}

/// Compacts the store, and removes jobs that ended long ago.
struct CompactStore: Maintainer {
    let kind = JobKind.compact
    let help = "give freed pages back; keep=30 days of ended jobs"
    let arguments: Set = ["keep"]
    let isPerOwner = false
    /// Days for which jobs that ended are kept, if the job does not say.
    private static let keptDays = 30.0
    private static let secondsPerDay = 86_400.0

    func check(_ arguments: [String: String]) throws { _ = try arguments.keepValue() }

    func perform(_ run: MaintenanceRun) async throws -> String {
        let days = try run.arguments.keepValue() ?? Self.keptDays
        let end = run.now.addingTimeInterval(-days * Self.secondsPerDay)
        return try await run.memory.run { [store = run.memory.store] in
            let removed = try store.removeJobs(endedBefore: end)
            try store.compact()
            return "\(removed) ended jobs forgotten"
        }
    }
}
