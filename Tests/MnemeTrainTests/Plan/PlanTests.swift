import Foundation
import MnemeTrain
import Testing

@Suite struct PlanTests {
    @Test(arguments: PlanQuestion.allCases)
    func `a question's example is answered, and goes through JSON to the same answer`(
        question: PlanQuestion
    ) throws {
        let example = question.example
        let report = try example.report()
        let chosen = try #require(report.chosen)
        #expect(report.options.allSatisfy { $0.seconds > 0 && $0.seconds.isFinite })
        #expect(report.options.allSatisfy { $0.obstacle != nil || $0.seconds >= report.options[chosen].seconds })
        let copy = try question.read(JSONEncoder().encode(example))
        #expect(try copy.report() == report)
        for text in ["", "{}", "[1]", "{\"model\": 3}"] {
            let error = #expect(throws: TrainingError.self) { try question.read(Data(text.utf8)) }
            #expect(error?.code == .invalidFile && error?.message.contains("--example") == true)
        }
    }

    @Test func `bytes of ZeRO's stages are the paper's`() {
        // 7.5 billion parameters on 64 devices: figure 1 of the paper says 120, 31.4, 16.6 and 1.9 GB.
        var model = PlannedModel(layers: 1, hidden: 128)
        model.vocabulary = Int((7.5e9 - model.layerParameters) / 128)
        let cluster = PlannedCluster.a100(nodes: 8)
        let plans = [ShardingPlan()] + (1...3).map { ShardingPlan.zero(stage: $0, cluster) }
        for (plan, gigabytes) in zip(plans, [120, 31.4, 16.6, 1.9]) {
            #expect(abs(plan.stateBytes(model, cluster) / 1e9 - gigabytes) < 0.05)
        }
    }

    @Test(arguments: [(8, 4096.0, 4096), (4, 65_536, 4096), (16, 16_384, 8192), (2, 2048, 2048)])
    func `the plan that is found is not worse than ZeRO and three dimensions`(
        nodes: Int, length: Double, hidden: Int
    ) throws {
        var search = ShardingSearch()
        search.cluster = .a100(nodes: nodes)
        search.model = PlannedModel(layers: 32, hidden: hidden)
        (search.length, search.tokens) = (length, 64 * length * Double(nodes))
        let report = try search.report()
        let best = try #require(report.options.last)
        #expect(report.options.filter { $0.obstacle == nil }.allSatisfy { best.seconds <= $0.seconds })
        #expect(best.obstacle == nil)
        // Every plan's gradients are split at least as far as its weights.
        #expect(search.plans.allSatisfy { $0.weights <= $0.gradients && $0.gradients <= $0.optimizer })
    }

    @Test func `three levels are faster than ZeRO++ by about what the paper says`() throws {
        let ratio = try #require(try LowBandwidthPartition().report().speedup(over: "ZeRO++"))
        #expect((1.5...1.9).contains(ratio))
        // On a cluster whose links are all alike there is nothing to gain by staying inside.
        var even = LowBandwidthPartition()
        for i in even.cluster.levels.indices { even.cluster.levels[i].bandwidth = 1e15 }
        let same = try #require(try even.report().speedup(over: "ZeRO++"))
        #expect(same < 1.05)
    }

    @Test func `groups for a long tail beat all equal ones, and are equal where lengths are`() throws {
        let mixed = SequenceGrouping()
        let best = try mixed.solve()
        #expect(best.sizes.reduce(0, +) == mixed.cost.cluster.devices)
        let report = try mixed.report()
        #expect(report.options.count > 1)
        #expect(report.options.dropLast().allSatisfy { best.step < $0.seconds })
        var same = SequenceGrouping()
        same.lengths = Array(repeating: 8192, count: 64)
        #expect(Set(try same.solve().sizes) == [1])
        same.lengths = [1e8]
        #expect(throws: TrainingError.self) { try same.solve() }
    }

