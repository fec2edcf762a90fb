import Foundation
import MnemeBase
public import MnemeEngine
import MnemeKV
import MnemeModels

/// SCBench (Li et al. 2025, arXiv:2412.10319): one long context, many requests. What does a policy, a codec or a
/// selector lose when a KV cache is used again, and what does using it again save?
///
/// In the mode `multi-turn` a conversation goes on: the policy chooses at the end of the context and the first
/// request, and each later request finds the right answers of those before it in the prompt, as the authors have it.
/// In the mode `multi-request` each request stands alone behind the context: the policy chooses at the context's end,
/// and knows no request.
public struct SharedContextBenchmark: Sendable {
    /// How requests share a context.
    public enum Mode: String, Sendable, Codable, CaseIterable {
        /// One conversation.
        case multiTurn = "multi-turn"
        /// Requests that know nothing of each other.
        case multiRequest = "multi-request"
    }

    /// What is measured, and on how much.
    public struct Settings: Sendable {
        /// Policies and codecs; `full` is measured, whether it is named or not.
        public var subjects: [KVPolicyBenchmark.Subject] = []
        /// Shares of a prompt's rows that a policy may keep.
        public var budgets = [0.25]
        /// The modes.
        public var modes = Mode.allCases
        /// Tokens of a prompt at most: longer contexts lose their middle, as the authors cut them.
        public var context = 4096
        /// Requests of a context at most.
        public var turns = Int.max
        /// Seed of the intervals.
        public var seed: UInt64 = 1

        /// The usual.
        public init() {}
    }

    /// A subject with a budget.
    public struct Run: Sendable, Hashable {
        /// The policy and codec, and the share of rows.
        public var subject: KVPolicyBenchmark.Subject, budget: Double
    }

    /// The model, the contexts, and what is measured.
    public let model: LanguageModel, records: [SharedContext], data: BenchData, settings: Settings
    /// All subjects with their budgets, `full` first.
    public let runs: [Run]

    /// - Throws: ``MnemeEngine/EngineError`` for budgets and lengths that make no sense.
    public init(_ model: LanguageModel, _ records: [SharedContext], _ data: BenchData, _ settings: Settings) throws {
        guard settings.budgets.allSatisfy({ $0 > 0 && $0 <= 1 }) else {
            throw EngineError(.invalidRequest, "Budgets lie above 0 and up to 1.")
        }
        guard settings.context >= 256, settings.context <= model.decoder.configuration.contextLength else {
            throw EngineError(
                .invalidRequest,
                "A prompt has 256 tokens at least, and at most the model's context (\(model.decoder.configuration.contextLength))."
            )
        }
        (self.model, self.records, self.data, self.settings) = (model, records, data, settings)
        // Everything is compared with the full cache. Codecs alone have no budget.
        let whole = Run(subject: try KVPolicyBenchmark.Subject("full"), budget: 1)
        var runs = [whole]
        for subject in settings.subjects where subject != whole.subject {
            for budget in subject.policy == "full" ? [1] : settings.budgets {
                let run = Run(subject: subject, budget: budget)
                if !runs.contains(run) { runs.append(run) }
            }
        }
        self.runs = runs
    }

    /// What results depend on. Subjects are not part of it: a later run adds more to the same file.
    public var header: BenchHeader {
        BenchHeader(
            bench: "scbench", data: data.name, digest: data.digest, recipe: "\(settings.context) tokens",
            embedder: "none", answerer: model.name, judge: "none", limit: min(settings.turns, 1000),
            seed: settings.seed)
    }

    /// Names one measurement in the log.
    static func key(_ mode: Mode, _ run: Run, _ turn: Int) -> String {
        "\(mode.rawValue) \(run.subject) \(run.budget) \(turn + 1)"
    }

    /// Measurements of a whole run.
    public var count: Int {
        records.reduce(0) { $0 + min($1.turns.count, settings.turns) } * settings.modes.count * runs.count
    }

    /// Measures what the log does not hold yet.
    ///
    /// - Parameter progress: measurements done, and the context that is being asked.
    /// - Throws: ``MnemeEngine/EngineError``, ``MnemeKV/KVError``, `FileError`, `CancellationError`. What is done by
    ///   then is in the log.
    public func run(_ log: BenchLog, progress: (Int, String) -> Void) throws {
        var known = Set(log.outcomes.map { [$0.episode, $0.question] })
        var done = 0
        for record in records {
            for mode in settings.modes {
                let turns = record.turns.prefix(settings.turns).indices
                let open = runs.filter { run in
                    turns.contains { !known.contains([record.id, Self.key(mode, run, $0)]) }
                }
                done += (runs.count - open.count) * turns.count
                guard !open.isEmpty else { continue }
                progress(done, record.id)
                let play = try SharedContextPlay(model, record, mode, settings)
                for (run, policy, prompt) in try play.prepared(open) {
                    for turn in turns {
                        try Task.checkCancellation()
                        done += 1
                        guard known.insert([record.id, Self.key(mode, run, turn)]).inserted else { continue }
                        var outcome = try play.ask(turn, run, policy, prompt)
                        outcome.question = Self.key(mode, run, turn)
                        try log.add(outcome)
                        progress(done, record.id)
                    }
                }
            }
        }
    }
}
