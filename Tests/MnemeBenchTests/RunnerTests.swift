import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemePipeline
import Synchronization
import Testing

/// The runner: what it finds, meters and keeps, on samples, by words alone and with scripted models.
@Suite struct RunnerTests {
    /// Answers every question with one text.
    private struct Scripted: Oracle {
        let name = "scripted"
        var reply: String
        func answer(_ question: OracleQuestion) async throws -> String { reply }
    }

    private static func runner(_ format: BenchFormat, _ change: (inout BenchSetup) -> Void = { _ in }) -> BenchRunner {
        var setup = BenchSetup()
        setup.answerer = ExtractiveAnswerer()
        change(&setup)
        return BenchRunner(format, BenchData(path: nil, name: "sample", digest: "0"), setup)
    }

    private static func report(_ runner: BenchRunner) async throws -> (BenchReport, [BenchOutcome]) {
        let log = try BenchLog(nil, runner.header)
        try await runner.run(log) { _, _ in }
        return (BenchReport(runner, log), log.outcomes)
    }

    @Test(arguments: BenchCatalog.all.map(\.name)) func `a sample runs, and most of its evidence is found`(
        _ name: String
    )
        async throws
    {
        let format = try #require(BenchCatalog.all.first { $0.name == name })
        let (report, outcomes) = try await Self.report(Self.runner(format))
        #expect(report.rows[0].questions == outcomes.count && outcomes.count > 1)
        let found = try #require(report.rows[0].metrics["any@10"] ?? report.rows[0].metrics["found@10"])
        #expect(found.mean >= 0.6, "\(name)")
        #expect(report.setting == "recall and rules" && report.bytesEach > 0 && report.turns > 0)
        #expect(report.text.contains(report.title) && report.markdown.contains("| all |"))
        #expect(report.notes.contains { $0.contains("own writing") })
    }

    @Test func `a model's calls and tokens are counted, and its answers scored`() async throws {
        let oracle = MeteredOracle(Scripted(reply: "{\"answer\":\"Vega\"}"))
        let runner = Self.runner(.locomo) {
            $0.oracle = oracle
            $0.answerer = ModelAnswerer(oracle)
        }
        let (report, outcomes) = try await Self.report(runner)
        #expect(report.setting == "recall and model" && report.modelCalls == 1 && report.modelTokens > 20)
        let right = outcomes.filter { $0.metrics["F1"] == 1 }
        #expect(right.count == 1 && right.first?.answer == "Vega")
    }

    @Test func `a judge's verdict is a column of its own, where the authors have a judge`() async throws {
        let oracle = MeteredOracle(Scripted(reply: "{\"right\":true}"))
        func setup(_ setup: inout BenchSetup) {
            setup.oracle = oracle
            setup.judge = BenchJudge(oracle)
        }
        let (judged, _) = try await Self.report(Self.runner(.longMemEval, setup))
        #expect(judged.rows[0].metrics["judged"]?.mean == 1)
        #expect(judged.notes.contains { $0.contains("verdict of scripted") })
        let (locomo, _) = try await Self.report(Self.runner(.locomo, setup))
        #expect(locomo.rows[0].metrics["judged"] == nil)
    }

    @Test func `outdated answers and needless refusals are counted apart`() async throws {
        let old = MeteredOracle(Scripted(reply: "{\"answer\":\"Tuesday\"}"))
        let (stale, _) = try await Self.report(Self.runner(.questions) { $0.answerer = ModelAnswerer(old) })
        #expect(stale.rows[0].metrics["outdated"]?.mean == 1 && stale.rows[0].metrics["declined rightly"]?.mean == 0)
        let none = MeteredOracle(Scripted(reply: "{\"answer\":\"\(BenchAnswer.none)\"}"))
        let (declined, _) = try await Self.report(Self.runner(.questions) { $0.answerer = ModelAnswerer(none) })
        #expect(declined.rows[0].metrics["declined rightly"]?.mean == 1)
        #expect(declined.rows[0].metrics["declined wrongly"]?.mean == 1)
    }

