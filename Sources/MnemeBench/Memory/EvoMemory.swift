import Foundation
import Mneme
import MnemeBase
import MnemeIndex
import MnemePipeline
import MnemeStore

/// Evo-Memory (Wei et al. 2025): tasks come one after the other; before each an agent searches what it has
/// kept, adapts it to an answer, and afterwards keeps how that ended. Measured is how success rises along the
/// stream, for each way to keep and to choose.
///
/// The ways: `none`; `recent`, the last experiences; `exprag`, the paper's baseline, the most similar ones;
/// `remem`, after the paper's act, think, refine: of the most similar ones those that ended badly are turned
/// against their answer, and those that misled are dropped; and `learn`, this project's cases, whose values
/// outcomes change.
///
/// Without a model a rule acts: each experience speaks for its answer if it ended well and against it if not,
/// by the square of the share of the task's words that its own task has, rare ones weighing more; of equal
/// options the first is tried. A task without options needs a model.
public struct EvoMemoryBenchmark: Sendable {
    /// A task of the stream.
    public struct StreamTask: Sendable, Equatable {
        /// What is asked, the answer, and the answers that there are to choose from; none for a free answer.
        public var input: String, answer: String, options: [String]
    }

    /// The ways to keep and choose experiences.
    public enum Module: String, Sendable, Codable, CaseIterable {
        /// Nothing is kept.
        case none
        /// The last experiences.
        case recent
        /// The most similar experiences (ExpRAG).
        case exprag
        /// Similar experiences, judged and pruned by how they ended (ReMem).
        case remem
        /// This project's cases.
        case learn
    }

    /// One module.
    public struct Row: Sendable, Codable {
        /// The module.
        public var module: Module
        /// Share of tasks that succeeded, and of each quarter of the stream.
        public var success: MeanInterval, quarters: [Double]
        /// Mean tokens of the experiences that were shown, calls of a model, milliseconds a task.
        public var tokens: Double, modelCalls: Double, milliseconds: Double
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// Data, recipe, and what acted.
        public var header: BenchHeader
        /// Tasks of the stream.
        public var tasks: Int
        /// A row for each module.
        public var rows: [Row]
    }

    private let tasks: [StreamTask], setup: BenchSetup, header: BenchHeader
    private let analyzer = TextAnalyzer()
    /// Experiences that a task is shown.
    private static let shown = 5
    /// Whose experiences they are.
    private static let owner = Owner(user: "bench")

    /// - Parameters:
    ///   - tasks: of the stream, in order.
    ///   - setup: its oracle acts, if it has one.
    ///   - data: names the stream in tables.
    /// - Throws: `InputError` for tasks that only a model can do, if there is none.
    public init(_ tasks: [StreamTask], _ setup: BenchSetup, _ data: BenchData) throws {
        guard setup.oracle != nil || tasks.allSatisfy({ $0.options.count > 1 }) else {
            throw InputError("Tasks without options need a model: --model or --oracle.")
        }
        (self.tasks, self.setup) = (tasks, setup)
        header = BenchHeader(
            bench: "evo-memory", data: data.name, digest: data.digest, recipe: setup.recipe.name,
            embedder: setup.embedder?.identifier ?? "none",
            answerer: setup.oracle?.name ?? "a rule: experiences vote; no model", judge: "none", limit: Self.shown,
            seed: setup.seed)
    }

    /// What was kept of a task.
    private struct Experience {
        var task: String, answer: String, succeeded: Bool
        /// Times that it was shown before a failure for which it spoke.
        var misled = 0
        var text: String { "Task: \(task)\nAnswer: \(answer)\nIt was \(succeeded ? "right" : "wrong")." }
    }

    /// Plays the stream to each module.
    ///
    /// - Parameter progress: tasks done, of how many.
    /// - Throws: `StoreError`, and what a model throws.
    public func run(progress: @escaping @Sendable (Int, Int) -> Void) async throws -> Report {
        var rows: [Row] = []
        for module in Module.allCases {
            let done = rows.count * tasks.count
            rows.append(try await play(module) { progress(done + $0, Module.allCases.count * tasks.count) })
        }
        return Report(header: header, tasks: tasks.count, rows: rows)
    }

    private func play(_ module: Module, _ progress: (Int) -> Void) async throws -> Row {
        let memory = try BenchMemory(recipe: setup.recipe, embedder: setup.embedder)
        do {
            let start = ContinuousClock.now
            let calls = setup.oracle?.calls ?? 0
            var kept: [Experience] = []
            var results: [Double] = []
            var tokens = 0
            for (number, task) in tasks.enumerated() {
                let places = try await search(module, task, kept, memory.memory)
                let known = places.map { kept[$0] }
                tokens += known.reduce(0) { $0 + $1.text.utf8.count / 4 }
                let answer = try await act(task, known, kept)
                let succeeded = TextScore.exact(answer, task.answer) == 1
                results.append(succeeded ? 1 : 0)
                // Experiences that spoke for a wrong answer have misled.
                if !succeeded {
                    for place in places where kept[place].succeeded && kept[place].answer == answer {
                        kept[place].misled += 1
                    }
                }
                kept.append(Experience(task: task.input, answer: answer, succeeded: succeeded))
                try await evolve(module, kept, memory)
                progress(number + 1)
            }
            await memory.close()
            var row = row(module, results)
            let count = Double(max(1, tasks.count))
            row.tokens = Double(tokens) / count
            row.modelCalls = Double((setup.oracle?.calls ?? 0) - calls) / count
            row.milliseconds = (ContinuousClock.now - start) / .milliseconds(1) / count
            return row
        } catch {
            await memory.close()
            throw error
        }
    }

