import MnemeBase
import MnemeEngine
import Testing

/// Admission policies against what they say of themselves.
@Suite struct AdmissionTests {
    /// A running batch and a request that waits, in blocks of four.
    private static func random(_ draw: inout SplitMix64) -> EngineView {
        let running = (0..<Int.random(in: 1...6, using: &draw)).map { i in
            let position = Int.random(in: 1..<40, using: &draw)
            var view = EngineView.Running(id: i, position: position, pending: 1, blocks: (position + 3) / 4)
            view.answered = Int.random(in: 0..<min(20, position), using: &draw)
            view.remaining = Int.random(in: 1..<60, using: &draw)
            view.unsharedBlocks = Int.random(in: 0...view.blocks, using: &draw)
            return view
        }
        var next = EngineView.Waiting(
            id: 99, key: "k", prompt: 8, blocks: Int.random(in: 1..<8, using: &draw))
        next.remaining = Int.random(in: 1..<60, using: &draw)
        return EngineView(
            running: running, waiting: [next], served: [:],
            freeBlocks: Int.random(in: 8..<90, using: &draw), blockTokens: 4, stepTokens: 512, sequences: 16)
    }

    /// A sequence's tokens, the blocks that it has, and those of them that are its own.
    private struct Member {
        var tokens: Int, blocks: Int, own: Int

        /// Blocks beside what is shared, behind so many more tokens.
        func blocks(after step: Int) -> Int {
            let all = (tokens + step + 3) / 4
            return own + max(0, all - blocks)
        }
    }

    /// The most blocks held beside what is shared, step by step, if answers have these lengths still.
    private static func peak(_ view: EngineView, _ lengths: [Int]) -> Int {
        let next = view.waiting[0]
        var members: [Member] = view.running.map {
            Member(tokens: $0.position + 1, blocks: $0.blocks, own: $0.unsharedBlocks)
        }
        members.append(Member(tokens: next.blocks * 4, blocks: next.blocks, own: next.blocks))
        var most = 0
        for step in 0...(lengths.max() ?? 0) {
            var sum = 0
            for (member, length) in zip(members, lengths) where length >= step { sum += member.blocks(after: step) }
            most = max(most, sum)
        }
        return most
    }

    /// Blocks that the sequences of a view may have together.
    private static func budget(_ view: EngineView) -> Int {
        view.running.reduce(view.freeBlocks) { $0 + $1.unsharedBlocks }
    }

    @Test func `past-future admits what its forecast holds at every step, and nothing else`() {
        var draw = SplitMix64(seed: 3)
        var admitted = 0
        for _ in 0..<2000 {
            let view = Self.random(&draw)
            // All answers had one length: the draw has no choice.
            let length = Int.random(in: 1..<50, using: &draw)
            var policy = PastFuture(reserve: 0)
            for _ in 0..<20 { policy.didFinish(completionTokens: length) }
            var lengths: [Int] = view.running.map { member in
                let left = member.answered < length ? length - member.answered : max(1, member.answered)
                return min(member.remaining, left)
            }
            let next = view.waiting[0]
            lengths.append(min(next.remaining, length))
            var taken = 0
            for member in view.running { taken += (member.position + 4) / 4 - member.blocks }
            // What the aggressive policy refuses, no forecast admits.
            let fitsNow = next.blocks + view.running.count <= view.freeBlocks - taken
            let fits = fitsNow && Self.peak(view, lengths) <= Self.budget(view)
            let plan = StepScheduler.plan(view, admission: policy)
            #expect(plan.admitted.isEmpty != fits)
            admitted += plan.admitted.count
        }
        #expect((200..<1800).contains(admitted), "both happen: \(admitted)")
    }

    @Test func `conservative admits nothing that could outgrow the memory`() {
        var draw = SplitMix64(seed: 4)
        var admitted = 0
        for _ in 0..<2000 {
            let view = Self.random(&draw)
            guard !StepScheduler.plan(view, admission: ConservativeAdmission()).admitted.isEmpty else { continue }
            admitted += 1
            // All at once at their longest: no order of ends takes more.
            let lengths = view.running.map(\.remaining) + [view.waiting[0].remaining]
            #expect(Self.peak(view, lengths) <= Self.budget(view))
        }
        #expect((50..<1950).contains(admitted))
    }

    @Test func `lengths are forgotten in the order in which they came`() {
        var policy = PastFuture(reserve: 0)
        for _ in 0..<1000 { policy.didFinish(completionTokens: 1000) }
        var view = EngineView(
            running: [], waiting: [], served: [:], freeBlocks: 40, blockTokens: 4, stepTokens: 512, sequences: 16)
        var running = EngineView.Running(id: 1, position: 8, pending: 1, blocks: 2)
        running.remaining = 4000
        view.running = [running]
        var next = EngineView.Waiting(id: 2, key: "k", prompt: 8, blocks: 3)
        next.remaining = 4000
        view.waiting = [next]
        #expect(StepScheduler.plan(view, admission: policy).admitted.isEmpty, "answers were long")
        for _ in 0..<1000 { policy.didFinish(completionTokens: 4) }
        #expect(StepScheduler.plan(view, admission: policy).admitted == [2], "they are short now")
    }

    @Test func `names that there are not are refused`() {
        #expect(throws: EngineError.self) { try AdmissionCatalog.policy("bold") }
        #expect(throws: EngineError.self) { try CoreSplitCatalog.split("static:1") }
        for name in AdmissionCatalog.names { #expect(throws: Never.self) { try AdmissionCatalog.policy(name) } }
    }
}
