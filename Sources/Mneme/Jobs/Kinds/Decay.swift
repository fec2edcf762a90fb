import MnemeStore

extension JobKind {
    /// Archives what has faded, see `ForgettingCurve`.
    public static let decay = JobKind(rawValue: "decay")
}

/// Forgetting: archives memories whose retention on a `ForgettingCurve` has sunk below a bound.
///
/// Uses that were counted in memory are written first, so that what was recalled just now counts as
/// fresh.
struct Decay: Maintainer {
    let kind = JobKind.decay
    let help =
        "archive what has faded: curve=memorybank|layered, days=30 (unit of time), below=0.05,"
        + " dry=true only counts"
    let arguments: Set = ["curve", "days", "below", "dry"]

    func check(_ arguments: [String: String]) throws { _ = try Settings(arguments) }

    func perform(_ run: MaintenanceRun) async throws -> String {
        let settings = try Settings(run.arguments)
        let now = run.now
        run.memory.flushUses()
        let name = type(of: settings.curve).name
        let count = try await run.memory.archive(
            run.requireOwner(), reason: "faded (\(name))", isDry: run.isDry, now: now
        ) { cube in
            // What somebody gave a priority does not fade, nor who they are.
            cube.priority <= 0 && cube.tier != .profile
                && settings.curve.retention(of: cube, now: now) < settings.below
        }
        return "\(count) \(run.isDry ? "would be archived" : "archived") (\(name))"
    }

    /// Arguments of the job as values.
    private struct Settings: Sendable {
        /// The curve with its unit of time; MemoryBank's with 30 days if nothing is said.
        var curve: any ForgettingCurve
        /// The bound: retention below it is archived. 0 archives nothing.
        var below: Double

        /// - Throws: `InputError` for an unknown curve or a number out of bounds.
        init(_ arguments: [String: String]) throws {
            let name = arguments["curve"] ?? MemoryBankCurve.name
            guard let type = ForgettingCurves.all.first(where: { $0.name == name }) else {
                let known = ForgettingCurves.all.map { $0.name }.joined(separator: ", ")
                throw InputError("There is no curve '\(name)': \(known).")
            }
            // A unit of less than a second would archive what was said a moment ago.
            let days = try arguments.number("days", in: 1e-5...1e9)
            curve = type.init(days: days ?? 30)
            below = try arguments.number("below", in: 0...1) ?? 0.05
        }
    }
}
