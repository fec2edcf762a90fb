public import Foundation
public import MnemeStore

/// What Mneme can do behind the answers.
public enum JobKind: String, Sendable, CaseIterable {
    /// Archives what has faded, see ``ForgettingCurve``.
    case decay
    /// Archives what has expired.
    case expire
    /// Has a model find what memories claim, see ``Refinement``.
    case refine
    /// Puts memories together that say the same, see ``Consolidation``.
    case consolidate
    /// Connects memories that belong together, see ``Linking``.
    case link
    /// Moves memories from tier to tier, see ``TierReport``, and hands profiles on, see ``MemoryPromoter``.
    case promote
    /// Makes vectors that are missing.
    case embed
    /// Brings an owner's vectors into their best form, and keeps them.
    case index
    /// Looks through the store, its indexes and the audit log; fails if something is wrong.
    case verify
    /// Gives freed pages back to the disk, and forgets jobs that ended long ago.
    case compact

    /// What it does and takes, for help.
    public var help: String {
        switch self {
        case .decay:
            "archive what has faded: curve=memorybank|layered, days=30 (unit of time), below=0.05, dry=true only counts"
        case .expire: "archive what has expired"
        case .refine:
            "have a language model find what contradicts what, where rules do not: count=1000 memories of a user at most"
        case .consolidate: "merge facts and preferences that say the same into the latest; dry=true only counts"
        case .link: "link memories to earlier ones that are near by meaning; recall follows links"
        case .promote:
            "move memories from the short term to topics, the long term and the profile: heat=5 above which a topic is long-term, keep=7 short-term memories of a conversation, dry=true only counts; with a language model, keeps the keys and values of profiles"
        case .embed: "make vectors that are missing"
        case .index: "bring vectors into their best form on disk"
        case .verify: "check the store, its indexes and the audit log"
        case .compact: "give freed pages back; keep=30 days of ended jobs"
        }
    }

    /// Whether it is done for each owner by itself.
    var isPerOwner: Bool { [.decay, .expire, .refine, .consolidate, .link, .promote, .index].contains(self) }

    /// Names of the arguments that it takes.
    var arguments: Set<String> {
        switch self {
        case .decay: ["curve", "days", "below", "dry"]
        case .refine: ["count"]
        case .consolidate: ["dry"]
        case .promote: ["heat", "keep", "dry"]
        case .compact: ["keep"]
        default: []
        }
    }
}

extension MemoryOS {
    /// Puts work into the queue.
    ///
    /// - Throws: ``InputError`` for what no job takes, ``MnemeStore/AccessError``.
    public func enqueue(
        _ kind: JobKind, owner: Owner? = nil, arguments: [String: String] = [:], priority: Int = 0, due: Date? = nil,
        by caller: Caller = .local
    ) async throws -> Job {
        let job = try Self.job(kind, owner: owner, arguments: arguments, priority: priority, due: due, now: caller.time)
        return try await run { [store] in try store.enqueue(job, by: caller) }
    }

    /// How many jobs there are in each state.
    public func jobCounts() async throws -> [Job.State: Int] { try await run { [store] in try store.jobCounts() } }

    /// A job, its arguments checked before anybody waits for it.
    public static func job(
        _ kind: JobKind, owner: Owner?, arguments: [String: String], priority: Int = 0, due: Date? = nil,
        now: Date = Date()
    ) throws -> Job {
        if let unknown = arguments.keys.first(where: { !kind.arguments.contains($0) }) {
            throw InputError("\(kind.rawValue) takes no '\(unknown)': \(kind.help).")
        }
        _ = try DecayPlan(arguments)
        _ = try tierSettings(arguments)
        if let count = arguments["count"], Int(count).map({ $0 < 1 }) ?? true {
            throw InputError("'count' is a number from 1 on.")
        }
        if let keep = arguments["keep"], Double(keep).map({ $0 < 0 || !$0.isFinite }) ?? true {
            throw InputError("'keep' is a number from 0 on.")
        }
        if owner != nil, !kind.isPerOwner { throw InputError("\(kind.rawValue) is done for the store as a whole.") }
        guard (-100...100).contains(priority) else { throw InputError("A priority lies between -100 and 100.") }
        return Job(kind.rawValue, owner: owner, arguments: arguments, priority: priority, created: now, due: due)
    }

