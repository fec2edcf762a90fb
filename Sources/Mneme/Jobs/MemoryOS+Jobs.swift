public import Foundation
public import MnemeStore

/// Background jobs of a memory system: putting them into the queue, counting them, and doing one.
extension MemoryOS {
    /// Puts a job into the queue.
    ///
    /// - Throws: `InputError` for what no job takes, `AccessError`.
    public func enqueue(
        _ kind: JobKind, owner: Owner? = nil, arguments: [String: String] = [:], priority: Int = 0,
        due: Date? = nil,
        by caller: Caller = .local
    ) async throws -> Job {
        let job = try Self.job(
            kind, owner: owner, arguments: arguments, priority: priority, due: due,
            now: caller.time,
            maintainers: maintainers)
        return try await run { [store] in try store.enqueue(job, by: caller) }
    }

    /// Counts the jobs in each state.
    public func jobCounts() async throws -> [Job.State: Int] {
        try await run { [store] in try store.jobCounts() }
    }

    /// A job, its arguments checked before anybody waits for it.
    ///
    /// - Parameters:
    ///   - kind: what is to be done.
    ///   - owner: whose memories; nil for all.
    ///   - arguments: of the kind, by name.
    ///   - priority: from -100 to 100; higher ones begin first.
    ///   - due: when it may begin; at once if nil.
    ///   - now: the time at which it is asked for.
    ///   - maintainers: those that may be asked.
    /// - Throws: `InputError` for what none of them takes.
    public static func job(
        _ kind: JobKind, owner: Owner?, arguments: [String: String], priority: Int = 0,
        due: Date? = nil,
        now: Date = Date(), maintainers: [any Maintainer] = Maintainers.standard
    ) throws -> Job {
        let name = kind.rawValue
        let maintainer = try maintainers.require(kind)
        try maintainer.requireValid(arguments)
        if owner != nil, !maintainer.isPerOwner {
            throw InputError("\(name) is done for the store as a whole.")
        }
        guard (-100...100).contains(priority) else {
            throw InputError("A priority lies between -100 and 100.")
        }
        return Job(
            name, owner: owner, arguments: arguments, priority: priority, created: now, due: due)
    }

    /// Does one job.
    ///
    /// A job without an owner, of a kind that each owner has, is replaced by one job an owner.
    ///
    /// - Returns: the outcome, in words.
    /// - Throws: what the job fails with; `StoreError` of code `newerVersion` for an unknown kind,
    ///   `InputError` for arguments that mean nothing. It is the queue that tries again.
    func perform(_ job: Job, now: Date) async throws -> String {
        guard let maintainer = maintainers.first(of: JobKind(rawValue: job.kind)) else {
            throw StoreError(
                .newerVersion, "This Mneme does not know the job '\(job.kind)'. Update it.")
        }
        // The queue may hold a job of an earlier version, which took values that mean nothing.
        try maintainer.requireValid(job.arguments)
        if maintainer.isPerOwner, job.owner == nil {
            // One job an owner: each has its turn, and none holds up the others.
            let owners = try await run { [store] in try store.owners() }
            for owner in owners {
                var part = Job(
                    job.kind, owner: owner, arguments: job.arguments, priority: job.priority,
                    created: now)
                part.schedule = job.schedule
                _ = try await run { [store, part] in try store.enqueue(part, by: .mneme) }
            }
            return "one job each for \(owners.count) \(owners.count == 1 ? "user" : "users")"
        }
        return try await maintainer.perform(
            MaintenanceRun(memory: self, owner: job.owner, arguments: job.arguments, now: now))
    }

    /// Archives an owner's activated texts that fit, page by page.
    ///
    /// - Parameters:
    ///   - reason: stands in the journal with each.
    ///   - isDry: counts only.
    ///   - now: the time of the changes.
    ///   - fits: a pure test of one memory.
    /// - Returns: how many fit; one that somebody changed at this moment is counted, and left.
    /// - Complexity: one pass over the owner's activated memories, 512 in memory at a time.
    func archive(
        _ owner: Owner, reason: String, isDry: Bool = false, now: Date,
        where fits: @escaping @Sendable (MemCube) -> Bool
    ) async throws -> Int {
        var filter = CubeFilter(owner: owner, limit: 512)
        filter.state = .activated
        var pages = CubePages(filter, by: .mneme)
        let caller = Caller(Caller.mneme.principal, operation: "job", reason: reason, time: now)
        var count = 0
        while let page = try await pages.next(from: self) {
            let chosen = page.filter { $0.isPlaintext && fits($0) }
            count += chosen.count
            guard !chosen.isEmpty, !isDry else { continue }
            try await run { [store] in
                // One request a memory: one that somebody changes at this moment does not keep the
                // others.
                let requests = chosen.map {
                    WriteRequest([.archive($0.id)], owner: owner, by: caller)
                }
                for result in try store.commit(requests) {
                    do { _ = try result.get() } catch let error as StoreError
                        where error.code == .notFound || error.code == .conflict
                    {}
                }
            }
        }
        return count
    }
}
