import MnemeEngine
import Testing

@Suite struct SchedulerTests {
    /// Running: id, position, pending, blocks. Waiting: id, key, prompt, blocks. Blocks have 4
    /// positions.
    private func view(
        running: [(Int, Int, Int, Int)] = [], waiting: [(Int, String, Int, Int)] = [],
        served: [String: Int] = [:],
        free: Int = 1000, tokens: Int = 8,
        sequences: Int = 4
    ) -> EngineView {
        EngineView(
            running: running.map {
                EngineView.Running(id: $0.0, position: $0.1, pending: $0.2, blocks: $0.3)
            },
            waiting: waiting.map {
                EngineView.Waiting(id: $0.0, key: $0.1, prompt: $0.2, blocks: $0.3)
            },
            served: served, freeBlocks: free, blockTokens: 4,
            stepTokens: tokens, sequences: sequences)
    }

    @Test func `answers go first, prompts fill what is left`() {
        let plan = StepScheduler.plan(view(running: [(1, 0, 20, 0), (2, 5, 1, 2), (3, 8, 1, 2)]))
        #expect(
            plan.work == [
                .init(id: 2, tokens: 1), .init(id: 3, tokens: 1), .init(id: 1, tokens: 6),
            ])
        #expect(plan.admitted.isEmpty && plan.preempted == nil)
    }

    @Test func `the key that was served least goes next, and memory bounds who starts`() {
        let plan = StepScheduler.plan(
            view(
                waiting: [(1, "a", 5, 4), (2, "a", 5, 4), (3, "b", 5, 4)], served: ["a": 100],
                free: 9))
        #expect(plan.admitted == [3, 1])
        let blocked = StepScheduler.plan(
            view(waiting: [(1, "a", 5, 2000), (2, "a", 5, 1), (3, "b", 5, 1)]))
        #expect(blocked.admitted == [3], "a large request is not overtaken by its own key")
        let full = StepScheduler.plan(
            view(running: [(1, 4, 1, 1)], waiting: [(2, "a", 5, 2)], free: 3))
        #expect(full.admitted.isEmpty, "those that run keep room to grow")
    }

    /// Two small requests run at any time, and each time one ends another key's comes; a large one needs the memory of
    /// both.
    @Test(arguments: [true, false])
    func `a large request is overtaken by as much memory as there is, not for ever`(isCounted: Bool) {
        var running = [(1, 4, 1, 5), (2, 4, 1, 5)]
        var waiting = [(0, "large", 30, 11)]
        var overtaken: [Int: Int] = [:]
        var started: Int?
        for step in 0..<50 where started == nil {
            running.removeFirst(min(1, running.count))
            waiting.append((step + 3, "key \(step)", 4, 5))
            var state = view(running: running, waiting: waiting, free: 12 - 5 * running.count)
            for i in state.waiting.indices where isCounted {
                state.waiting[i].overtaken = overtaken[state.waiting[i].id] ?? 0
            }
            let plan = StepScheduler.plan(state)
            overtaken.merge(plan.overtaken, uniquingKeysWith: +)
            if plan.admitted.contains(0) { started = step }
            waiting.removeAll { plan.admitted.contains($0.0) }
            running += plan.admitted.map { ($0, 4, 1, 5) }
        }
        // Twelve blocks are two small requests, with a block for each to grow.
        #expect(isCounted ? started == 4 : started == nil)
    }

    @Test func `no more than the places and the step's tokens are used`() {
        let plan = StepScheduler.plan(
            view(
                running: [(1, 1, 1, 1), (2, 1, 1, 1)], waiting: (3..<20).map { ($0, "k", 3, 1) },
                tokens: 4,
                sequences: 5))
        #expect(plan.admitted == [3, 4, 5])
        #expect(plan.work.reduce(0) { $0 + $1.tokens } == 2)
        #expect(StepScheduler.plan(view()) == StepPlan())
    }

    @Test func `where memory ends, the youngest makes room`() {
        let plan = StepScheduler.plan(
            view(running: [(1, 4, 1, 1), (2, 4, 1, 1), (3, 2, 1, 1)], free: 1))
        #expect(plan.preempted == 3)
        #expect(plan.work == [.init(id: 1, tokens: 1)])
        let alone = StepScheduler.plan(view(running: [(1, 4, 1, 1), (2, 4, 0, 1)], free: 0))
        #expect(alone == StepPlan(), "what is loading is not put back, nor the only one that runs")
        let partly = StepScheduler.plan(view(running: [(1, 2, 20, 1)], free: 1))
        #expect(partly.work == [.init(id: 1, tokens: 6)], "a prompt takes what there is")
    }

    @Test func `a key that was away gets no credit, and keys are forgotten`() {
        var shares = FairShare()
        shares.update(active: ["a"])
        shares.serve("a", tokens: 1000)
        shares.update(active: ["a", "b"])
        #expect(
            shares.served == ["a": 1000, "b": 1000], "b does not go before a for a thousand tokens")
        shares.serve("b", tokens: 300)
        shares.update(active: ["a"])
        #expect(shares.served["b"] == 1300, "what b had beyond a is kept")
        shares.serve("a", tokens: 500)
        shares.update(active: ["a"])
        #expect(shares.served == ["a": 1500])
        shares.update(active: [])
        shares.update(active: ["c"])
        #expect(shares.served == ["c": 1500])
    }
}
