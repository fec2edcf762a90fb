import Foundation
import Mneme
import MnemeStore

/// GlobalQA's question: how far does `ask`, which counts over all memories, get where top-k recall cannot see
/// enough? Both answer the same questions over the same memories.
public struct GlobalBenchmark: Sendable {
    /// One system on one type of questions.
    public struct Row: Sendable, Codable {
        /// `ask`, or `recall@k`; and the type of questions, or `all`.
        public var system: String, type: String
        /// Whether the answer is right, the F1 of its words, and the F1 of the documents that it rests on.
        public var right: MeanInterval, f1: MeanInterval, documentF1: MeanInterval
        /// Share of answers that the system itself calls certain; of recall none.
        public var certain: Double
        /// Mean milliseconds.
        public var milliseconds: Double
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// Data, recipe, and what answered behind recall.
        public var header: BenchHeader
        /// A row for each system and type.
        public var rows: [Row]
    }

    private let runner: BenchRunner

    /// - Parameter runner: of the format ``BenchFormat/globalQA``; its answerer answers behind recall.
    public init(_ runner: BenchRunner) { self.runner = runner }

    /// What one question brought one system.
    private struct Outcome {
        var system: String, type: String
        var right: Double, f1: Double, documents: Double
        var isCertain = false
        var milliseconds = 0.0
    }

    /// Asks all questions of both systems.
    ///
    /// - Throws: `InputError`, `StoreError`, and what a model throws.
    public func run(progress: @escaping @Sendable (Int) -> Void) async throws -> Report {
        var outcomes: [Outcome] = []
        try await runner.eachEpisode { episode in
            let memory = try BenchMemory(recipe: runner.setup.recipe, embedder: runner.setup.embedder)
            do {
                let owner = Owner(user: "bench")
                try await memory.feed(episode.turns, owner: owner)
                for question in episode.questions {
                    outcomes += try await ask(question, memory.memory, owner, episode)
                    progress(outcomes.count / 2)
                }
            } catch {
                await memory.close()
                throw error
            }
            await memory.close()
        }
        let systems = RankScore.distinct(outcomes.map(\.system))
        let types = Set(outcomes.map(\.type)).sorted()
        let rows = systems.flatMap { system in
            (["all"] + types).map { type in
                row(system, type, outcomes.filter { $0.system == system && (type == "all" || $0.type == type) })
            }
        }
        return Report(header: runner.header, rows: rows)
    }

    /// One question by `ask`, then by recall and the answerer.
    private func ask(_ question: BenchQuestion, _ memory: MemoryOS, _ owner: Owner, _ episode: BenchEpisode)
        async throws
        -> [Outcome]
    {
        let setup = runner.setup
        let now = question.time ?? episode.turns.last?.time ?? .now
        let clock = ContinuousClock()
        var start = clock.now
        var asked = AskRequest(question.text, owner: owner)
        asked.now = now
        let result = try await memory.ask(asked)
        var byRule = outcome(
            "ask", result.recalled ? BenchAnswer.none : result.answer, result.recalled ? [] : result.memories, question)
        byRule.isCertain = result.certain
        byRule.milliseconds = (clock.now - start) / .milliseconds(1)
        start = clock.now
        var request = RecallRequest(question.text, owner: owner, limit: setup.limit)
        request.now = now
        let found = try await memory.recall(request).memories.map(\.memory)
        let answer = try await setup.answerer?.answer(
            BenchContext(question: question, memories: found, memory: memory, owner: owner, now: now))
        var byRecall = outcome("recall@\(setup.limit)", answer ?? "", found, question)
        byRecall.milliseconds = (clock.now - start) / .milliseconds(1)
        return [byRule, byRecall]
    }

    private func outcome(
        _ system: String, _ answer: String, _ memories: [MemCube], _ question: BenchQuestion
    ) -> Outcome {
        let scores = runner.format.score(answer, question)
        let documents = Set(memories.compactMap(\.provenance.reference))
        return Outcome(
            system: system, type: question.category, right: scores["contains"] ?? 0, f1: scores["F1"] ?? 0,
            documents: BenchFormat.documentF1(documents, question.evidence))
    }

    private func row(_ system: String, _ type: String, _ group: [Outcome]) -> Row {
        func mean(_ value: (Outcome) -> Double) -> MeanInterval {
            MeanInterval([group.map(value)], seed: runner.setup.seed)
        }
        let n = Double(max(1, group.count))
        return Row(
            system: system, type: type, right: mean(\.right), f1: mean(\.f1), documentF1: mean(\.documents),
            certain: Double(group.count(where: \.isCertain)) / n,
            milliseconds: group.reduce(0) { $0 + $1.milliseconds } / n)
    }
}

extension GlobalBenchmark.Report {
    /// The measurements as Markdown, which reads as plain text, too.
    public var markdown: String {
        func text(_ value: MeanInterval) -> String {
            String(format: "%.3f [%.3f–%.3f]", value.mean, value.low, value.high)
        }
        var lines = [
            "GlobalQA: \(header.data) (sha256 \(header.digest)), recipe \(header.recipe), embedder \(header.embedder); "
                + "behind recall answers: \(header.answerer)", "",
            "| system | questions | n | right | F1 | F1 of documents | certain | ms |",
            "|---|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += rows.map { row in
            "| \(row.system) | \(row.type) | \(row.right.count) | \(text(row.right)) | \(text(row.f1)) | "
                + "\(text(row.documentF1)) | " + String(format: "%.2f | %.1f |", row.certain, row.milliseconds)
        }
        return lines.joined(separator: "\n")
    }
}
