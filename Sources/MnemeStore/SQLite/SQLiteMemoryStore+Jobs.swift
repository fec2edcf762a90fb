public import Foundation
import GRDB

/// The queue in SQLite: what workers decide among themselves is one conditional `UPDATE` each, so
/// that of several processes one succeeds.
extension SQLiteMemoryStore {
    /// Jobs that a scheduler looks at in one step.
    private static let window = 4_096

    /// Jobs that fit a condition in SQL, which is never made of what a caller sent.
    private static func jobs(
        _ db: Database, _ condition: String, _ arguments: StatementArguments = []
    ) throws -> [Job] {
        try Row.fetchAll(db, sql: "SELECT * FROM job WHERE " + condition, arguments: arguments).map {
            try $0.job()
        }
    }

    /// Adds a job, unless the same work waits or runs already: then that is returned.
    private static func insert(_ job: Job, _ db: Database) throws -> Job {
        let arguments = try StoreCoding.encode(job.arguments)
        let same = try jobs(
            db,
            "kind = ? AND tenant IS ? AND user IS ? AND arguments = ? AND state IN ('waiting', 'running') LIMIT 1",
            [job.kind, job.owner?.tenant, job.owner?.user, arguments])
        if let known = same.first { return known }
        try db.execute(
            sql: """
                INSERT INTO job (kind, tenant, user, arguments, priority, state, attempts, maximum_attempts, created, due, schedule)
                VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?, ?)
                """,
            arguments: [
                job.kind, job.owner?.tenant, job.owner?.user, arguments, job.priority,
                job.maximumAttempts,
                job.created.timeIntervalSince1970,
                job.due.timeIntervalSince1970, job.schedule,
            ])
        guard let added = try jobs(db, "id = ?", [db.lastInsertedRowID]).first else {
            throw StoreError(.corrupt, "A job was not kept. Run `mneme doctor`.")
        }
        return added
    }

    /// Never back: two workers may report out of order.
    public func setProgress(_ id: CubeID, of work: String, owner: Owner) throws {
        try write { db in
            try db.execute(
                sql: """
                    INSERT INTO progress (owner, work, seq) SELECT owner.id, ?, cube.seq FROM cube JOIN owner ON owner.id = cube.owner
                    WHERE cube.id = ? AND owner.tenant = ? AND owner.user = ?
                    ON CONFLICT (owner, work) DO UPDATE SET seq = max(seq, excluded.seq)
                    """, arguments: [work, id.description, owner.tenant, owner.user])
        }
    }

