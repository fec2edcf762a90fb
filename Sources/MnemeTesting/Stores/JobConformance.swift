import Foundation
import MnemeStore

/// Requirements of every ``JobStore``: a queue that several processes share without doing work
/// twice or losing any.
///
/// Times are given to each call, so that leases end here without waiting.
extension MemoryStoreConformance {
    /// Checks of the queue: leases, attempts, cancellation, schedules, and who may look after them.
    static let jobs: [MemoryStoreConformance] = [
        // Holds `enqueue(_:by:)` to kind, owner and arguments until the job has ended. Finds a
        // store that compares the kind alone, or that lets a running job be asked for again.
        check("the same work is asked for once, until it has ended") { store in
            let first = try store.enqueue(job("tidy", 1), by: .local)
            try expect(first.id > 0 && first.state == .waiting && first.attempts == 0)
            try expect(store.enqueue(job("tidy", 2), by: .local).id == first.id)
            var other = job("tidy", 2)
            other.arguments = ["days": "3"]
            try expect(store.enqueue(other, by: .local).id != first.id)
            other = job("tidy", 2)
            other.owner = alice
            try expect(store.enqueue(other, by: .local).id != first.id)
            _ = try store.lease(first.id, worker: "a", now: time(3), until: time(9))
            try expect(store.enqueue(job("tidy", 4), by: .local).id == first.id)
            try store.finish(first.id, worker: "a", .done("tidied"), now: time(5))
            try expect(store.enqueue(job("tidy", 6), by: .local).id != first.id)
            try expect(store.job(first.id, by: .local)?.message == "tidied")
        },
        // Holds `lease`, `renew` and `finish` to the worker and the end of its lease. Finds a store
        // where a worker that came to a halt can still report, or that gives a job out before it is
        // due.
        check("of several workers one gets a job, until its lease ends") { store in
            let id = try store.enqueue(job("tidy", 1), by: .local).id
            try expect(store.lease(id, worker: "a", now: time(0), until: time(9)) == nil)
            let taken = try require(store.lease(id, worker: "a", now: time(2), until: time(10)))
            try expect(taken.worker == "a" && taken.state == .running && taken.attempts == 1)
            try expect(store.lease(id, worker: "b", now: time(9), until: time(20)) == nil)
            try expect(
                store.renew(id, worker: "a", until: time(15))
                    && !store.renew(id, worker: "b", until: time(99)))
            try expect(store.lease(id, worker: "b", now: time(12), until: time(20)) == nil)
            let other = try require(store.lease(id, worker: "b", now: time(16), until: time(30)))
            try expect(other.worker == "b" && other.attempts == 2)
            // Whoever lost it has no say any more.
            try expect(!store.renew(id, worker: "a", until: time(99)))
            try expect(!store.finish(id, worker: "a", .done("late"), now: time(17)))
            try expect(store.finish(id, worker: "b", .done("done"), now: time(18)))
            try expect(
                store.job(id, by: .local)?.state == .done && store.queue(now: time(99)).isEmpty)
        },
        // Holds `lease` to one transaction. Finds a store that reads and writes in two steps: two
        // of eight threads then take the same job.
        check("threads that ask for one job at once get it once") { store in
            let id = try store.enqueue(job("tidy", 1), by: .local).id
            let taken = Counter()
            DispatchQueue.concurrentPerform(iterations: 8) { worker in
                if let found = try? store.lease(
                    id, worker: "\(worker)", now: time(2), until: time(10)), found.id == id
                {
                    taken.add()
                }
            }
            try expect(taken.count == 1)
        },
        // Holds `finish(_:worker:_:now:)` with `.failed` and `retryJob(_:by:)`. Finds a store that
        // retries before the time that was said, that retries what is dead, or that keeps counting
        // old attempts after somebody has put the job back.
        check(
            "what fails is tried again when it is said, and then is dead until somebody puts it back"
        ) { store in
            let id = try store.enqueue(job("tidy", 1), by: .local).id
            _ = try store.lease(id, worker: "a", now: time(2), until: time(10))
            try store.finish(id, worker: "a", .failed("disk", retry: time(50)), now: time(3))
            try expect(
                store.job(id, by: .local)?.state == .waiting
                    && store.job(id, by: .local)?.message == "disk")
            try expect(
                store.queue(now: time(49)).isEmpty && store.queue(now: time(50)).map(\.id) == [id])
            try expect(store.lease(id, worker: "a", now: time(49), until: time(60)) == nil)
            try expect(store.lease(id, worker: "a", now: time(50), until: time(60))?.attempts == 2)
            try store.finish(id, worker: "a", .failed("gone", retry: nil), now: time(51))
            try expect(
                store.job(id, by: .local)?.state == .dead && store.queue(now: time(99)).isEmpty)
            try expect(store.jobs(in: [.dead], limit: 9, by: .local).map(\.id) == [id])
            let again = try store.retryJob(id, by: at(60))
            try expect(again.state == .waiting && again.attempts == 0)
            try expectError(.conflict) { _ = try store.retryJob(id, by: at(61)) }
            try expect(store.lease(id, worker: "b", now: time(62), until: time(70))?.attempts == 1)
        },
        // Holds `.released` and `Job.maximumAttempts`. Finds a store that counts a shutdown as a
        // failed attempt, or one that gives a job that kills its worker to the next worker for
        // ever.
        check("what is put down does not count, and what loses its workers is dead") { store in
            var twice = job("tidy", 1)
            twice.maximumAttempts = 2
            let id = try store.enqueue(twice, by: .local).id
            _ = try store.lease(id, worker: "a", now: time(2), until: time(10))
            try store.finish(id, worker: "a", .released, now: time(3))
            try expect(
                store.job(id, by: .local)?.attempts == 0
                    && store.queue(now: time(3)).map(\.id) == [id])
            for attempt in 1...2 {
                let now = Double(attempt * 20)
                let taken = try store.lease(
                    id, worker: "w\(attempt)", now: time(now), until: time(now + 5))
                try expect(taken?.attempts == attempt)
            }
            try expect(store.lease(id, worker: "w3", now: time(60), until: time(70)) == nil)
            try expect(store.job(id, by: .local)?.state == .dead)
        },
        // Holds `expireLease(_:worker:)` to the worker that is named. Finds a store that ends the
        // lease of a live worker because another is known to be gone.
        check("a lease is ended for a worker that is gone") { store in
            let id = try store.enqueue(job("tidy", 1), by: .local).id
            _ = try store.lease(id, worker: "a", now: time(2), until: time(1_000))
            try store.expireLease(id, worker: "b")
            try expect(store.lease(id, worker: "c", now: time(3), until: time(9)) == nil)
            try store.expireLease(id, worker: "a")
            try expect(store.lease(id, worker: "c", now: time(3), until: time(9))?.worker == "c")
        },
        // Holds `cancelJob(_:by:)` and `removeJobs(endedBefore:)`. Finds a store where the worker's
        // report overwrites the cancellation, or that removes jobs younger than was asked for.
        check("a cancelled job is done by nobody") { store in
            let id = try store.enqueue(job("tidy", 1), by: .local).id
            _ = try store.lease(id, worker: "a", now: time(2), until: time(10))
            try expect(store.cancelJob(id, by: at(3)).state == .cancelled)
            try expect(!store.renew(id, worker: "a", until: time(20)))
            try expect(!store.finish(id, worker: "a", .done("late"), now: time(4)))
            try expect(
                store.job(id, by: .local)?.state == .cancelled && store.queue(now: time(99)).isEmpty
            )
            try expectError(.conflict) { _ = try store.cancelJob(id, by: at(5)) }
            try expectError(.notFound) { _ = try store.cancelJob(id + 99, by: at(5)) }
            try expect(
                store.removeJobs(endedBefore: time(3)) == 0
                    && store.removeJobs(endedBefore: time(9)) == 1)
            try expect(store.job(id, by: .local) == nil)
        },
        // Holds `queue(now:)`, `jobs(in:limit:by:)` and `jobCounts()` to their orders. Finds a
        // store where old work of low priority goes before urgent work, or that lists what is not
        // due.
        check("what is due is told by priority, then by age, and counted") { store in
            for (kind, priority, due) in [
                ("late", 0, 90.0), ("old", 0, 1.0), ("new", 0, 2.0), ("urgent", 5, 3.0),
            ] {
                let wanted = Job(kind, priority: priority, created: time(0), due: time(due))
                _ = try store.enqueue(wanted, by: .local)
            }
            try expect(store.queue(now: time(5)).map(\.kind) == ["urgent", "old", "new"])
            try expect(store.jobCounts() == [.waiting: 4])
            try expect(
                store.jobs(in: [.waiting], limit: 2, by: .local).map(\.kind) == ["urgent", "new"])
        },
        // Holds `enqueueScheduled(now:)`. Finds a store that puts a job into the queue for each
        // hour that was missed, or that repeats one whose last run has not ended.
        check("a schedule asks once for what was missed, and then waits for its next time") {
            store in
            let hourly = try require(CronExpression("0 * * * *"))
            let schedule = JobSchedule(
                name: "hourly", cron: hourly, job: job("tidy", 0), since: time(0))
            try store.setSchedule(schedule, by: .local)
            try store.setSchedule(schedule, by: .local)
            try expect(store.schedules(by: .local) == [schedule])
            try expect(store.enqueueScheduled(now: time(3_599)).isEmpty)
            let asked = try store.enqueueScheduled(now: time(4 * 3_600 + 1))
            try expect(asked.map(\.kind) == ["tidy"] && asked.first?.schedule == "hourly")
            try expect(store.enqueueScheduled(now: time(4 * 3_600 + 2)).isEmpty)
            // Its work of before has not ended: it is not asked for twice.
            try expect(store.enqueueScheduled(now: time(5 * 3_600)).map(\.id) == asked.map(\.id))
            try store.removeSchedule("hourly", by: .local)
            try expect(
                store.schedules(by: .local).isEmpty
                    && store.enqueueScheduled(now: time(1e6)).isEmpty)
            try expectError(.notFound) { try store.removeSchedule("hourly", by: .local) }
        },
        // Holds every call that takes a caller to the permission `admin` over all owners, and to
        // the audit log. Finds a store that accepts the administrator of one user, or whose
        // refusals are not noted.
        check("only who may look after the store looks after jobs, and it is written down") {
            store in
            let plain = Caller(
                Principal(
                    name: "plain", permissions: [.read, .write, .erase, .share], user: "alice"))
            let admin = Caller(Principal(name: "admin", permissions: [.admin], user: "alice"))
            let id = try store.enqueue(job("tidy", 1), by: at(1)).id
            for caller in [plain, admin] {
                try expectRefusal { _ = try store.enqueue(job("other", 1), by: caller) }
                try expectRefusal { _ = try store.job(id, by: caller) }
                try expectRefusal { _ = try store.jobs(in: [.waiting], limit: 9, by: caller) }
                try expectRefusal { _ = try store.cancelJob(id, by: caller) }
                try expectRefusal { _ = try store.retryJob(id, by: caller) }
                try expectRefusal { _ = try store.schedules(by: caller) }
                try expectRefusal { try store.removeSchedule("hourly", by: caller) }
            }
            let entries = try store.auditEntries(after: 0, limit: 99, by: at(2))
            try expect(
                entries.first?.detail == "add tidy"
                    && entries.count { $0.outcome == .refused } == 14)
        },
        // Holds kinds and arguments to being kept whole or refused. Finds a store that cuts a
        // string at its zero byte and so runs a job of another kind.
        check("a job's texts are kept whole") { store in
            try expectError(.invalidText) { _ = try store.enqueue(job("tidy\0", 1), by: .local) }
            var odd = job("tidy", 1)
            odd.arguments = ["text": "a\0b"]
            try expectError(.invalidText) { _ = try store.enqueue(odd, by: .local) }
        },
    ]

    /// A point in time, in seconds from 1970.
    private static func time(_ seconds: Double) -> Date { Date(timeIntervalSince1970: seconds) }

    /// A job for all owners that is due from its creation on.
    private static func job(_ kind: String, _ created: Double) -> Job {
        Job(kind, created: time(created))
    }

    /// A count that several threads raise.
    private final class Counter: @unchecked Sendable {
        private let lock = NSLock()
        private var value = 0

        func add() { lock.withLock { value += 1 } }
        var count: Int { lock.withLock { value } }
    }
}
