import MnemeStore

extension JobKind {
    /// Archives what has expired.
    public static let expire = JobKind(rawValue: "expire")
}

/// Archives memories whose time to live has ended.
struct Expiry: Maintainer {
    let kind = JobKind.expire
    let help = "archive what has expired"

    func perform(_ run: MaintenanceRun) async throws -> String {
        let now = run.now
        let count = try await run.memory.archive(run.requireOwner(), reason: "expired", now: now) {
            cube in
            cube.expires.map { $0 <= now } ?? false
        }
        return "\(count) archived"
    }
}