    @Test func `a run that was ended goes on where it stopped, also behind a line that is cut`() async throws {
        let path = NSTemporaryDirectory() + "bench-\(UUID().uuidString).jsonl"
        defer { unlink(path) }
        let runner = Self.runner(.questions)
        let first = try BenchLog(path, runner.header)
        try await runner.run(first) { _, _ in }
        let whole = try String(contentsOfFile: path, encoding: .utf8)
        // As if the machine had stopped while the last line was written.
        try String(whole.dropLast(25)).write(toFile: path, atomically: true, encoding: .utf8)
        let second = try BenchLog(path, runner.header)
        #expect(second.outcomes.count == first.outcomes.count - 1)
        let played = Mutex(0)
        try await runner.run(second) { _, _ in played.withLock { $0 += 1 } }
        #expect(second.outcomes.map(\.question) == first.outcomes.map(\.question))
        #expect(second.outcomes.map(\.metrics) == first.outcomes.map(\.metrics))
        // One history was opened, and one question asked.
        #expect(played.withLock { $0 } == 2)
    }

    @Test func `results of another run, and other files, are not written to`() throws {
        let path = NSTemporaryDirectory() + "bench-\(UUID().uuidString).jsonl"
        defer { unlink(path) }
        let runner = Self.runner(.questions)
        _ = try BenchLog(path, runner.header)
        #expect(throws: InputError.self) { try BenchLog(path, Self.runner(.questions) { $0.limit = 3 }.header) }
        try "notes of mine\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: InputError.self) { try BenchLog(path, runner.header) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "notes of mine\n")
    }

    @Test func `two runs are compared by the questions that both have`() async throws {
        let paths = ["one", "two"].map { NSTemporaryDirectory() + "bench-\(UUID().uuidString)-\($0).jsonl" }
        defer { for path in paths { unlink(path) } }
        let oracle = MeteredOracle(Scripted(reply: "{\"answer\":\"Vega\"}"))
        for (path, answerer) in zip(paths, [ExtractiveAnswerer(), ModelAnswerer(oracle)] as [any BenchAnswerer]) {
            let runner = Self.runner(.locomo) { $0.answerer = answerer }
            try await runner.run(BenchLog(path, runner.header)) { _, _ in }
        }
        let same = try BenchComparison(paths[0], paths[0])
        #expect(same.rows.allSatisfy { $0.difference.mean == 0 && $0.probability == 1 && $0.corrected == 1 })
        let other = try BenchComparison(paths[0], paths[1])
        let row = try #require(other.rows.first { $0.metric == "F1" })
        #expect(row.questions == 6 && abs(row.second - row.first - row.difference.mean) < 1e-9)
        #expect(row.corrected >= row.probability && other.markdown.contains("| F1 | 6 |"))
        let recall = try #require(other.rows.first { $0.metric == "any@5" })
        #expect(recall.difference.mean == 0)
        #expect(throws: InputError.self) { try BenchComparison(paths[0], "/nowhere") }
    }

    @Test func `an estimate counts what a run plays`() async throws {
        let oracle = MeteredOracle(Scripted(reply: "{}"))
        let runner = Self.runner(.longMemEval) {
            $0.answerer = ModelAnswerer(oracle)
            $0.episodes = 2
        }
        let estimate = try await BenchEstimate(runner)
        #expect(estimate.episodes == 2 && estimate.questions == 2 && estimate.turns == 12)
        #expect(estimate.modelCalls == 2 && estimate.modelTokens > 1000 && oracle.calls == 0)
        #expect(estimate.text.contains("2 model calls"))
    }

    @Test func `the rules answer times, counts and facts, and decline without a word in common`() async throws {
        let (_, outcomes) = try await Self.report(Self.runner(.locomo))
        func answer(_ kind: String) -> String { outcomes.first { $0.category == kind }?.answer ?? "" }
        #expect(answer("temporal") == "19 April 2024")
        #expect(outcomes.contains { $0.question == "q2" && $0.answer.contains("Vega") })
        let (_, own) = try await Self.report(Self.runner(.questions))
        #expect(own.first { $0.category == "no answer" }?.answer == BenchAnswer.none)
    }
}
