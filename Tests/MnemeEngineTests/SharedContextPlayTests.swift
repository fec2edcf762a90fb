import Foundation
import MnemeBench
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// `mneme bench scbench`: what is measured of requests that share a context, and how it is kept between runs.
@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct SharedContextPlayTests {
    private static let data = BenchData(path: nil, name: "sample", digest: "0")

    /// A benchmark of two small contexts whose answers are short, or of others.
    private func benchmark(
        _ names: [String], tasks: Set<SharedContextTask> = [.passkey, .manyShot],
        _ change: (inout SharedContextBenchmark.Settings) -> Void = { _ in }
    ) throws -> SharedContextBenchmark {
        var sample = SharedContextSample()
        (sample.bytes, sample.turns) = (900, 2)
        let records = sample.records().filter { tasks.contains($0.turns[0].task) }
        var settings = SharedContextBenchmark.Settings()
        settings.subjects = try names.map { try KVPolicyBenchmark.Subject($0) }
        (settings.context, settings.budgets) = (1024, [0.5])
        change(&settings)
        return try SharedContextBenchmark(try RealModel.loaded.get(), records, Self.data, settings)
    }

    @Test func `modes and subjects are measured by turn, and a later run adds what is missing`() throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("\(UUID().uuidString).jsonl").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let first = try benchmark(["int8", "snapkv"])
        #expect(first.count == 2 * 2 * 2 * 3)
        let log = try BenchLog(file, first.header)
        var last = 0
        try first.run(log) { done, _ in last = done }
        #expect(log.outcomes.count == first.count && last == first.count)
        let report = SharedContextReport(first, log)
        #expect(report.rows.map(\.policy) == ["full", "int8", "snapkv", "full", "int8", "snapkv"])
        for row in report.rows {
            #expect(row.turns.count == 2 && Set(row.tasks.keys) == ["many_shot", "passkey"])
            let mean = row.turns.reduce(0, +) / 2
            #expect(abs(mean - row.score.mean) < 1e-9)
            // What is there is not computed again.
            #expect(row.reusedMilliseconds > 0 && row.reusedMilliseconds < row.computedMilliseconds)
        }
        #expect(abs(report.rows[0].kept - 1) < 0.1 && report.rows[2].kept < 0.6)
        #expect(report.rows[1].kept < 0.75 && report.rows[1].kept > 0.5)
        // A small model finds a number in three hundred tokens, by the whole cache.
        #expect((report.rows[0].tasks["passkey"] ?? 0) + (report.rows[3].tasks["passkey"] ?? 0) > 0)
        #expect(report.markdown.contains("### multi-turn") && report.markdown.contains("| int8 | 100 % |"))
        // Greedy answers from all rows depend on nothing but the prompt: the same run again brings the same.
        let second = try benchmark(["int8", "snapkv", "window"])
        let again = try BenchLog(file, second.header)
        var steps = 0
        try second.run(again) { _, _ in steps += 1 }
        #expect(again.outcomes.count == second.count && again.outcomes.count == 2 * 2 * 2 * 4)
        #expect(Array(again.outcomes.prefix(first.count)).map(\.answer) == log.outcomes.map(\.answer))
        #expect(SharedContextReport(second, again).rows.count == 8)
        // Each context in each mode is said once, and each of the new measurements.
        #expect(steps == 4 + 8)
        #expect(throws: (any Error).self) { try BenchLog(file, self.benchmark([]) { $0.context = 512 }.header) }
    }

    @Test func `a conversation's first turn is answered as the same prompt is`() throws {
        // In one turn both modes have the same tokens before the answer, if nothing is evicted.
        let single = try benchmark([]) { $0.turns = 1 }
        let log = try BenchLog(nil, single.header)
        try single.run(log) { _, _ in }
        let answers = Dictionary(grouping: log.outcomes, by: \.episode)
        #expect(answers.count == 2)
        for (episode, pair) in answers {
            #expect(pair.count == 2 && pair[0].answer == pair[1].answer, "\(episode)")
        }
    }

    @Test func `lengths and budgets that make no sense are refused`() throws {
        #expect(throws: EngineError.self) { try self.benchmark([]) { $0.budgets = [0] } }
        #expect(throws: EngineError.self) { try self.benchmark([]) { $0.context = 100 } }
        #expect(throws: EngineError.self) { try self.benchmark([]) { $0.context = 1 << 30 } }
        // Requests and answers of 150 tokens leave no room in 256.
        let tight = try benchmark([], tasks: [.kv]) { $0.context = 256 }
        let log = try BenchLog(nil, tight.header)
        #expect(throws: EngineError.self) { try tight.run(log) { _, _ in } }
    }
}
