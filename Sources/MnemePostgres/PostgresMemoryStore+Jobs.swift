public import Foundation
public import MnemeStore

/// The queue of jobs: what workers decide among themselves is one conditional `UPDATE` each. Of two
/// that want the same row the second waits for the first, and then looks at the condition again
/// (PostgreSQL documentation, 13.2.1 "Read Committed"): one of all servers' workers succeeds.
extension PostgresMemoryStore {
    /// Jobs that a scheduler looks at in one step.
    private static let window = 4_096

    /// Jobs that fit a condition in SQL, which is never made of what a caller sent.
    private static func jobs(_ db: PGConnection, _ condition: String, _ arguments: PGArguments = [])
        throws -> [Job]
    {
        try db.rows("SELECT * FROM job WHERE " + condition, arguments).map { try $0.job() }
    }

    /// Adds a job, unless the same work waits or runs already: then that is returned. Only the
    /// store's writer may, so that two servers do not both add it.
    private static func insert(_ job: Job, _ db: PGConnection) throws -> Job {
        let arguments = try StoreCoding.encode(job.arguments)
        let same = try jobs(
            db,
            """
            kind = ? AND tenant IS NOT DISTINCT FROM ? AND "user" IS NOT DISTINCT FROM ? AND arguments = ?
                AND state IN ('waiting', 'running') ORDER BY id LIMIT 1
            """, [job.kind, job.owner?.tenant, job.owner?.user, arguments])
        if let known = same.first { return known }
        let added = try db.first(
            """
            INSERT INTO job (kind, tenant, "user", arguments, priority, state, attempts, maximum_attempts, created, due,
                schedule)
            VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?, ?) RETURNING *
            """,
            [
                job.kind, job.owner?.tenant, job.owner?.user, arguments, job.priority,
                job.maximumAttempts, job.created.timeIntervalSince1970,
                job.due.timeIntervalSince1970, job.schedule,
            ])
        guard let added else { throw StoreError(.corrupt, "A job was not kept. Run `mneme doctor`.") }
        return try added.job()
    }

    /// Runs an administrator's change of jobs, and writes it to the audit log.
    private func administer<T>(
        _ caller: Caller, _ operation: String, _ detail: String, _ body: (PGConnection) throws -> T
    ) throws -> T {
        if !caller.isInternal { try requireAll(.admin, caller) }
        return try audited { transaction in
            let result = try body(transaction.db)
            transaction.hasJobs = true
            if !caller.isInternal {
                var entry = AuditEntry(caller, nil, default: operation)
                entry.detail = detail
                try transaction.append(entry)
            }
            return result
        }
    }

    /// Returns the job that waits or runs where the same is asked for again.
    public func enqueue(_ job: Job, by caller: Caller) throws -> Job {
        try TextRules.requireStorable(job.texts)
        return try administer(caller, "jobs", "add \(job.kind)") { try Self.insert(job, $0) }
    }

    /// For administrators and for Mneme itself.
    public func job(_ id: Int64, by caller: Caller) throws -> Job? {
        if !caller.isInternal { try requireAll(.admin, caller) }
        return try read { try Self.jobs($0, "id = ?", [id]).first }
    }

    /// The latest first.
    public func jobs(in states: Set<Job.State>, limit: Int, by caller: Caller) throws -> [Job] {
        if !caller.isInternal { try requireAll(.admin, caller) }
        return try read {
            try Self.jobs(
                $0, "state = ANY (?::text[]) ORDER BY id DESC LIMIT ?", [states.map(\.rawValue), limit])
        }
    }

    /// A step of a job's life that an administrator takes.
    ///
    /// - Parameters:
    ///   - operation: the step's name in the audit log.
    ///   - step: SQL with one parameter, the caller's time; what holds for jobs which may take the
    ///     step; and how the sentence goes on for those that may not.
    /// - Throws: `StoreError`.
    private func change(
        _ id: Int64, _ operation: String, _ step: (to: String, where: String, refusal: String), _ caller: Caller
    ) throws -> Job {
        try administer(caller, "jobs", "\(operation) \(id)") { db in
            let changed = try db.changes(
                "UPDATE job SET \(step.to) WHERE id = ? AND \(step.where)",
                [caller.time.timeIntervalSince1970, id])
            guard let job = try Self.jobs(db, "id = ?", [id]).first else {
                throw StoreError(.notFound, "There is no job \(id).")
            }
            guard changed > 0 else {
                throw StoreError(.conflict, "Job \(id) is \(job.state.rawValue); \(step.refusal)")
            }
            return job
        }
    }