    /// Places of the experiences that the task is shown, the most fitting first.
    private func search(
        _ module: Module, _ task: StreamTask, _ kept: [Experience], _ memory: MemoryOS
    ) async throws -> [Int] {
        guard module != .none, !kept.isEmpty else { return [] }
        if module == .recent { return Array((0..<kept.count).suffix(Self.shown).reversed()) }
        // More are looked at where some are dropped.
        let limit = module == .exprag ? Self.shown : 4 * Self.shown
        var request = RecallRequest(task.input, owner: Self.owner, limit: limit)
        request.now = Self.time(kept.count)
        let found: [MemCube]
        if module == .learn {
            request.limit = Self.shown
            let cases = try await memory.experience(.cases, for: request).memories.map(\.memory)
            // A case is of the last task that is worded so.
            return cases.compactMap { cube in
                kept.lastIndex { $0.task == cube.metadata["task"] && $0.answer == cube.metadata["approach"] }
            }
        }
        found = try await memory.recall(request).memories.map(\.memory)
        let places = found.compactMap { $0.provenance.reference.flatMap(Int.init) }
        guard module == .remem else { return places }
        return Array(places.filter { kept[$0].misled < 2 }.prefix(Self.shown))
    }

    /// The share of a task's terms that each experience has, terms weighed by how few of all tasks have them.
    private func nearness(_ task: StreamTask, _ known: [Experience], among kept: [Experience]) -> [Double] {
        var counts: [String: Int] = [:]
        for experience in kept { for term in Set(analyzer.terms(experience.task)) { counts[term, default: 0] += 1 } }
        func weight(_ terms: Set<String>) -> Double {
            terms.reduce(0) { $0 + log(1 + Double(kept.count + 1) / (Double(counts[$1] ?? 0) + 0.5)) }
        }
        let wanted = Set(analyzer.terms(task.input))
        let all = max(weight(wanted), 1e-9)
        return known.map { weight(wanted.intersection(analyzer.terms($0.task))) / all }
    }

    /// The answer to a task from the experiences that it is shown, of all that are kept.
    private func act(_ task: StreamTask, _ known: [Experience], _ kept: [Experience]) async throws -> String {
        guard let oracle = setup.oracle else {
            var votes: [String: Double] = [:]
            for (experience, near) in zip(known, nearness(task, known, among: kept)) {
                votes[experience.answer, default: 0] += (experience.succeeded ? 1 : -1) * near * near
            }
            // Of equals the first option is tried.
            return task.options.enumerated().max { a, b in
                (votes[a.element] ?? 0, -a.offset) < (votes[b.element] ?? 0, -b.offset)
            }?.element ?? ""
        }
        struct Reply: Decodable { var answer: String }
        let options = task.options.isEmpty ? "" : "\nOptions: " + task.options.joined(separator: " | ")
        let question = OracleQuestion(
            instructions: "Do the task. Experiences with like tasks stand before it; learn from them. Answer with "
                + "nothing but the answer" + (task.options.isEmpty ? "." : ", one of the options."),
            text: (known.map(\.text) + ["Task: \(task.input)\(options)"]).joined(separator: "\n\n"),
            schema: ModelAnswerer.schema,
            schemaName: "answer", sources: [], maxTokens: 120)
        return try await oracle.ask(question, for: Reply.self)?.answer ?? ""
    }

    /// Keeps how the last task ended, as the module keeps things.
    private func evolve(_ module: Module, _ kept: [Experience], _ memory: BenchMemory) async throws {
        guard let last = kept.last else { return }
        switch module {
        case .none, .recent: return
        case .learn:
            var caller = Caller.local
            caller.time = Self.time(kept.count)
            let answer = last.answer.isEmpty ? "(nothing)" : last.answer
            _ = try await memory.memory.learn(
                TaskOutcome(task: last.task, approach: answer, reward: last.succeeded ? 1 : 0),
                scope: Scope(user: Self.owner.user), by: caller)
        case .exprag, .remem:
            let turn = BenchTurn(id: "\(kept.count - 1)", session: "stream", text: last.text)
            try await memory.feed([turn.at(Self.time(kept.count))], owner: Self.owner)
        }
    }

    /// Tasks are an hour apart.
    private static func time(_ number: Int) -> Date {
        Date(timeIntervalSince1970: 1_700_000_000 + Double(number) * 3600)
    }

    /// A row whose costs are still to be set.
    private func row(_ module: Module, _ results: [Double]) -> Row {
        let n = results.count
        let quarters = (0..<4).map { q in
            let part = results[(q * n / 4)..<((q + 1) * n / 4)]
            return part.isEmpty ? 0 : part.reduce(0, +) / Double(part.count)
        }
        return Row(
            module: module, success: MeanInterval([results], seed: setup.seed), quarters: quarters, tokens: 0,
            modelCalls: 0, milliseconds: 0)
    }
}

extension EvoMemoryBenchmark.Report {
    /// The measurements as Markdown, which reads as plain text, too.
    public var markdown: String {
        var lines = [
            "Evo-Memory: \(header.data) (sha256 \(header.digest)), \(tasks) tasks; embedder \(header.embedder); acts: "
                + header.answerer, "",
            "| module | success | 1st quarter | 2nd | 3rd | 4th | tokens | model calls | ms |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += rows.map { row in
            "| \(row.module.rawValue) | "
                + String(format: "%.3f [%.3f–%.3f] | ", row.success.mean, row.success.low, row.success.high)
                + row.quarters.map { String(format: "%.2f", $0) }.joined(separator: " | ")
                + String(format: " | %.0f | %.2f | %.1f |", row.tokens, row.modelCalls, row.milliseconds)
        }
        return lines.joined(separator: "\n")
    }
}
