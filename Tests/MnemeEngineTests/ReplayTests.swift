import Foundation
import MnemeBase
import MnemeBench
import MnemeEngine
import Testing

/// The replay of traces: what holds for every trace, policy and split.
@Suite struct ReplayTests {
    /// A trace that `scripts/make_traces.py` made.
    static func trace(_ name: String) throws -> [TraceRequest] {
        let url = try #require(Bundle.module.url(forResource: "Golden/traces/\(name)", withExtension: nil))
        return try TraceFile.read(url.path)
    }

    private static func report(
        _ trace: [TraceRequest], _ admission: String, split: String = "one-step",
        _ change: (inout ReplaySettings) -> Void = { _ in }
    ) throws -> ReplayReport {
        var settings = ReplaySettings()
        settings.admission = try AdmissionCatalog.policy(admission)
        settings.split = try CoreSplitCatalog.split(split)
        change(&settings)
        var replay = try Replay(trace, settings)
        return try replay.run()
    }

    /// Requests of one to three owners: prompts that share beginnings, conversations, bursts.
    private static func random(_ draw: inout SplitMix64, _ count: Int) -> [TraceRequest] {
        var at = 0.0
        return (0..<count).map { i in
            at += Int.random(in: 0..<3, using: &draw) == 0 ? draw.unit() * 3 : 0
            var request = TraceRequest(
                promptTokens: 1 + Int.random(in: 0..<300, using: &draw),
                completionTokens: 1 + Int.random(in: 0..<120, using: &draw),
                text: Bool.random(using: &draw) ? UInt64(i) : UInt64.random(in: 1000..<1004, using: &draw))
            request.arrival = at
            request.owner = "k\(Int.random(in: 0..<3, using: &draw))"
            request.parts = Array([1, 2, 3, 4].prefix(Int.random(in: 0...4, using: &draw)))
            request.partTokens = 40
            return request
        }
    }

