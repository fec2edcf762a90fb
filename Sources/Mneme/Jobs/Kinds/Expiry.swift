import MnemeStore

extension JobKind {
    /// Archives memories, and erases documents, that have expired.
    public static let expire = JobKind(rawValue: "expire")
}

/// Archives memories whose time to live has ended, and erases ``Documents`` whose has: those nobody
/// restores.
struct Expiry: Maintainer {
    let kind = JobKind.expire
    let help = "archive what has expired"

    func perform(_ run: MaintenanceRun) async throws -> String {
        let now = run.now
        let owner = try run.requireOwner()
        let erased = try await run.memory.eraseExpiredDocuments(of: owner, now: now)
        let count = try await run.memory.archive(owner, reason: "expired", now: now) {
            cube in
            cube.expires.map { $0 <= now } ?? false
        }
        return "\(count) archived" + (erased == 0 ? "" : ", \(erased) documents erased")
    }
}
