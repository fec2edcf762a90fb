import Foundation
import Logging
import MnemeStore
import NIOConcurrencyHelpers
import Tracing

/// A worker that does the jobs of a store's queue. Several may run beside each other, in one
/// process or many.
///
/// A job is leased for a minute and the lease renewed while it runs, so that a worker that dies
/// gives its job back; a lost lease cancels the attempt. A job may therefore run more than once.
public final class JobRunner: Sendable {
    /// The time for which a job stays its worker's after the last heartbeat, and how often it is
    /// heard of, in seconds.
    private static let lease = 60.0, heartbeat = 15.0

    /// Seconds between two looks at a queue that was empty: schedules are to the minute, and a failed
    /// job's next attempt may come so much later.
    private static let idlePause = 5.0

    /// The memory system whose queue is read.
    private let memory: MemoryOS
    /// Chooses what begins, and when a failed job is tried again.
    private let scheduler: JobScheduler
    /// True while callers wait for answers.
    private let isBusy: @Sendable () -> Bool
    /// This worker's name in leases: machine, process id and a random part, with colons between
    /// them.
    private let worker = "\(machine):\(getpid()):\(UUID().uuidString.prefix(8))"
    /// Names where process ids mean the same: a machine since it was started, and a space of ids on
    /// it.
    private static let machine: String = {
        let boot =
            (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
            .prefix(8) ?? ""
        let space =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid"))?
            .filter(\.isNumber) ?? ""
        return "\(ProcessInfo.processInfo.hostName)/\(boot)/\(space)".replacing(":", with: "-")
    }()
    /// Work that each tenant had lately, for the scheduler; of this worker only, and not kept.
    private let usage = NIOLockedValueBox(JobScheduler.Usage())
    /// True if nothing was due or running at the last look.
    private let isIdle = NIOLockedValueBox(false)
    /// Failures of the queue itself; a job's own error is kept with the job.
    private let logger = Logger(label: "mneme.jobs")

    /// - Parameters:
    ///   - memory: whose jobs are done.
    ///   - scheduler: which job begins when.
    ///   - isBusy: whether callers wait; then only urgent jobs begin.
    public init(
        _ memory: MemoryOS, scheduler: JobScheduler = JobScheduler(),
        isBusy: @escaping @Sendable () -> Bool = { false }
    ) {
        self.memory = memory
        self.scheduler = scheduler
        self.isBusy = isBusy
    }

    /// Looks for work every second until the task is cancelled; what runs then is put back.
    ///
    /// Where servers share the store, and tell each other of jobs, an empty queue is looked at every
    /// `idlePause` seconds only, and when one is added.
    public func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                var pause = 1.0
                do {
                    for job in try await begin() { group.addTask { await self.work(job) } }
                    if isIdle.withLockedValue(\.self), memory.isFollowing { pause = Self.idlePause }
                } catch {
                    logger.debug("the queue could not be read", metadata: ["error": "\(error)"])
                }
                await memory.jobSignal.wait(atMost: .seconds(pause))
            }
            group.cancelAll()
        }
    }

    /// Does what is due, and what comes of it, until nothing is left that could begin.
    ///
    /// - Returns: how many attempts were made.
    public func drain() async throws -> Int {
        var attempts = 0
        while true {
            let jobs = try await begin()
            if jobs.isEmpty { return attempts }
            attempts += jobs.count
            await withDiscardingTaskGroup { group in
                for job in jobs { group.addTask { await self.work(job) } }
            }
            try Task.checkCancellation()
        }
    }

    /// True if a worker's process ran on this machine and has ended: nobody need wait for its lease
    /// to end. False for workers of other machines, which cannot be asked.
    private static func isGone(_ worker: String) -> Bool {
        let parts = worker.split(separator: ":")
        guard parts.count == 3, parts[0] == machine, let process = pid_t(parts[1]) else {
            return false
        }
        return kill(process, 0) != 0 && errno == ESRCH
    }

    /// Leases the jobs that the scheduler chooses: schedules that are due are put into the queue
    /// first, and leases of dead workers ended.
    ///
    /// - Returns: those that this worker got; another one may have been faster.
    private func begin() async throws -> [Job] {
        try await memory.run { [self] in
            let store = memory.store
            let now = memory.now
            _ = try store.enqueueScheduled(now: now)
            var queue = try store.queue(now: now)
            let lost = queue.filter { $0.worker.map(Self.isGone) ?? false }
            if !lost.isEmpty {
                for job in lost { try store.expireLease(job.id, worker: job.worker!) }
                queue = try store.queue(now: now)
            }
            isIdle.withLockedValue { [queue] in $0 = queue.isEmpty }
            guard !queue.isEmpty else { return [] }
            let used = usage.withLockedValue { $0.used(now: now) }
            return try scheduler.choose(
                JobScheduler.View(now: now, jobs: queue, used: used, isBusy: isBusy())
            )
            .compactMap {
                try store.lease(
                    $0, worker: worker, now: now, until: now.addingTimeInterval(Self.lease))
            }
        }
    }

    /// Makes one attempt at a job, with a lease that is renewed every 15 seconds, and writes its
    /// outcome: done, failed with the time of the next attempt, or put back if this worker is
    /// stopped.
    private func work(_ job: Job) async {
        let start = memory.now
        let clock = ContinuousClock()
        let began = clock.now
        let store = memory.store
        let worker = worker
        let attempt = Task {
            try await withSpan("job \(job.kind)", ofKind: .consumer) { span in
                span.attributes["mneme.attempt"] = job.attempts
                return try await memory.perform(job, now: start)
            }
        }
        let heart = Task {
            while true {
                try await Task.sleep(for: .seconds(Self.heartbeat))
                // Whoever cancelled it, or has it by now, wants it ended here.
                let end = memory.now.addingTimeInterval(Self.lease)
                if try await !memory.run({ try store.renew(job.id, worker: worker, until: end) }) {
                    attempt.cancel()
                }
            }
        }
        let outcome: JobOutcome
        do {
            outcome = .done(
                try await withTaskCancellationHandler {
                    try await attempt.value
                } onCancel: {
                    attempt.cancel()
                })
        } catch is CancellationError {
            outcome = .released
        } catch {
            outcome = .failed("\(error)", retry: scheduler.retry(job, now: memory.now))
        }
        heart.cancel()
        usage.withLockedValue {
            $0.add((clock.now - began) / .seconds(1), tenant: job.tenant, now: memory.now)
        }
        do {
            // In a task of its own, as this one may be cancelled: the store has to know.
            _ = try await Task { [memory] in
                try await memory.run {
                    try store.finish(job.id, worker: worker, outcome, now: memory.now)
                }
            }.value
        } catch {
            logger.debug(
                "a job's end was not written; its lease will end",
                metadata: ["job": "\(job.id)", "error": "\(error)"])
        }
    }
}