    @Test func `each request is answered once, whole and within the memory, whatever decides`() throws {
        var draw = SplitMix64(seed: 7)
        for round in 0..<24 {
            let trace = Self.random(&draw, 60)
            let admission = AdmissionCatalog.names[round % 3]
            let split = ["one-step", "static:0.3", "nexus"][round / 3 % 3]
            var settings = ReplaySettings()
            settings.admission = try AdmissionCatalog.policy(admission)
            settings.split = try CoreSplitCatalog.split(split)
            settings.kvTokens = 32 * Int.random(in: 14...60, using: &draw)
            settings.stepTokens = [7, 64, 512][round % 3]
            settings.sequences = Int.random(in: 1...8, using: &draw)
            settings.maxTokens = 150
            var replay = try Replay(trace, settings)
            var computed = 0
            var isWithin = true
            replay.planned = { plan in
                let tokens = plan.work.reduce(0) { $0 + $1.tokens }
                computed += tokens
                isWithin = isWithin && tokens <= settings.stepTokens && plan.work.count <= settings.sequences
            }
            let report = try replay.run()
            #expect(report.answered == 60 && report.refused == 0, "\(admission), \(split)")
            #expect(isWithin && report.memoryPeak <= 1)
            #expect(report.promptTokens == trace.reduce(0) { $0 + $1.promptTokens })
            // All tokens but the last ones and the cached ones are computed at least once.
            let tokens = trace.reduce(0) { $0 + $1.promptTokens + $1.completionTokens - 1 }
            if report.preempted == 0 { #expect(computed >= tokens - report.cachedTokens) }
            if admission == "conservative" { #expect(report.preempted == 0) }
            var again = try Replay(trace, settings)
            let second = try again.run()
            #expect(second == report, "a replay repeats")
        }
    }

    @Test(arguments: AdmissionCatalog.names)
    func `a flood of one owner keeps no other waiting`(admission: String) throws {
        var trace = (0..<200).map { i in
            var request = TraceRequest(promptTokens: 100, completionTokens: 50, text: UInt64(i))
            request.owner = "flood"
            return request
        }
        var single = TraceRequest(promptTokens: 100, completionTokens: 50, text: 1000)
        (single.arrival, single.owner) = (10, "single")
        trace.append(single)
        var first: [Int] = []
        var settings = ReplaySettings()
        settings.kvTokens = 2048
        settings.sequences = 4
        settings.admission = try AdmissionCatalog.policy(admission)
        var replay = try Replay(trace, settings)
        replay.planned = { first += $0.admitted }
        _ = try replay.run()
        let place = try #require(first.firstIndex(of: 200))
        // Of those before it, all but the four that ran then had started.
        let before = first[..<place].count
        #expect(before < 100, "it started before half of the flood: \(before)")
        // Among one owner's requests, nobody is overtaken.
        let starts = first.filter { $0 < 200 }.reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
        #expect(starts == Array(0..<200))
    }

    @Test func `turns of a conversation find what the last one computed`() throws {
        var trace: [TraceRequest] = []
        for turn in 0..<4 {
            var request = TraceRequest(promptTokens: 200 * (turn + 1), completionTokens: 64, text: 5)
            request.arrival = Double(turn) * 100
            trace.append(request)
        }
        let report = try Self.report(trace, "aggressive")
        // A turn finds the prompt and the answer before it (264, 464, 664 tokens), but for the answer's
        // last token.
        #expect(report.cachedTokens == 263 + 463 + 663)
        var other = trace
        for i in other.indices { other[i].text = UInt64(i) }
        #expect(try Self.report(other, "aggressive").cachedTokens == 0)
    }

    @Test func `who knows how long answers are puts fewer back and serves more in time`() throws {
        let trace = try Self.trace("answers.csv")
        func run(_ admission: String) throws -> ReplayReport {
            try Self.report(trace, admission) {
                $0.kvTokens = 6144
                $0.firstTokenLimit = 60
            }
        }
        let aggressive = try run("aggressive")
        let conservative = try run("conservative")
        let forecast = try run("past-future")
        #expect(conservative.preempted == 0 && aggressive.preempted > 0)
        #expect(forecast.preempted * 2 < aggressive.preempted)
        #expect(forecast.recomputedTokens < aggressive.recomputedTokens)
        #expect(forecast.memoryMean > conservative.memoryMean)
        #expect(forecast.goodput >= conservative.goodput)
    }

    @Test func `cores beside each other are never faster than all for both`() throws {
        let trace = try Self.trace("bursts.csv")
        let whole = try Self.report(trace, "aggressive")
        for split in ["static:0.5", "nexus"] {
            let report = try Self.report(trace, "aggressive", split: split)
            #expect(report.answered == whole.answered)
            #expect(report.seconds > 0 && report.steps > whole.steps)
        }
    }

    @Test func `published formats are read, and damaged ones are refused with the line`() throws {
        let azure = try TraceFile.parse(
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-02-29 23:59:59.5000000,10,3\n2024-03-01 00:00:00.750+00:00,7,0\n"
        )
        #expect(azure.map(\.arrival) == [0.0, 1.25])
        #expect(azure.map(\.promptTokens) == [10, 7])
        #expect(azure.map(\.completionTokens) == [3, 1])
        let mooncake = try TraceFile.parse(
            """
            {"timestamp": 2500, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 4]}
            {"timestamp": 1000, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]}
            """)
        #expect(mooncake.map(\.arrival) == [0.0, 1.5])
        let (a, b) = (mooncake[0], mooncake[1])
        #expect((0..<1024).allSatisfy { a.token($0) == b.token($0) })
        #expect(!(1024..<1110).contains { a.token($0) == b.token($0) })
        let own = try TraceFile.parse(
            """
            {"at": 0, "prompt": 64, "output": 10, "owner": "a", "session": "s", "max": 20}
            {"at": 1, "prompt": 96, "output": 10, "owner": "b", "session": "s"}
            """)
        #expect(own[0].maxTokens == 20 && own[1].owner == "b")
        #expect((0..<74).allSatisfy { own[0].token($0) == own[1].token($0) })
        for (text, line) in [
            ("", "no requests"), ("a,b\n1,2", "known format"), ("{\"at\": 0}", "Line 1"),
            ("{\"at\": 0, \"prompt\": 1, \"output\": 1}\n{\"at\": 1", "Line 2"),
            ("{\"at\": 0, \"prompt\": 0, \"output\": 1}", "Line 1"),
            ("{\"at\": 1e300, \"prompt\": 1, \"output\": 1}", "Line 1"),
            ("{\"at\": 0, \"prompt\": 99999999999, \"output\": 1}", "Line 1"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15,1,2", "Line 2"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens", "no requests"),
        ] {
            let error = #expect(throws: InputError.self) { try TraceFile.parse(text) }
            #expect(error?.message.contains(line) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `what is copied in pieces beside steps costs less than block by block before them`() throws {
        let trace = try Self.trace("answers.csv")
        func run(_ name: String) throws -> ReplayReport {
            let way = try ContextSwitchCatalog.named(name)
            return try Self.report(trace, "aggressive") {
                ($0.kvTokens, $0.contextSwitch) = (6144, way)
                ($0.cost.copy, $0.cost.copyBlock) = (1e-3, 1e-3)
            }
        }
        let swap = try run("swap")
        let fast = try run("fastswitch")
        let recompute = try run("recompute")
        #expect(swap.preempted > 0 && recompute.copies == 0 && swap.copies == swap.copiedBlocks)
        #expect(fast.copies < swap.copies)
        #expect(fast.firstToken.p99 < swap.firstToken.p99 && fast.betweenTokens.p99 <= swap.betweenTokens.p99)
        #expect(fast.tokensFromHost > 0 && fast.recomputedTokens < recompute.recomputedTokens)
        for report in [swap, fast, recompute] { #expect(report.answered == 240) }
    }

    @Test func `a batch grouped by prefix shares more, for a shorter time`() throws {
        var draw = SplitMix64(seed: 11)
        // Eight documents, ten questions about each, in any order.
        let trace = (0..<80).map { i in
            var request = TraceRequest(
                promptTokens: 640 + Int.random(in: 1..<60, using: &draw),
                completionTokens: Int.random(in: 10..<80, using: &draw), text: UInt64(100 + i))
            (request.parts, request.partTokens) = ([i % 8], 640)
            return request
        }.shuffled(using: &draw)
        let groups = PrefixGroups(trace)
        #expect(groups.order.sorted() == Array(0..<80), "each request once")
        #expect(groups.savedTokens == 8 * 9 * 640)
        let documents = groups.order.map { trace[$0].parts[0] }
        #expect(zip(documents, documents.dropFirst()).count { $0 != $1 } == 7, "a document's questions stand together")
        func run(_ order: BatchOrder) throws -> ReplayReport {
            try Self.report(order.order(trace), "aggressive") {
                ($0.kvTokens, $0.waiting, $0.measuresSharing) = (3072, 80, true)
            }
        }
        let arrival = try run(.arrival)
        let grouped = try run(.batchLLM)
        #expect(arrival.answered == 80 && grouped.answered == 80)
        #expect(grouped.hitRate > arrival.hitRate && grouped.seconds < arrival.seconds)
        let short = try #require(grouped.sharedLifetime)
        let long = try #require(arrival.sharedLifetime)
        #expect(short < long / 2)
    }

    @Test func `groups save as much as any way to group`() {
        // A tree of two levels: (a, b) and (a, c) share a, d nothing; one level deeper is worth more.
        func request(_ parts: [Int]) -> TraceRequest {
            var request = TraceRequest(promptTokens: 32 * parts.count, completionTokens: 1, text: 0)
            (request.parts, request.partTokens) = (parts, 32)
            return request
        }
        let deep = PrefixGroups([
            request([1, 2, 3, 4]), request([1, 5, 6, 7]), request([1, 2, 3, 4]), request([1, 5, 6, 7]),
        ])
        // Two groups of four blocks: 2·4·32; one of the first block: 3·32.
        #expect(deep.savedTokens == 256 && deep.order == [0, 2, 1, 3])
        let flat = PrefixGroups((0..<6).map { request([1, 10 + $0]) })
        #expect(flat.savedTokens == 5 * 32 && flat.order == Array(0..<6))
    }

    @Test func `what a share of the cores costs, and what runs beside`() {
        var cost = StepCost()
        (cost.step, cost.token, cost.promptRow, cost.answerRow, cost.sample) = (0.004, 7e-4, 2e-7, 5e-7, 1e-3)
        var load = StepLoad()
        load.add(10, at: 5, isAnswer: false)
        #expect(load.promptRows == 10 * 5 + 55)
        // On half of the cores, products take twice as long, reading as long as before.
        let products: Double = 10 * cost.token + 105 * cost.promptRow
        let halved: Double = cost.seconds(load, cores: 0.5, beside: nil)
        #expect(abs(halved - cost.step - 2 * products) < 1e-12)
        #expect(cost.seconds(load, cores: 0.5, beside: load) > cost.seconds(load, cores: 0.5, beside: nil))
    }

    @Test func `a cost is fitted to steps that follow one`() {
        var cost = StepCost()
        (cost.step, cost.token, cost.promptRow) = (0.004, 7e-4, 2e-7)
        (cost.answerRow, cost.sample) = (5e-7, 0)
        var rows: [StepCostBenchmark.Row] = []
        for position in [0, 500, 1000] {
            for (sequences, tokens) in [(1, 64), (1, 256), (1, 512), (1, 1), (4, 1), (8, 1)] {
                var load = StepLoad()
                for _ in 0..<sequences { load.add(tokens, at: position, isAnswer: tokens == 1) }
                rows.append(
                    .init(
                        sequences: sequences, tokens: tokens, position: position, seconds: cost.seconds(load)))
            }
        }
        let report = StepCostBenchmark.fit(rows)
        #expect(report.error < 1e-6)
        #expect(abs(report.cost.step / cost.step - 1) < 1e-3 && abs(report.cost.token / cost.token - 1) < 1e-3)
        #expect(abs(report.cost.promptRow / cost.promptRow - 1) < 1e-3)
        #expect(abs(report.cost.answerRow / cost.answerRow - 1) < 1e-3)
        // What takes less than nothing is nothing.
        #expect(report.cost.sample >= 0 && report.cost.sample < 1e-6)
    }
}