    /// The worker is not interrupted: it learns of it at its next ``renew(_:worker:until:)``.
    public func cancelJob(_ id: Int64, by caller: Caller) throws -> Job {
        try change(
            id, "cancel",
            (
                "state = 'cancelled', finished = ?", "state IN ('waiting', 'running')",
                "what has ended cannot be cancelled."
            ), caller)
    }

    /// Due at the caller's time, whatever it was due at before.
    public func retryJob(_ id: Int64, by caller: Caller) throws -> Job {
        try change(
            id, "retry",
            (
                "state = 'waiting', due = ?, attempts = 0, finished = NULL, worker = NULL, lease_end = NULL",
                "state IN ('done', 'dead', 'cancelled')", "it will be done anyway."
            ), caller)
    }

    // MARK: Schedules

    /// The name is bounded, as it stands in the audit log and in every job that it asks for.
    public func setSchedule(_ schedule: JobSchedule, by caller: Caller) throws {
        guard (1...64).contains(schedule.name.utf8.count) else {
            throw StoreError(.conflict, "A schedule's name has 1 to 64 bytes.")
        }
        try TextRules.requireStorable([schedule.name] + schedule.job.texts)
        try administer(caller, "jobs", "schedule \(schedule.name)") { db in
            try db.run(
                """
                INSERT INTO schedule (name, cron, job, last) VALUES (?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, job = excluded.job, last = excluded.last
                """,
                [
                    schedule.name, schedule.cron.description, try StoreCoding.encode(schedule.job),
                    schedule.last.timeIntervalSince1970,
                ])
        }
    }

    /// Jobs that it has asked for stay.
    public func removeSchedule(_ name: String, by caller: Caller) throws {
        try TextRules.requireStorable([name])
        try administer(caller, "jobs", "unschedule \(name)") { db in
            guard try db.changes("DELETE FROM schedule WHERE name = ?", [name]) > 0 else {
                throw StoreError(.notFound, "There is no schedule '\(name.prefix(64))'.")
            }
        }
    }

    private static func schedules(_ db: PGConnection) throws -> [JobSchedule] {
        try db.rows("SELECT * FROM schedule ORDER BY name").map { try $0.schedule() }
    }

    /// By name.
    public func schedules(by caller: Caller) throws -> [JobSchedule] {
        if !caller.isInternal { try requireAll(.admin, caller) }
        return try read(Self.schedules)
    }

    /// As `JobStore` has it. The time is moved on in the transaction that adds the job: of several
    /// servers one asks.
    public func enqueueScheduled(now: Date) throws -> [Job] {
        // Most of the time nothing is due, and nothing need be written.
        guard
            try read(Self.schedules).contains(where: {
                $0.cron.next(after: $0.last).map { $0 <= now } ?? false
            })
        else { return [] }
        return try write { transaction in
            transaction.hasJobs = true
            return try Self.schedules(transaction.db).compactMap { schedule in
                guard let next = schedule.cron.next(after: schedule.last), next <= now else {
                    return nil
                }
                var job = schedule.job
                (job.created, job.due, job.schedule) = (now, next, schedule.name)
                try transaction.db.run(
                    "UPDATE schedule SET last = ? WHERE name = ?",
                    [now.timeIntervalSince1970, schedule.name])
                return try Self.insert(job, transaction.db)
            }
        }
    }

    // MARK: For workers

    /// Lists waiting jobs, and running ones, too: the scheduler counts them, and takes over what lost
    /// its worker.
    public func queue(now: Date) throws -> [Job] {
        try read { db in
            try Self.jobs(
                db,
                """
                state = 'running' OR (state = 'waiting' AND due <= ?)
                ORDER BY priority DESC, due, id LIMIT \(Self.window)
                """, [now.timeIntervalSince1970])
        }
    }

