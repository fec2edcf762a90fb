import Foundation
import Mneme
import MnemeBase
import MnemeStore
import Testing

@Suite struct JobTests {
    private static func at(_ seconds: Double) -> Date {
        Date(timeIntervalSince1970: 1_800_000_000 + seconds)
    }

    private static func job(
        _ id: Int64, tenant: String? = nil, user: String = "u", kind: String = "decay",
        priority: Int = 0,
        due: Double = 0
    ) -> Job {
        var job = Job(
            kind, owner: tenant.map { Owner(tenant: $0, user: user) }, priority: priority,
            created: at(due))
        job.id = id
        return job
    }

    /// Vectors by a word of the text: what shares one is near.
    private struct Topics: TextEmbedder {
        let identifier = "topics", dimension = 32, maximumTokens = 256
        func tokenCount(_ text: String) -> Int { text.utf8.count / 4 + 1 }
        func embed(_ texts: [String]) throws -> Embeddings {
            Embeddings(
                dimension: 32,
                values: texts.flatMap { text in
                    var vector = [Float](repeating: 0, count: 32)
                    for (i, word) in ["kiln", "sail", "bread"].enumerated()
                    where text.contains(word) { vector[i] = 1 }
                    vector[3 + text.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % 29] += 0.4
                    let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
                    return vector.map { $0 / norm }
                })
        }
    }

