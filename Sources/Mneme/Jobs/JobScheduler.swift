public import Foundation
public import MnemeStore

/// A fair scheduler of background jobs, a pure function of the queue, so that it is tested on
/// simulated time.
///
/// Tenants take turns: the one with the fewest running jobs, and then the least time used, goes
/// first. Among a tenant's jobs the highest priority goes first, and waiting raises it. Two jobs of
/// one kind for one owner never run side by side.
public struct JobScheduler: Sendable {
    /// The state of queue and workers that a decision is made from.
    public struct View: Sendable {
        /// The time of the decision.
        public var now: Date
        /// Jobs that are due or run; one whose lease has ended counts as due.
        public var jobs: [Job]
        /// Seconds of work that each tenant had lately, see ``Usage``.
        public var used: [String: Double]
        /// True while callers wait for answers: then only urgent work begins.
        public var isBusy: Bool

        /// A view; without usage all tenants count as equal.
        public init(now: Date, jobs: [Job], used: [String: Double] = [:], isBusy: Bool = false) {
            self.now = now
            self.jobs = jobs
            self.used = used
            self.isBusy = isBusy
        }
    }

    /// Seconds of work by tenant, decayed exponentially: what is long ago counts less and less.
    public struct Usage: Sendable {
        /// Decayed seconds by tenant, as of `time`; those below a millisecond are dropped.
        private var seconds: [String: Double] = [:]
        /// The time up to which the seconds are decayed.
        private var time = Date(timeIntervalSince1970: 0)
        /// The half-life of a second of work, in seconds.
        private static let halfLife = 600.0

        /// No work yet.
        public init() {}

        /// Decays all to `now`, and gives the seconds that count then. A clock that goes back
        /// decays nothing.
        public mutating func used(now: Date) -> [String: Double] {
            let factor = pow(0.5, max(0, now.timeIntervalSince(time)) / Self.halfLife)
            seconds = seconds.mapValues { $0 * factor }.filter { $0.value > 1e-3 }
            time = max(time, now)
            return seconds
        }

        /// Adds work that has just ended.
        public mutating func add(_ duration: Double, tenant: String, now: Date) {
            _ = used(now: now)
            seconds[tenant, default: 0] += duration
        }
    }

    /// Jobs that run at the same time.
    public var workers: Int
    /// From this priority on, jobs begin though callers wait.
    public var urgent = 10
    /// Seconds of waiting that raise a priority by one.
    public var aging = 600.0
    /// The first and the longest pause before another attempt, in seconds; each is twice the one
    /// before.
    public var firstRetry = 5.0, longestRetry = 3600.0

    /// A scheduler for so many workers.
    public init(workers: Int = 2) { self.workers = workers }

    /// Jobs to begin now, in order.
    ///
    /// - Complexity: some passes over the queue for each job chosen.
    public func choose(_ view: View) -> [Int64] {
        func runs(_ job: Job) -> Bool {
            job.state == .running && job.leaseEnd ?? .distantPast >= view.now
        }
        var running = view.jobs.filter(runs)
        var chosen: [Int64] = []
        var waiting = view.jobs.filter { !$0.state.isFinal && !runs($0) && $0.due <= view.now }
        if view.isBusy { waiting.removeAll { $0.priority < urgent } }
        while running.count < workers {
            let free = waiting.filter { job in
                !running.contains { $0.kind == job.kind && $0.owner == job.owner }
            }
            let counts = Dictionary(grouping: running, by: \.tenant).mapValues(\.count)
            guard
                let next = free.min(by: { a, b in
                    let (left, right) = (order(a, counts, view), order(b, counts, view))
                    return left < right
                })
            else { break }
            chosen.append(next.id)
            running.append(next)
            waiting.removeAll { $0.id == next.id }
        }
        return chosen
    }

    /// The sort key of a waiting job; the least goes first: running jobs of its tenant, seconds the
    /// tenant used, priority with aging, and age.
    private func order(_ job: Job, _ counts: [String: Int], _ view: View) -> (
        Int, Double, Double, Int64
    ) {
        let priority =
            Double(job.priority) + (view.now.timeIntervalSince(job.due) / aging).rounded(.down)
        return (counts[job.tenant] ?? 0, view.used[job.tenant] ?? 0, -priority, job.id)
    }

    /// The time at which a failed job is tried again; nil if it has had all its attempts.
    ///
    /// The pause doubles with each attempt up to ``longestRetry``, and is spread by a fifth both
    /// ways: by the job's id, so that the result can be tested.
    public func retry(_ job: Job, now: Date) -> Date? {
        guard job.attempts < job.maximumAttempts else { return nil }
        let pause = min(longestRetry, firstRetry * pow(2, Double(max(0, job.attempts - 1))))
        // Those that failed together are not tried together.
        let share =
            Double((UInt64(bitPattern: job.id) &* 0x9E37_79B9_7F4A_7C15) >> 40) / Double(1 << 24)
        return now.addingTimeInterval(pause * (0.8 + 0.4 * share))
    }
}