    /// One conditional update decides between workers of all servers. A job whose workers were lost
    /// as often as it may fail is dead: it may be what ends them.
    ///
    /// Where the answer to the first commit was lost, the worker may have the lease already.
    public func lease(_ id: Int64, worker: String, now: Date, until end: Date) throws -> Job? {
        let (time, end) = (now.timeIntervalSince1970, end.timeIntervalSince1970)
        var isAgain = false
        return try unordered { db in
            defer { isAgain = true }
            if isAgain,
                let own = try Self.jobs(
                    db, "id = ? AND state = 'running' AND worker = ? AND started = ? AND lease_end = ?",
                    [id, worker, time, end]
                ).first
            {
                return own
            }
            try db.run(
                """
                UPDATE job SET state = 'dead', finished = ?, message = 'Its workers were lost, one after the other.',
                    worker = NULL, lease_end = NULL
                WHERE id = ? AND state = 'running' AND lease_end < ? AND attempts >= maximum_attempts
                """, [time, id, time])
            return try db.first(
                """
                UPDATE job SET state = 'running', worker = ?, lease_end = ?, started = ?, attempts = attempts + 1
                WHERE id = ? AND ((state = 'waiting' AND due <= ?) OR (state = 'running' AND lease_end < ?))
                RETURNING *
                """, [worker, end, time, id, time, time])?.job()
        }
    }

    /// Sets the end of the lease to 1970, so that it has passed for every clock.
    public func expireLease(_ id: Int64, worker: String) throws {
        try unordered { db in
            try db.run(
                "UPDATE job SET lease_end = 0 WHERE id = ? AND worker = ? AND state = 'running'",
                [id, worker])
        }
    }

    /// A condition on worker and state, so that a cancelled job is not taken back.
    public func renew(_ id: Int64, worker: String, until end: Date) throws -> Bool {
        try unordered { db in
            try db.changes(
                "UPDATE job SET lease_end = ? WHERE id = ? AND worker = ? AND state = 'running'",
                [end.timeIntervalSince1970, id, worker]) > 0
        }
    }

    /// As `JobStore` has it. Only the worker that holds the lease has a say; a job that is put down
    /// does not count as an attempt. Where the answer to the first commit was lost, the job may have this
    /// end already.
    @discardableResult
    public func finish(_ id: Int64, worker: String, _ outcome: JobOutcome, now: Date) throws -> Bool {
        let end = JobEnd(outcome, at: now)
        var isAgain = false
        return try unordered { db in
            defer { isAgain = true }
            if isAgain,
                try !Self.jobs(
                    db,
                    """
                    id = ? AND state = ? AND worker IS NULL AND message IS NOT DISTINCT FROM coalesce(?, message)
                        AND due = coalesce(?, due) AND finished IS NOT DISTINCT FROM ?
                    """, [id, end.state.rawValue, end.message, end.due, end.finished]
                ).isEmpty
            {
                return true
            }
            // What waits again another server may take up.
            if end.state == .waiting { try notices.send([PGNotices.jobs], db) }
            return try db.changes(
                """
                UPDATE job SET state = ?, message = coalesce(?, message), due = coalesce(?, due), finished = ?,
                    attempts = attempts - ?, worker = NULL, lease_end = NULL
                WHERE id = ? AND worker = ? AND state = 'running'
                """,
                [
                    end.state.rawValue, end.message, end.due, end.finished, end.attempts, id, worker,
                ]) > 0
        }
    }

    /// States that this version does not know are left out.
    public func jobCounts() throws -> [Job.State: Int] {
        try read { db in
            Dictionary(
                try db.rows("SELECT state, count(*) AS count FROM job GROUP BY state").compactMap { row in
                    try Job.State(rawValue: row.value("state")).map { ($0, try row.value("count")) }
                }, uniquingKeysWith: +)
        }
    }

    /// Dead jobs stay: somebody is to look at them.
    @discardableResult
    public func removeJobs(endedBefore date: Date) throws -> Int {
        try unordered { db in
            try db.changes(
                "DELETE FROM job WHERE state IN ('done', 'cancelled') AND finished < ?",
                [date.timeIntervalSince1970])
        }
    }
}