    @Test func `a group for each sequence sends less and waits less than a mesh`() throws {
        let question = HybridDataParallelism()
        let plan = try question.plan()
        let report = try question.report()
        let mesh = report.options[0]
        #expect(plan.sentBytes < 0.7 * (mesh.sentBytes ?? 0))
        #expect(plan.step < mesh.seconds)
        #expect(plan.idle >= 0 && plan.idle < 1)
        // Sequences that fit into a device send nothing.
        var short = question
        short.lengths = Array(repeating: 1000, count: 64)
        #expect(try short.plan().sentBytes == 0)
        #expect(abs(try short.plan().idle) < 1e-9)
    }

    @Test func `blocks of attention move less than all scores, and counts are the formulas'`() throws {
        let (n, d) = (4096.0, 64.0)
        #expect(AttentionTraffic.standard(tokens: n, dimension: d) == 4 * n * d + 4 * n * n)
        // One block of keys: everything is read and written once.
        #expect(AttentionTraffic.tiled(tokens: n, dimension: d, memory: 4 * n * d) == 5 * n * d + 4 * n)
        for memory in [32_768.0, 65_536.0, 1_048_576.0] {
            #expect(
                AttentionTraffic.tiled(tokens: n, dimension: d, memory: memory)
                    < AttentionTraffic.standard(tokens: n, dimension: d))
        }
        #expect(AttentionTraffic.trainer(tokens: 32, dimension: 64) == 4 * 32 * 64 + 32)
        #expect(AttentionTraffic.trainer(tokens: n, dimension: d) < AttentionTraffic.standard(tokens: n, dimension: d))
    }

    @Test func `some groups on the device are faster than all and than none`() throws {
        var question = OptimizerInterleaving()
        let best = try #require(question.best)
        #expect(best > 1 && question.seconds(every: best) < 0.7 * question.seconds(every: nil))
        #expect(question.seconds(every: best) <= question.seconds(every: 1))
        // No link, no use of the device.
        question.link = 1e8
        #expect(question.best == nil)
        // One group by the host is its time and the new weights' way.
        (question.groups, question.link) = (1, 25e9)
        #expect(question.seconds(every: nil) == 1e8 / 1.5e9 + 2e8 / 25e9)
    }

    @Test func `state in local memory and striped cards make up for memory behind CXL`() throws {
        let options = try MemoryTiers().report().options
        let (local, dealt, one, striped) = (options[0], options[1], options[2], options[3])
        #expect(dealt.seconds > 2 * local.seconds)
        #expect(one.seconds < dealt.seconds && striped.seconds < one.seconds)
        #expect(striped.seconds < 1.05 * local.seconds)
        #expect(local.obstacle != nil && striped.obstacle == nil)
        var full = MemoryTiers()
        full.state = 1e13
        #expect(throws: TrainingError.self) { try full.report() }
    }

    @Test func `a step beside its disks is faster by about what the paper says`() throws {
        let question = DiskOffload()
        let report = try question.report()
        let ratio = try #require(report.speedup(over: "one behind the other"))
        #expect((2.3...4.2).contains(ratio))
        let best = question.bestSwap()
        #expect(best > 0 && best < 1)
        for part in [0.0, 1] {
            #expect(question.seconds(swapped: best, overlaps: true) <= question.seconds(swapped: part, overlaps: true))
        }
        // Overlapped, a step is at least the device's own time.
        #expect(question.rate(seconds: question.seconds(swapped: 1, overlaps: true)) <= question.operations)
    }

    @Test func `a plan for calls that moves weights is faster than one layout, and fits`() throws {
        let question = FeedbackPlanner()
        let still = try #require(question.still)
        let found = try #require(question.search())
        #expect(question.seconds(found) < 0.95 * question.seconds(still))
        #expect(question.fits(found) && Set(found).count > 1)
        #expect(question.search() == found)
        var wrong = question
        wrong.calls[0].after = [3]
        #expect(throws: TrainingError.self) { try wrong.report() }
    }

    @Test func `groups within a kind of card come near one kind, nodes dealt out do not`() throws {
        let options = try MixedNetworks().report().options
        let (ideal, dealt, mapped) = (options[0], options[1], options[2])
        #expect(mapped.seconds < 1.1 * ideal.seconds)
        #expect(dealt.seconds > 1.3 * mapped.seconds)
    }
}
