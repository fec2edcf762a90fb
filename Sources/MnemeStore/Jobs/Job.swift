public import Foundation

/// Work that is done behind the answers: it is in the store, so that no crash loses it.
public struct Job: Sendable, Codable, Identifiable, Equatable {
    /// The job's state.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// It waits until it is due, or for its next attempt.
        case waiting
        /// A worker has it, until its lease ends.
        case running
        /// It ended well.
        case done
        /// It failed as often as it may: somebody has to look at it (`retry` puts it back).
        case dead
        /// Somebody ended it.
        case cancelled

        /// True if nothing more will happen by itself.
        public var isFinal: Bool { self == .done || self == .dead || self == .cancelled }
    }

    /// Its number; 0 before it is in the store.
    public var id: Int64 = 0
    /// The kind of work.
    public var kind: String
    /// For whose memories; nil for all.
    public var owner: Owner?
    /// Arguments of the kind.
    public var arguments: [String: String]
    /// Higher ones go first among those of a tenant.
    public var priority: Int
    /// The job's state.
    public var state = State.waiting
    /// The number of attempts, and the most that there may be.
    public var attempts = 0, maximumAttempts: Int
    /// The time of the request, and the earliest time to begin.
    public var created: Date, due: Date
    /// The time at which it was last begun, and at which it ended.
    public var started: Date?, finished: Date?
    /// The worker, and the end of its lease.
    public var worker: String?, leaseEnd: Date?
    /// The result, or why it failed.
    public var message: String?
    /// The schedule that asked for it.
    public var schedule: String?

    /// Work to be done.
    public init(
        _ kind: String, owner: Owner? = nil, arguments: [String: String] = [:], priority: Int = 0,
        maximumAttempts: Int = 5, created: Date = Date(),
        due: Date? = nil
    ) {
        self.kind = kind
        self.owner = owner
        self.arguments = arguments
        self.priority = priority
        self.maximumAttempts = maximumAttempts
        self.created = created
        self.due = due ?? created
    }

    /// Whose turn it takes: the tenant's; empty for work on the store as a whole.
    public var tenant: String { owner?.tenant ?? "" }
}

/// The end of one attempt.
public enum JobOutcome: Sendable {
    /// It is done.
    case done(String)
    /// It failed and is tried again then; without a date it is dead.
    case failed(String, retry: Date?)
    /// It was put down, through no fault of its own: the attempt does not count.
    case released
}

/// Work that is asked for again and again.
public struct JobSchedule: Sendable, Codable, Equatable {
    /// Its name.
    public var name: String
    /// The times, as cron writes them, in UTC.
    public var cron: CronExpression
    /// The job to ask for; its dates do not matter.
    public var job: Job
    /// The time of the last job, or at which the schedule was made.
    public var last: Date

    /// A schedule that begins at a time.
    public init(name: String, cron: CronExpression, job: Job, since date: Date = Date()) {
        self.name = name
        self.cron = cron
        self.job = job
        last = date
    }
}