    /// Does one job.
    ///
    /// - Returns: what came of it, in words.
    func perform(_ job: Job, now: Date) async throws -> String {
        guard let kind = JobKind(rawValue: job.kind) else {
            throw InputError("This Mneme does not know the job '\(job.kind)'. Update it.")
        }
        if kind.isPerOwner, job.owner == nil {
            // One job an owner: each has its turn, and none holds up the others.
            let owners = try await run { [store] in try store.owners() }
            for owner in owners {
                var part = Job(job.kind, owner: owner, arguments: job.arguments, priority: job.priority, created: now)
                part.schedule = job.schedule
                _ = try await run { [store, part] in try store.enqueue(part, by: .mneme) }
            }
            return "one job each for \(owners.count) \(owners.count == 1 ? "user" : "users")"
        }
        switch kind {
        case .decay: return try await decay(job.owner!, try DecayPlan(job.arguments), now: now)
        case .expire:
            return
                "\(try await archive(job.owner!, "expired", now: now) { $0.expires.map { $0 <= now } ?? false }) archived"
        case .refine:
            return try await refine(job.owner!, count: job.arguments["count"].flatMap(Int.init) ?? 1_000, now: now)
        case .consolidate: return try await consolidate(job.owner!, isDry: job.arguments["dry"] == "true", now: now)
        case .link: return try await link(job.owner!, now: now)
        case .promote:
            return try await promote(
                job.owner!, try Self.tierSettings(job.arguments), isDry: job.arguments["dry"] == "true", now: now)
        case .embed:
            let left = try await embedPending()
            return left == 0 ? "all memories have vectors" : "\(left) memories wait for vectors"
        case .index:
            try await prepareIndex(of: job.owner!)
            return "done"
        case .verify: return try await verify()
        case .compact:
            let days = Double(job.arguments["keep"] ?? "30") ?? 30
            return try await run { [store] in
                let removed = try store.removeJobs(endedBefore: now.addingTimeInterval(-days * 86_400))
                try store.compact()
                return "\(removed) ended jobs forgotten"
            }
        }
    }

    private static func tierSettings(_ arguments: [String: String]) throws -> TierPlan.Settings {
        var settings = TierPlan.Settings()
        if let heat = arguments["heat"] {
            guard let heat = Double(heat), heat >= 0, heat.isFinite else {
                throw InputError("'heat' is a number from 0 on.")
            }
            settings.heat = heat
        }
        if let keep = arguments["keep"].flatMap(Double.init), keep >= 0, keep <= 1e6 { settings.kept = Int(keep) }
        return settings
    }

    /// What a decay job is asked for.
    struct DecayPlan: Sendable {
        var curve: any ForgettingCurve
        var below: Double
        var isDry: Bool

        init(_ arguments: [String: String]) throws {
            let name = arguments["curve"] ?? MemoryBankCurve.name
            guard let type = ForgettingCurves.all.first(where: { $0.name == name }) else {
                throw InputError(
                    "There is no curve '\(name)': \(ForgettingCurves.all.map { $0.name }.joined(separator: ", ")).")
            }
            guard let days = Double(arguments["days"] ?? "30"), days > 0, days.isFinite else {
                throw InputError("'days' is a number above 0.")
            }
            guard let below = Double(arguments["below"] ?? "0.05"), (0...1).contains(below) else {
                throw InputError("'below' lies between 0 and 1.")
            }
            curve = type.init(days: days)
            self.below = below
            isDry = arguments["dry"] == "true"
        }
    }

    private func decay(_ owner: Owner, _ plan: DecayPlan, now: Date) async throws -> String {
        flushUses()
        let name = type(of: plan.curve).name
        let count = try await archive(owner, "faded (\(name))", isDry: plan.isDry, now: now) { cube in
            // What somebody gave a priority does not fade, nor who they are.
            cube.priority <= 0 && cube.tier != .profile && plan.curve.retention(of: cube, now: now) < plan.below
        }
        return "\(count) \(plan.isDry ? "would be archived" : "archived") (\(name))"
    }

    /// Archives an owner's memories in use that fit, some at a time.
    private func archive(
        _ owner: Owner, _ reason: String, isDry: Bool = false, now: Date,
        where fits: @escaping @Sendable (MemCube) -> Bool
    ) async throws
        -> Int
    {
        var count = 0, last: CubeID?
        while true {
            try Task.checkCancellation()
            let (archived, next) = try await run { [store, last] () -> (Int, CubeID?) in
                var filter = CubeFilter(owner: owner, limit: 512)
                filter.state = .activated
                filter.after = last
                let page = try store.list(filter, by: .mneme), chosen = page.filter { $0.isPlaintext && fits($0) }
                if !chosen.isEmpty, !isDry {
                    // One request a memory: one that somebody changes at this moment does not keep the others.
                    let caller = Caller(Caller.mneme.principal, operation: "job", reason: reason, time: now)
                    for result in try store.commit(
                        chosen.map { WriteRequest([.archive($0.id)], owner: owner, by: caller) })
                    {
                        do { _ = try result.get() } catch let error as StoreError
                            where error.code == .notFound || error.code == .conflict
                        {}
                    }
                }
                return (chosen.count, page.count < filter.limit ? nil : page.last?.id)
            }
            count += archived
            guard let next else { return count }
            last = next
        }
    }

    private func verify() async throws -> String {
        let (findings, report) = try await run { [self] in
            (
                try store.check(repair: false, by: .mneme) + checkIndexes(repair: false) + [checkCopies(repair: false)],
                try store.verifyAudit(keys: nil, head: nil, by: .mneme)
            )
        }
        let wrong = findings.filter { !$0.sound }.map(\.detail) + report.findings
        guard wrong.isEmpty else { throw InputError("Something is wrong: \(wrong.prefix(5).joined(separator: "; "))") }
        return "\(findings.count) checks, \(report.entries) audit entries: all sound"
    }
}