    /// Runs an administrator's change of jobs, and writes it to the audit log.
    private func administer<T>(
        _ caller: Caller, _ operation: String, _ detail: String, _ body: (Database) throws -> T
    )
        throws -> T
    {
        if !caller.isInternal { try requireAll(.admin, caller) }
        return try audited { db, chain in
            let result = try body(db)
            if !caller.isInternal {
                var entry = AuditEntry(caller, nil, default: operation)
                entry.detail = detail
                try chain.append(entry, db)
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

    /// The states are names of this type, so that they can stand in SQL.
    public func jobs(in states: Set<Job.State>, limit: Int, by caller: Caller) throws -> [Job] {
        if !caller.isInternal { try requireAll(.admin, caller) }
        let names = states.map { "'\($0.rawValue)'" }.joined(separator: ",")
        return try read {
            try Self.jobs($0, "state IN (\(names)) ORDER BY id DESC LIMIT ?", [limit])
        }
    }

    /// A step of a job's life that an administrator takes.
    ///
    /// - Parameters:
    ///   - operation: the step's name in the audit log.
    ///   - step: SQL with one parameter, the caller's time; what holds for jobs which may take the
    ///     step; and how the sentence goes on for those that may not.
    /// - Throws: ``StoreError``.
    private func change(
        _ id: Int64, _ operation: String,
        _ step: (to: String, where: String, refusal: String), _ caller: Caller
    ) throws -> Job {
        try administer(caller, "jobs", "\(operation) \(id)") { db in
            try db.execute(
                sql: "UPDATE job SET \(step.to) WHERE id = ? AND \(step.where)",
                arguments: [caller.time.timeIntervalSince1970, id])
            let isChanged = db.changesCount > 0
            guard let job = try Self.jobs(db, "id = ?", [id]).first else {
                throw StoreError(.notFound, "There is no job \(id).")
            }
            guard isChanged else {
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

    /// The name is bounded, as it stands in the audit log and in every job that it asks for.
    public func setSchedule(_ schedule: JobSchedule, by caller: Caller) throws {
        guard (1...64).contains(schedule.name.utf8.count) else {
            throw StoreError(.conflict, "A schedule's name has 1 to 64 bytes.")
        }
        try TextRules.requireStorable([schedule.name] + schedule.job.texts)
        try administer(caller, "jobs", "schedule \(schedule.name)") { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO schedule (name, cron, job, last) VALUES (?, ?, ?, ?)",
                arguments: [
                    schedule.name, schedule.cron.description, try StoreCoding.encode(schedule.job),
                    schedule.last.timeIntervalSince1970,
                ])
        }
    }

    /// Jobs that it has asked for stay.
    public func removeSchedule(_ name: String, by caller: Caller) throws {
        try TextRules.requireStorable([name])
        try administer(caller, "jobs", "unschedule \(name)") { db in
            try db.execute(sql: "DELETE FROM schedule WHERE name = ?", arguments: [name])
            guard db.changesCount > 0 else {
                throw StoreError(.notFound, "There is no schedule '\(name.prefix(64))'.")
            }
        }
    }

    /// All schedules, by name.
    private static func schedules(_ db: Database) throws -> [JobSchedule] {
        try Row.fetchAll(db, sql: "SELECT * FROM schedule ORDER BY name").map { try $0.schedule() }
    }

    /// By name.
    public func schedules(by caller: Caller) throws -> [JobSchedule] {
        if !caller.isInternal { try requireAll(.admin, caller) }
        return try read(Self.schedules)
    }

    // MARK: For workers

    /// As ``JobStore`` has it. The time is moved on in the transaction that adds the job: two
    /// processes ask once.
    public func enqueueScheduled(now: Date) throws -> [Job] {
        // Most of the time nothing is due, and nothing need be written.
        guard
            try read(Self.schedules).contains(where: {
                $0.cron.next(after: $0.last).map { $0 <= now } ?? false
            })
        else { return [] }
        return try write { db in
            try Self.schedules(db).compactMap { schedule in
                guard let next = schedule.cron.next(after: schedule.last), next <= now else {
                    return nil
                }
                var job = schedule.job
                (job.created, job.due, job.schedule) = (now, next, schedule.name)
                try db.execute(
                    sql: "UPDATE schedule SET last = ? WHERE name = ?",
                    arguments: [now.timeIntervalSince1970, schedule.name])
                return try Self.insert(job, db)
            }
        }
    }

    /// Lists waiting jobs, and running ones, too: the scheduler counts it, and takes over what lost
    /// its worker.
    public func queue(now: Date) throws -> [Job] {
        try read { db in
            try Self.jobs(
                db,
                "state = 'running' OR (state = 'waiting' AND due <= ?) ORDER BY priority DESC, due LIMIT \(Self.window)",
                [now.timeIntervalSince1970])
        }
    }

    /// One conditional update decides between workers of any process. A job whose workers were lost
    /// as often as it may fail is dead: it may be what ends them.
    public func lease(_ id: Int64, worker: String, now: Date, until end: Date) throws -> Job? {
        try write { db in
            let time = now.timeIntervalSince1970
            // Its worker was lost as often as it may fail: it may be what loses them.
            try db.execute(
                sql: """
                    UPDATE job SET state = 'dead', finished = ?, message = 'Its workers were lost, one after the other.', worker = NULL, lease_end = NULL
                    WHERE id = ? AND state = 'running' AND lease_end < ? AND attempts >= maximum_attempts
                    """, arguments: [time, id, time])
            try db.execute(
                sql: """
                    UPDATE job SET state = 'running', worker = ?, lease_end = ?, started = ?, attempts = attempts + 1
                    WHERE id = ? AND ((state = 'waiting' AND due <= ?) OR (state = 'running' AND lease_end < ?))
                    """, arguments: [worker, end.timeIntervalSince1970, time, id, time, time])
            return db.changesCount > 0 ? try Self.jobs(db, "id = ?", [id]).first : nil
        }
    }

    /// Sets the end of the lease to 1970, so that it has passed for every clock.
    public func expireLease(_ id: Int64, worker: String) throws {
        try write { db in
            try db.execute(
                sql:
                    "UPDATE job SET lease_end = 0 WHERE id = ? AND worker = ? AND state = 'running'",
                arguments: [id, worker])
        }
    }

    /// A condition on worker and state, so that a cancelled job is not taken back.
    public func renew(_ id: Int64, worker: String, until end: Date) throws -> Bool {
        try write { db in
            try db.execute(
                sql:
                    "UPDATE job SET lease_end = ? WHERE id = ? AND worker = ? AND state = 'running'",
                arguments: [end.timeIntervalSince1970, id, worker])
            return db.changesCount > 0
        }
    }

    /// As ``JobStore`` has it. Only the worker that holds the lease has a say; a job that is put
    /// down does not count as an attempt.
    @discardableResult
    public func finish(_ id: Int64, worker: String, _ outcome: JobOutcome, now: Date) throws -> Bool {
        let end = JobEnd(outcome, at: now)
        return try write { db in
            try db.execute(
                sql: """
                    UPDATE job SET state = ?, message = coalesce(?, message), due = coalesce(?, due), finished = ?, attempts = attempts - ?, worker = NULL,
                        lease_end = NULL WHERE id = ? AND worker = ? AND state = 'running'
                    """,
                arguments: [
                    end.state.rawValue, end.message, end.due, end.finished, end.attempts, id, worker,
                ])
            return db.changesCount > 0
        }
    }

    /// States that this version does not know are left out.
    public func jobCounts() throws -> [Job.State: Int] {
        try read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT state, count(*) FROM job GROUP BY state")
            return Dictionary(
                try rows.compactMap { row in
                    try Job.State(rawValue: row.read(0)).map { ($0, try row.read(1)) }
                },
                uniquingKeysWith: +)
        }
    }

    /// Dead jobs stay: somebody is to look at them.
    @discardableResult
    public func removeJobs(endedBefore date: Date) throws -> Int {
        try write { db in
            try db.execute(
                sql: "DELETE FROM job WHERE state IN ('done', 'cancelled') AND finished < ?",
                arguments: [date.timeIntervalSince1970])
            return db.changesCount
        }
    }
}