    @Test func `memories are linked to earlier ones that are near, once`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open(embedder: Topics())
        let owner = Owner(user: "ana")
        let scope = Scope(user: "ana")
        func run() async throws -> String {
            let job = try await memory.enqueue(.link, owner: owner)
            _ = try await JobRunner(memory).drain()
            return try memory.store.job(job.id, by: .local)?.message ?? ""
        }
        func links(_ id: CubeID) throws -> [CubeLink] {
            try memory.store.links(of: id, owner: owner, by: .local).filter { $0.kind == "related" }
        }
        let first = try await memory.remember(
            [
                "The kiln fires at noon", "A sail tore in the storm", "Fresh bread every morning",
                "The kiln was cold today", "New bricks for the kiln",
            ].map {
                MemoryInput($0)
            },
            scope: scope
        ).map(\.id)
        let early = try await run()
        try await memory.embedPending()
        let done = try await run()
        let rest = early.hasSuffix("waits for vectors") || early.hasPrefix("3 links")
        #expect(
            rest && (done.hasPrefix("3 links") || early.hasPrefix("3 links")), "\(early); \(done)")
        #expect(try links(first[3]).map(\.target).contains(first[0]) && links(first[4]).count == 2)
        #expect(try links(first[1]).isEmpty && links(first[2]).isEmpty)
        #expect(
            try memory.store.history(first[4], owner: owner, by: .local).last?.reason
                == "near by meaning")
        // Again: nothing is left to look at; a new one is linked, an archived one is not.
        #expect(try await run() == "0 links between 0 memories and those before")
        _ = try memory.store.commit([.archive(first[0])], owner: owner, by: .local)
        let next = try await memory.remember([MemoryInput("The kiln cracked")], scope: scope)[0].id
        try await memory.embedPending()
        #expect(try await run() == "2 links between 1 memories and those before")
        #expect(Set(try links(next).map(\.target)) == Set(first[3...4]))
        // Turns of a talk that stand beside each other are so already.
        let talk = try await memory.remember(
            (0..<4).map { MemoryInput("Number \($0) about the sail", session: "s") }, scope: scope
        ).map(\.id)
        try await memory.embedPending()
        _ = try await run()
        #expect(try links(talk[1]).map(\.target) == [first[1]])
        #expect(Set(try links(talk[3]).map(\.target)) == [first[1], talk[0]])
        // Nobody is told that it was done where it cannot be.
        let bare = try TemporaryFolder()
        let without = try bare.open()
        try await without.remember([MemoryInput("The kiln fires at noon")], scope: scope)
        let job = try await without.enqueue(.link, owner: owner)
        _ = try await JobRunner(without).drain()
        #expect(
            try without.store.job(job.id, by: .local)?.message?.contains("mneme pull minilm")
                == true)
    }

    // MARK: Decisions

    @Test func `tenants take turns, priorities count within one, and waiting raises them`() {
        let scheduler = JobScheduler(workers: 2)
        let jobs = [
            Self.job(1, tenant: "a", user: "1"), Self.job(2, tenant: "a", user: "2", priority: 5),
            Self.job(3, tenant: "a", user: "3", priority: 9),
            Self.job(4, tenant: "b", user: "1"),
        ]
        #expect(scheduler.choose(.init(now: Self.at(1), jobs: jobs)) == [3, 4])
        #expect(scheduler.choose(.init(now: Self.at(1), jobs: jobs, used: ["a": 10])) == [4, 3])
        // The first has waited an hour and a half longer.
        let waited = [
            Self.job(1, tenant: "a", user: "1", due: -6_000),
            Self.job(2, tenant: "a", user: "2", priority: 9),
        ]
        #expect(JobScheduler(workers: 1).choose(.init(now: Self.at(1), jobs: waited)) == [1])
        // Not due yet; ended; one of a kind and owner at a time.
        #expect(scheduler.choose(.init(now: Self.at(-1), jobs: [Self.job(1)])) == [])
        var running = Self.job(1, tenant: "a")
        (running.state, running.leaseEnd) = (.running, Self.at(30))
        #expect(
            scheduler.choose(.init(now: Self.at(1), jobs: [running, Self.job(2, tenant: "a")]))
                == [])
        #expect(
            scheduler.choose(.init(now: Self.at(31), jobs: [running])) == [1],
            "a lost worker's job is taken over")
        #expect(
            JobScheduler(workers: 1).choose(
                .init(now: Self.at(1), jobs: [running, Self.job(2, tenant: "b")])) == [],
            "workers are bounded")
    }

    @Test func `while callers wait only urgent work begins`() {
        let jobs = [Self.job(1, user: "1", priority: 9), Self.job(2, tenant: "a", priority: 10)]
        #expect(JobScheduler().choose(.init(now: Self.at(1), jobs: jobs, isBusy: true)) == [2])
    }

    @Test func `on simulated time ten tenants get equal shares, though one floods the queue`() {
        let scheduler = JobScheduler(workers: 3)
        var usage = JobScheduler.Usage()
        var queue: [Job] = []
        var ends: [(id: Int64, time: Double)] = []
        var done: [String: Double] = [:]
        var next: Int64 = 1
        func add(_ tenant: String, _ count: Int) {
            for _ in 0..<count {
                queue.append(
                    Self.job(
                        next, tenant: tenant, user: "\(next)", priority: tenant == "t0" ? 50 : 0))
                next += 1
            }
        }
        add("t0", 2_000)
        for tenant in 1..<10 { add("t\(tenant)", 150) }
        // Jobs of one tenant take thrice as long: shares are of time, not of jobs.
        func length(_ job: Job) -> Double { job.tenant == "t1" ? 9 : 3 }
        var now = 0.0
        while now < 900 {
            for end in ends where end.time <= now {
                let job = queue.first { $0.id == end.id }!
                usage.add(length(job), tenant: job.tenant, now: Self.at(now))
                done[job.tenant, default: 0] += length(job)
                queue.removeAll { $0.id == end.id }
            }
            ends.removeAll { $0.time <= now }
            for id in scheduler.choose(
                .init(now: Self.at(now), jobs: queue, used: usage.used(now: Self.at(now))))
            {
                let place = queue.firstIndex { $0.id == id }!
                queue[place].state = .running
                queue[place].leaseEnd = Self.at(now + 60)
                ends.append((id, now + length(queue[place])))
            }
            now += 1
        }
        let mean = done.values.reduce(0, +) / 10
        #expect(done.count == 10 && mean > 200)
        for (tenant, share) in done {
            #expect(abs(share - mean) <= 0.2 * mean, "\(tenant) had \(share) of \(mean)")
        }
    }

    @Test func `pauses between attempts grow, differ, and end`() {
        let scheduler = JobScheduler()
        var job = Self.job(7)
        var pauses: [Double] = []
        for attempt in 1..<5 {
            job.attempts = attempt
            pauses.append(scheduler.retry(job, now: Self.at(0))!.timeIntervalSince(Self.at(0)))
        }
        for (i, pause) in pauses.enumerated() {
            #expect((0.8...1.2).contains(pause / (5 * pow(2, Double(i)))))
        }
        job.attempts = 5
        #expect(scheduler.retry(job, now: Self.at(0)) == nil)
        var other = Self.job(8)
        other.attempts = 1
        #expect(scheduler.retry(other, now: Self.at(0))!.timeIntervalSince(Self.at(0)) != pauses[0])
    }

    // Next times of croniter 6.0 (PyPI) after 2026-02-27T23:58:30Z.
    @Test(
        arguments: [
            ("* * * * *", "2026-02-27T23:59:00Z"), ("0 3 * * *", "2026-02-28T03:00:00Z"),
            ("*/15 * * * *", "2026-02-28T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"), ("30 4 1,15 * 5", "2026-03-01T04:30:00Z"),
            ("5 4 * * sun", "2026-03-01T04:05:00Z"),
            ("0 22 * * 1-5", "2026-03-02T22:00:00Z"), ("23 0-20/2 * * *", "2026-02-28T00:23:00Z"),
            ("0 0 1 jan *", "2027-01-01T00:00:00Z"),
            ("59 23 31 12 *", "2026-12-31T23:59:00Z"), ("0 12 * * 7", "2026-03-01T12:00:00Z"),
            ("@weekly", "2026-03-01T00:00:00Z"),
            ("@monthly", "2026-03-01T00:00:00Z"),
        ])
    func `times are those of cron`(text: String, expected: String) throws {
        let start = try #require(DateText.parse("2026-02-27T23:58:30Z"))
        let cron = try #require(CronExpression(text))
        #expect(cron.next(after: start).map(DateText.format) == expected)
        // Strictly after: a minute that has come is past.
        #expect(try cron.next(after: #require(cron.next(after: start)))! > cron.next(after: start)!)
    }

    @Test(arguments: [
        "", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
        "a * * * *", "*/0 * * * *",
        "5-1 * * * *", "1,,2 * * * *",
        "* * * * * *", "0 0 31 2 *", "1-2-3 * * * *", "-1 * * * *",
    ])
    func `what is no time is refused`(text: String) { #expect(CronExpression(text) == nil) }

    // MARK: The queue

    @Test func `a job is one worker's until its lease ends, and outlives every worker`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open().store
        let job = try store.enqueue(
            Job("verify", maximumAttempts: 2, created: Self.at(0)), by: .local)
        #expect(
            try store.enqueue(Job("verify", created: Self.at(1)), by: .local).id == job.id,
            "what waits is asked for once")
        #expect(
            try store.lease(job.id, worker: "one", now: Self.at(1), until: Self.at(60))?.attempts
                == 1)
        #expect(try store.lease(job.id, worker: "two", now: Self.at(2), until: Self.at(60)) == nil)
        #expect(try !store.renew(job.id, worker: "two", until: Self.at(90)))
        #expect(try store.renew(job.id, worker: "one", until: Self.at(90)))
        // The first is lost; another process takes over, and the first cannot end it any more.
        let other = try folder.open().store
        #expect(
            try other.lease(job.id, worker: "two", now: Self.at(91), until: Self.at(150))?.attempts
                == 2)
        #expect(try !store.finish(job.id, worker: "one", .done("late"), now: Self.at(92)))
        // Lost again: that is as often as it may be.
        #expect(
            try store.lease(job.id, worker: "three", now: Self.at(151), until: Self.at(200)) == nil)
        #expect(try store.job(job.id, by: .local)?.state == .dead)
        #expect(try store.jobCounts() == [.dead: 1])
        // Somebody puts it back.
        #expect(try store.retryJob(job.id, by: Caller(.local, time: Self.at(160))).attempts == 0)
        #expect(
            try store.lease(job.id, worker: "one", now: Self.at(161), until: Self.at(200)) != nil)
        #expect(
            try store.finish(
                job.id, worker: "one", .failed("no", retry: Self.at(170)), now: Self.at(162)))
        #expect(
            try store.queue(now: Self.at(165)).isEmpty
                && store.queue(now: Self.at(171)).map(\.message) == ["no"])
        #expect(
            try store.lease(job.id, worker: "one", now: Self.at(171), until: Self.at(200)) != nil)
        #expect(try store.finish(job.id, worker: "one", .released, now: Self.at(172)))
        #expect(try store.job(job.id, by: .local)?.attempts == 1)
        // One that is cancelled while it runs learns of it.
        #expect(
            try store.lease(job.id, worker: "one", now: Self.at(173), until: Self.at(200)) != nil)
        #expect(try store.cancelJob(job.id, by: .local).state == .cancelled)
        #expect(
            try !store.renew(job.id, worker: "one", until: Self.at(300))
                && !store.finish(job.id, worker: "one", .done("x"), now: Self.at(174)))
        #expect(throws: StoreError.self) { try store.cancelJob(job.id, by: .local) }
        #expect(throws: StoreError.self) { try store.retryJob(99, by: .local) }
        #expect(throws: AccessError.self) {
            try store.jobs(
                in: [.dead], limit: 1,
                by: Caller(Principal(name: "a", permissions: [.admin], tenant: "a")))
        }
        #expect(throws: AccessError.self) {
            try store.enqueue(
                Job("verify"), by: Caller(Principal(name: "w", permissions: [.read, .write])))
        }
        #expect(try store.removeJobs(endedBefore: .distantFuture) == 1)
    }

    @Test func `schedules ask once for what was missed`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open().store
        let hourly = try #require(CronExpression("0 * * * *"))
        try store.setSchedule(
            JobSchedule(name: "look", cron: hourly, job: Job("verify"), since: Self.at(0)),
            by: .local)
        #expect(try store.enqueueScheduled(now: Self.at(1)).isEmpty)
        // Five hours went by.
        let made = try store.enqueueScheduled(now: Self.at(5 * 3_600))
        #expect(made.count == 1 && made[0].schedule == "look")
        #expect(try store.enqueueScheduled(now: Self.at(5 * 3_600 + 1)).isEmpty)
        try store.removeSchedule("look", by: .local)
        #expect(
            try store.enqueueScheduled(now: Self.at(50 * 3_600)).isEmpty
                && store.schedules(by: .local).isEmpty)
        #expect(throws: StoreError.self) { try store.removeSchedule("look", by: .local) }
    }

    // MARK: Work

    @Test
    func `what has faded or expired is archived, what is used, confirmed, weighed or frozen stays`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let owner = Owner(user: "ana")
        let long = Date().addingTimeInterval(-100 * 86_400)
        var ids: [String: CubeID] = [:]
        for text in ["old walk", "used walk", "right walk", "weighed walk", "frozen walk"] {
            var input = MemoryInput("The \(text) by the lake", eventTime: long)
            input.priority = text == "weighed walk" ? 1 : 0
            ids[text] = try await memory.remember(
                [input], scope: Scope(user: "ana"), by: Caller(.local, time: long))[0]
                .id
        }
        ids["new walk"] = try await memory.remember(
            [MemoryInput("The new walk by the lake")], scope: Scope(user: "ana"))[0].id
        var short = MemoryInput("The short walk by the lake")
        short.expires = Date().addingTimeInterval(-1)
        ids["short walk"] = try await memory.remember([short], scope: Scope(user: "ana"))[0].id
        try memory.store.recordUse([ids["used walk"]!: Usage(count: 1, last: Date())], owner: owner)
        for _ in 0..<3 { _ = try await memory.recordFeedback(ids["right walk"]!, .right, owner: owner) }
        _ = try memory.store.commit([.freeze(ids["frozen walk"]!)], owner: owner, by: .local)
        _ = try await memory.enqueue(
            .decay, arguments: ["days": "30", "below": "0.05", "dry": "true"])
        _ = try await memory.enqueue(.expire)
        #expect(try await JobRunner(memory).drain() == 4)
        #expect(
            try memory.store.jobs(in: [.done], limit: 9, by: .local).contains {
                $0.message == "1 would be archived (memorybank)"
            })
        #expect(
            try memory.store.cube(ids["old walk"]!, owner: owner, asOf: nil, by: .local)?.state
                == .activated)
        _ = try await memory.enqueue(
            .decay, owner: owner, arguments: ["days": "30", "below": "0.05"])
        _ = try await memory.enqueue(.verify)
        _ = try await memory.enqueue(.compact)
        _ = try await memory.enqueue(.embed)
        _ = try await memory.enqueue(.index, owner: owner)
        #expect(try await JobRunner(memory).drain() == 5)
        #expect(try memory.store.jobs(in: [.waiting, .dead], limit: 9, by: .local).isEmpty)
        for (text, id) in ids {
            let cube = try #require(try memory.store.cube(id, owner: owner, asOf: nil, by: .local))
            #expect(
                (cube.state == .archived) == (text == "old walk" || text == "short walk"),
                "\(text) is \(cube.state)")
        }
        let entry = try #require(
            try memory.store.history(ids["old walk"]!, owner: owner, by: .local).last)
        #expect(entry.principal == "mneme" && entry.reason == "faded (memorybank)")
        _ = try memory.store.commit([.restore(ids["old walk"]!)], owner: owner, by: .local)
        await #expect(throws: InputError.self) {
            try await memory.enqueue(.decay, arguments: ["curve": "flat"])
        }
        await #expect(throws: InputError.self) { try await memory.enqueue(.verify, owner: owner) }
        await #expect(throws: InputError.self) {
            try await memory.enqueue(.embed, arguments: ["days": "3"])
        }
        await memory.close(deadline: .zero)
    }

    @Test func `what says the same becomes one; what only resembles it, or happened, stays`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let scope = Scope(user: "ana")
        func remember(
            _ text: String, _ type: MemoryType, _ day: Double,
            change: (inout MemoryInput) -> Void = { _ in }
        )
            async throws -> CubeID
        {
            var input = MemoryInput(text, eventTime: Self.at(day * 86_400 - 1e8))
            input.type = type
            change(&input)
            return try await memory.remember([input], scope: scope)[0].id
        }
        let first = try await remember("I love the sea.", .preference, 0)
        let second = try await remember("Oh, I really LOVE the sea!", .preference, 1)
        let last = try await remember("i love sea", .preference, 2)
        var others: [CubeID] = []
        for (text, type) in [
            ("I do not love the sea.", MemoryType.preference), ("I love the lake.", .preference),
            ("I love the sea", .semantic), ("I have 2 cats.", .semantic),
            ("I have 3 cats.", .semantic), ("I swam in the sea.", .episodic),
            ("Oh, I swam in the sea!", .episodic),
            ("Really?", .semantic),
            ("Just so.", .semantic),
        ] { others.append(try await remember(text, type, -1)) }
        others.append(
            try await remember("I love the sea so", .preference, 0.5) { $0.tags = ["keep"] })
        others.append(
            try await remember("I just love the sea", .preference, 0.5) {
                $0.sensitivity = .restricted
            })
        others.append(
            try await remember("So I love the sea", .preference, 0.5) { $0.speaker = "Tom" })
        func run(_ arguments: [String: String]) async throws -> String? {
            _ = try await memory.enqueue(.consolidate, owner: scope.owner, arguments: arguments)
            #expect(try await JobRunner(memory).drain() == 1)
            return try memory.store.jobs(in: [.done], limit: 1, by: .local).first?.message
        }
        func cube(_ id: CubeID) throws -> MemCube {
            try #require(try memory.store.cube(id, owner: scope.owner, asOf: nil, by: .local))
        }
        #expect(try await run(["dry": "true"]) == "2 would be merged into 1 that say the same")
        #expect(try cube(first).state == .activated)
        #expect(try await run([:]) == "2 merged into 1 that say the same")
        #expect(
            try cube(first).state == .merged && cube(second).state == .merged
                && cube(last).confirmations == 2)
        #expect(try others.allSatisfy { try cube($0).state == .activated })
        #expect(
            try memory.store.links(of: first, owner: scope.owner, by: .local).contains {
                $0.source == last && $0.kind == CubeLink.consolidates
            })
        #expect(try await run([:]) == "nothing says the same")
        _ = try memory.store.commit([.restore(first)], owner: scope.owner, by: .local)
        #expect(try cube(first).state == .activated)
        await memory.close(deadline: .zero)
    }

    @Test func `curves fall with time, and slower for what is used or lies deeper`() {
        func cube(_ type: MemoryType, uses: Int = 0, days: Double) -> MemCube {
            var cube = MemCube(
                scope: Scope(), type: type, text: "x", eventTime: Self.at(0),
                recordedTime: Self.at(-days * 86_400),
                provenance: Provenance(source: "t"))
            if uses > 0 { cube.usage = Usage(count: uses, last: Self.at(-days * 86_400)) }
            return cube
        }
        let bank = MemoryBankCurve(days: 1)
        let layers = LayeredCurve(days: 10)
        #expect(abs(bank.retention(of: cube(.episodic, days: 1), now: Self.at(0)) - exp(-1)) < 1e-9)
        #expect(
            abs(bank.retention(of: cube(.episodic, uses: 4, days: 10), now: Self.at(0)) - exp(-2))
                < 1e-9)
        #expect(bank.retention(of: cube(.episodic, days: -5), now: Self.at(0)) == 1)
        // Counts of another store, which nobody's hands have made.
        var confirmed = cube(.episodic, uses: .max, days: 1)
        confirmed.confirmations = .max
        #expect(bank.retention(of: confirmed, now: Self.at(0)) > 0.99)
        let depths = [MemoryType.episodic, .semantic, .preference, .core].map {
            layers.retention(of: cube($0, days: 40), now: Self.at(0))
        }
        #expect(depths == depths.sorted() && depths[0] < 0.02 && depths[3] > 0.8)
    }

    @Test
    func
        `a job that fails is tried again, then dead; one of a newer Mneme says so; ending puts work back`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let strange = try memory.store.enqueue(Job("levitate", maximumAttempts: 1), by: .local)
        #expect(try await JobRunner(memory).drain() == 1)
        let dead = try #require(try memory.store.job(strange.id, by: .local))
        #expect(dead.state == .dead && dead.message?.contains("levitate") == true)
        let again = try memory.store.enqueue(
            Job("levitate", arguments: ["x": "y"], maximumAttempts: 2), by: .local)
        // Pauses that no slow machine waits out.
        var scheduler = JobScheduler()
        scheduler.firstRetry = 3_600
        #expect(try await JobRunner(memory, scheduler: scheduler).drain() == 1)
        let waiting = try #require(try memory.store.job(again.id, by: .local))
        #expect(waiting.state == .waiting && waiting.due > Date() && waiting.attempts == 1)
        // A runner that is ended leaves nothing running.
        for i in 0..<2_000 {
            try await memory.remember(
                [MemoryInput("walk number \(i)")], scope: Scope(user: "u\(i % 50)"))
        }
        _ = try await memory.enqueue(.decay)
        let runner = JobRunner(memory)
        let task = Task { await runner.run() }
        try await Task.sleep(for: .milliseconds(300))
        task.cancel()
        await task.value
        #expect(try memory.store.jobCounts()[.running] == nil)
        await memory.close(deadline: .zero)
    }
}
