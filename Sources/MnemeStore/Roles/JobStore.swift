public import Foundation

/// The queue of jobs and their schedules, with leases for workers.
///
/// All calls are one transaction. Whoever reaches all and may `admin` looks after jobs; workers
/// are Mneme itself.
public protocol JobStore: Sendable {
    /// Puts a job into the queue. One of the same kind, owner and arguments that has not
    /// ended yet is returned instead.
    func enqueue(_ job: Job, by caller: Caller) throws -> Job
    /// A job, or nil.
    func job(_ id: Int64, by caller: Caller) throws -> Job?
    /// Jobs, the latest first.
    func jobs(in states: Set<Job.State>, limit: Int, by caller: Caller) throws -> [Job]
    /// Ends a job that has not ended; one that runs is told when it renews its lease.
    func cancelJob(_ id: Int64, by caller: Caller) throws -> Job
    /// Puts a job that has ended back into the queue, with all its attempts.
    func retryJob(_ id: Int64, by caller: Caller) throws -> Job
    /// Sets a schedule, in place of one of that name.
    func setSchedule(_ schedule: JobSchedule, by caller: Caller) throws
    /// Takes a schedule away.
    func removeSchedule(_ name: String, by caller: Caller) throws
    /// Every schedule.
    func schedules(by caller: Caller) throws -> [JobSchedule]

    // MARK: For workers

    /// Asks for what schedules have due; what was missed meanwhile is asked for once.
    func enqueueScheduled(now: Date) throws -> [Job]
    /// Jobs that are due or run: at most some thousands.
    func queue(now: Date) throws -> [Job]
    /// Takes a job until `end`; nil if another worker was first.
    func lease(_ id: Int64, worker: String, now: Date, until end: Date) throws -> Job?
    /// Ends the lease of a worker that is known to be gone.
    func expireLease(_ id: Int64, worker: String) throws
    /// Keeps a job; false if it was cancelled or is another's by now.
    func renew(_ id: Int64, worker: String, until end: Date) throws -> Bool
    /// Says what became of a job; false if it is another's by now, or was cancelled.
    @discardableResult
    func finish(_ id: Int64, worker: String, _ outcome: JobOutcome, now: Date) throws -> Bool
    /// The number of jobs in each state.
    func jobCounts() throws -> [Job.State: Int]
    /// Removes jobs that ended well, or were cancelled, before a time.
    @discardableResult
    func removeJobs(endedBefore date: Date) throws -> Int
}
