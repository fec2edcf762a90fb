import Foundation
import Logging
import MnemeStore
import NIOConcurrencyHelpers

/// Does what waits in a store's queue. Several may run beside each other, in one process or many.
public final class JobRunner: Sendable {
    /// How long a job is another's after its worker was heard of last, and how often it is heard of, in seconds.
    private static let lease = 60.0, heartbeat = 15.0

    private let memory: MemoryOS
    private let scheduler: JobScheduler
    private let isBusy: @Sendable () -> Bool
    private let worker = "\(ProcessInfo.processInfo.hostName):\(getpid()):\(UUID().uuidString.prefix(8))"
    private let usage = NIOLockedValueBox(JobScheduler.Usage())
    private let logger = Logger(label: "mneme.jobs")

    /// - Parameter isBusy: whether callers wait; then only urgent jobs begin.
    public init(_ memory: MemoryOS, scheduler: JobScheduler = JobScheduler(), isBusy: @escaping @Sendable () -> Bool = { false }) {
        self.memory = memory
        self.scheduler = scheduler
        self.isBusy = isBusy
    }

    /// Looks for work every second until the task is cancelled; what runs then is put back.
    public func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                do {
                    for job in try await begin() { group.addTask { await self.work(job) } }
                } catch { logger.debug("the queue could not be read", metadata: ["error": "\(error)"]) }
                try? await Task.sleep(for: .seconds(1))
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
            await withDiscardingTaskGroup { group in for job in jobs { group.addTask { await self.work(job) } } }
            try Task.checkCancellation()
        }
    }

    /// Takes what the scheduler chooses.
    private func begin() async throws -> [Job] {
        try await memory.run { [self] in
            let store = memory.store, now = Date()
            _ = try store.enqueueScheduled(now: now)
            let queue = try store.queue(now: now)
            guard !queue.isEmpty else { return [] }
            let used = usage.withLockedValue { $0.used(now: now) }
            return try scheduler.choose(JobScheduler.View(now: now, jobs: queue, used: used, isBusy: isBusy())).compactMap {
                try store.lease($0, worker: worker, now: now, until: now.addingTimeInterval(Self.lease))
            }
        }
    }

    /// One attempt, with a lease that is renewed while it lasts.
    private func work(_ job: Job) async {
        let start = Date(), store = memory.store, worker = worker
        let attempt = Task { try await memory.perform(job, now: start) }
        let heart = Task {
            while true {
                try await Task.sleep(for: .seconds(Self.heartbeat))
                // Whoever cancelled it, or has it by now, wants it ended here.
                if try await !memory.run({ try store.renew(job.id, worker: worker, until: Date().addingTimeInterval(Self.lease)) }) { attempt.cancel() }
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
            outcome = .failed("\(error)", retry: scheduler.retry(job, now: Date()))
        }
        heart.cancel()
        usage.withLockedValue { $0.add(Date().timeIntervalSince(start), tenant: job.tenant, now: Date()) }
        do {
            // Not through the task, which may be cancelled: the store has to know.
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                memory.worker.async { done.resume(with: Result { _ = try store.finish(job.id, worker: worker, outcome, now: Date()) }) }
            }
        } catch { logger.debug("a job's end was not written; its lease will end", metadata: ["job": "\(job.id)", "error": "\(error)"]) }
    }
}
