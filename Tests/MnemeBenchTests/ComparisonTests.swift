import Foundation
import Mneme
import MnemeBase
import MnemeBench
import Testing

/// The benchmarks that compare ways to answer: whole history or recall, `ask` or recall, and ways to keep
/// experiences.
@Suite struct ComparisonTests {
    private static func setup(_ change: (inout BenchSetup) -> Void = { _ in }) -> BenchSetup {
        var setup = BenchSetup()
        setup.answerer = ExtractiveAnswerer(usesAsk: false)
        change(&setup)
        return setup
    }
    private static let data = BenchData(path: nil, name: "sample", digest: "0")

    @Test func `a router switches where recall becomes worth as much`() {
        func router(_ points: [(Int, Double, Double)]) -> Int {
            ContextRouter(
                fitting: points.map { ContextRouter.Point(tokens: $0.0, fullContext: $0.1, recall: $0.2) }
            ).fullTokens
        }
        #expect(router([(100, 0.9, 0.7), (1000, 0.8, 0.7), (10_000, 0.5, 0.7)]) == 5500)
        // Recall is as good throughout: it is the cheaper one.
        #expect(router([(100, 0.7, 0.7), (1000, 0.6, 0.7)]) == 0)
        // It never is: all that was measured is read whole.
        #expect(router([(100, 0.9, 0.7), (1000, 0.9, 0.7)]) == 1000)
        #expect(router([]) == 0)
        let switching = ContextRouter(fullTokens: 50)
        #expect(switching.route(historyTokens: 50) == .fullContext && switching.route(historyTokens: 51) == .recall)
    }

    @Test func `histories grow to each size, and the routed answers are worth as much as the better route`()
        async throws
    {
        let runner = BenchRunner(.convoMem, Self.data, Self.setup { $0.limit = 3 })
        let report = try await CrossoverBenchmark(runner, sizes: [2, 5, 500], price: 0.5).run { _, _ in }
        // The file has five conversations: 500 cannot be filled.
        #expect(report.rows.map(\.conversations) == [2, 5])
        #expect(report.rows[0].historyTokens < report.rows[1].historyTokens)
        for row in report.rows {
            #expect(row.recallTokens <= row.historyTokens)
            #expect(row.routedWorth >= min(row.fullWorth, row.recallWorth) - 1e-9)
            #expect(row.recall.count == 4 && (0...1).contains(row.recall.mean))
        }
        #expect(report.markdown.contains("the router switches behind \(report.router.fullTokens) tokens"))
        // Without a price for tokens reading all is never worse than what is recalled of it by more than a tie.
        let free = try await CrossoverBenchmark(runner, sizes: [2], price: 0).run { _, _ in }
        #expect(free.rows[0].fullWorth == free.rows[0].fullContext.mean || free.rows[0].fullContext.count > 1)
    }

    @Test func `a file with too few conversations is refused`() async {
        let runner = BenchRunner(.convoMem, Self.data, Self.setup())
        await #expect(throws: InputError.self) {
            _ = try await CrossoverBenchmark(runner, sizes: [1000], price: 0).run { _, _ in }
        }
    }

    @Test func `ask answers more questions about all memories than recall does`() async throws {
        let runner = BenchRunner(.globalQA, Self.data, Self.setup { $0.limit = 5 })
        let report = try await GlobalBenchmark(runner).run { _ in }
        let ask = try #require(report.rows.first { $0.system == "ask" && $0.type == "all" })
        let recall = try #require(report.rows.first { $0.system == "recall@5" && $0.type == "all" })
        #expect(ask.right.count == 6 && ask.right.mean > recall.right.mean)
        #expect(ask.documentF1.mean > recall.documentF1.mean)
        #expect(report.markdown.contains("| ask | counting | 3 |"))
    }

    @Test func `ways that keep experiences succeed more often along the stream than none`() async throws {
        let tasks = try EvoMemoryBenchmark.tasks(
            JSONRecords(EvoMemoryBenchmark.sample, name: "sample"), limit: .max)
        #expect(tasks.count == 96 && tasks.allSatisfy { $0.options.contains($0.answer) })
        let report = try await EvoMemoryBenchmark(tasks, Self.setup(), Self.data).run { _, _ in }
        func row(_ module: EvoMemoryBenchmark.Module) -> EvoMemoryBenchmark.Row {
            report.rows.first { $0.module == module }!
        }
        #expect(report.rows.count == EvoMemoryBenchmark.Module.allCases.count)
        // Always the first option: right for two of six kinds.
        #expect(abs(row(.none).success.mean - 1.0 / 3) < 1e-9 && row(.none).tokens == 0)
        for module in [EvoMemoryBenchmark.Module.exprag, .remem] {
            #expect(row(module).success.mean > row(.none).success.mean, "\(module)")
            #expect(row(module).quarters[3] > row(module).quarters[0], "\(module)")
        }
    }

    @Test(arguments: [
        "{\"input\":\"x\"}", "{\"input\":\"\",\"target\":\"a\"}",
        "{\"input\":\"x\",\"target\":\"a\",\"options\":[\"b\"]}",
        "{\"input\":\"x\",\"target\":{}}", "", "[]", "{\"input\":\"x\",\"target\":\"a\"",
    ]) func `streams of another form are refused`(_ text: String) {
        #expect(throws: InputError.self) {
            _ = try EvoMemoryBenchmark.tasks(JSONRecords(text, name: "test"), limit: .max)
        }
    }

    @Test func `tasks without options need a model`() throws {
        let tasks = try EvoMemoryBenchmark.tasks(
            JSONRecords("{\"input\":\"What is 2 + 2?\",\"target\":\"4\"}", name: "test"), limit: .max)
        #expect(throws: InputError.self) { _ = try EvoMemoryBenchmark(tasks, Self.setup(), Self.data) }
    }
}
