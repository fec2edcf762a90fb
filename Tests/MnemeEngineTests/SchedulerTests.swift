import MnemeEngine
import Testing

@Suite struct SchedulerTests {
    private func view(
        running: [(Int, Int)] = [], waiting: [(Int, String, Int, Int)] = [], served: [String: Int] = [:], free: Int = 1000, tokens: Int = 8, sequences: Int = 4
    ) -> EngineView {
        EngineView(
            running: running.map { EngineView.Running(id: $0.0, pending: $0.1) },
            waiting: waiting.map { EngineView.Waiting(id: $0.0, key: $0.1, prompt: $0.2, bytes: $0.3) }, served: served, freeBytes: free, stepTokens: tokens,
            sequences: sequences)
    }

    @Test func `answers go first, prompts fill what is left`() {
        let plan = StepScheduler.plan(view(running: [(1, 20), (2, 1), (3, 1)]))
        #expect(plan.work == [.init(id: 2, tokens: 1), .init(id: 3, tokens: 1), .init(id: 1, tokens: 6)])
        #expect(plan.admitted.isEmpty)
    }

    @Test func `the key that was served least goes next, and bytes bound who starts`() {
        let plan = StepScheduler.plan(
            view(waiting: [(1, "a", 5, 400), (2, "a", 5, 400), (3, "b", 5, 400)], served: ["a": 100], free: 900))
        #expect(plan.admitted == [3, 1])
        let blocked = StepScheduler.plan(view(waiting: [(1, "a", 5, 2000), (2, "a", 5, 1), (3, "b", 5, 1)]))
        #expect(blocked.admitted == [3], "a large request is not overtaken by its own key")
    }

    @Test func `no more than the places and the step's tokens are used`() {
        let plan = StepScheduler.plan(view(running: [(1, 1), (2, 1)], waiting: (3..<20).map { ($0, "k", 3, 1) }, tokens: 4, sequences: 5))
        #expect(plan.admitted == [3, 4, 5])
        #expect(plan.work.reduce(0) { $0 + $1.tokens } == 4)
        #expect(StepScheduler.plan(view()) == StepPlan())
    }

    @Test func `a key that was away gets no credit, and keys are forgotten`() {
        var shares = FairShare()
        shares.update(active: ["a"])
        shares.serve("a", tokens: 1000)
        shares.update(active: ["a", "b"])
        #expect(shares.served == ["a": 1000, "b": 1000], "b does not go before a for a thousand tokens")
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
