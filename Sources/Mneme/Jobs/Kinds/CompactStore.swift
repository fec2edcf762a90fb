import Foundation

extension JobKind {
    /// Gives freed pages back to the disk, and forgets jobs that ended long ago.
    public static let compact = JobKind(rawValue: "compact")
}

/// Compacts the store, and removes jobs that ended long ago.
///
/// For the store as a whole: jobs of all owners go, and pages are given back once.
struct CompactStore: Maintainer {
    let kind = JobKind.compact
    let help = "give freed pages back; keep=30 days of ended jobs"
    let arguments: Set = ["keep"]
    let isPerOwner = false
    /// Days for which jobs that ended are kept, if the job does not say.
    private static let keptDays = 30.0
    /// The most days that may be asked for: ten thousand years, which dates still hold.
    private static let daysLimit = 3_650_000.0
    private static let secondsPerDay = 86_400.0

    func check(_ arguments: [String: String]) throws { _ = try days(arguments) }

    /// Days for which ended jobs are kept.
    /// - Throws: `InputError` for what is no number of days.
    private func days(_ arguments: [String: String]) throws -> Double {
        try arguments.number("keep", in: 0...Self.daysLimit) ?? Self.keptDays
    }

    func perform(_ run: MaintenanceRun) async throws -> String {
        let end = run.now.addingTimeInterval(-(try days(run.arguments)) * Self.secondsPerDay)
        return try await run.memory.run { [store = run.memory.store] in
            let removed = try store.removeJobs(endedBefore: end)
            try store.compact()
            return "\(removed) ended jobs forgotten"
        }
    }
}
