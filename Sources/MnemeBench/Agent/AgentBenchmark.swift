import Foundation
import Mneme
import MnemeBase

/// LoCoBench-Agent (Qiu et al. 2025, arXiv:2511.13998): an agent works on a project over many turns, with tools for
/// files and search that Mneme's memory stands behind.
///
/// Each scenario has a memory of its own. Its nine metrics are the authors' (``AgentMetrics``); beside them stands
/// whether the files that the authors name were found and read.
public struct AgentBenchmark: Sendable {
    /// The paper's title, for reports.
    public static let title = "LoCoBench-Agent (Qiu et al. 2025, arXiv:2511.13998)"

    /// Recipe, embedder, memories of a search, and the seed of intervals.
    public let setup: BenchSetup
    /// Data, and who acts.
    public let data: BenchData, agent: any BenchAgent
    /// Hands out a scenario.
    private let scenario: @Sendable (Int) throws -> AgentScenario
    /// Scenarios that are played.
    public let count: Int

    /// A run over a data set.
    public init(_ dataset: AgentDataset, _ data: BenchData, _ agent: any BenchAgent, _ setup: BenchSetup) {
        (self.data, self.agent, self.setup) = (data, agent, Self.remembering(setup))
        scenario = { try dataset.scenario($0) }
        count = min(dataset.scenarios.count, setup.episodes)
    }

    /// A run over scenarios that are in memory.
    public init(_ scenarios: [AgentScenario], _ data: BenchData, _ agent: any BenchAgent, _ setup: BenchSetup) {
        (self.data, self.agent, self.setup) = (data, agent, Self.remembering(setup))
        scenario = { scenarios[$0] }
        count = min(scenarios.count, setup.episodes)
    }

    /// A setup whose embedder keeps vectors, so that a question's is made before the clock starts.
    private static func remembering(_ setup: BenchSetup) -> BenchSetup {
        var setup = setup
        setup.embedder = setup.embedder.map { RememberedEmbedder($0) }
        return setup
    }

    /// What results depend on.
    public var header: BenchHeader {
        BenchHeader(
            bench: "locobench-agent", data: data.name, digest: data.digest, recipe: setup.recipe.name,
            embedder: setup.embedder?.identifier ?? "none", answerer: agent.name, judge: "none", limit: setup.limit,
            seed: setup.seed)
    }

    /// Plays all scenarios that the log does not hold yet.
    ///
    /// - Parameters:
    ///   - log: gets what comes.
    ///   - keep: gets each session, as it is written to a file.
    ///   - progress: scenarios done, and the one that is being played.
    /// - Throws: `InputError` for a scenario of another form, `StoreError`, `FileError`, and what a model throws.
    ///   What is done by then is in the log.
    public func run(
        _ log: BenchLog, keep: (AgentSession) throws -> Void = { _ in },
        progress: @escaping @Sendable (Int, String) -> Void
    ) async throws {
        let known = Set(log.outcomes.map(\.question))
        for number in 0..<count {
            let scenario = try scenario(number)
            guard !known.contains(scenario.id) else { continue }
            progress(number, scenario.id)
            try await play(scenario, log, keep)
        }
        progress(count, "")
    }

    /// One scenario with a memory of its own, which goes with it.
    private func play(_ scenario: AgentScenario, _ log: BenchLog, _ keep: (AgentSession) throws -> Void) async throws {
        let start = ContinuousClock.now
        let workspace = try await AgentWorkspace(scenario.files, setup)
        do {
            let stored = (ContinuousClock.now - start) / .milliseconds(1)
            let before = (setup.oracle?.calls ?? 0, setup.oracle?.tokens ?? 0)
            let begun = ContinuousClock.now
            var play = AgentPlay(scenario, agent, workspace)
            let result = try await play.run()
            var outcome = Self.outcome(scenario, result)
            outcome.recalls = workspace.recalls
            outcome.recallMilliseconds = workspace.recallMilliseconds / Double(max(1, workspace.recalls))
            outcome.modelCalls = (setup.oracle?.calls ?? 0) - before.0
            outcome.modelTokens = (setup.oracle?.tokens ?? 0) - before.1
            outcome.answerMilliseconds = (ContinuousClock.now - begun) / .milliseconds(1)
            try keep(result.session)
            try log.add(
                BenchFeed(
                    episode: scenario.id, turns: scenario.files.count, writeMilliseconds: stored,
                    maintainMilliseconds: 0, bytes: workspace.bytes, modelCalls: 0))
            try log.add(outcome)
        } catch {
            await workspace.close()
            throw error
        }
        await workspace.close()
    }

    /// What came of a scenario: the authors' metrics, and whether the files that matter were found and read.
    static func outcome(_ scenario: AgentScenario, _ result: AgentPlay.Result) -> BenchOutcome {
        var metrics = AgentMetrics.all(result.session)
        let read = Set(result.read)
        metrics["turns"] = Double(result.session.turns)
        metrics["calls"] = Double(result.session.calls.count)
        let wanted = scenario.wanted
        if !wanted.isEmpty {
            metrics["read recall"] = Double(wanted.intersection(read).count) / Double(wanted.count)
            metrics["search recall"] = Double(wanted.intersection(result.found).count) / Double(wanted.count)
            if !read.isEmpty {
                metrics["read precision"] = Double(wanted.intersection(read).count) / Double(read.count)
            }
        }
        // Scenarios of one project are drawn together for intervals.
        return BenchOutcome(
            episode: AgentDataset.project(of: scenario.id), question: scenario.id, category: scenario.category,
            metrics: metrics, answer: result.session.messages.last { $0.role == "assistant" }?.content ?? "",
            tokens: result.tokens, modelCalls: 0, modelTokens: 0, recalls: 0, redundancy: 0, recallMilliseconds: 0,
            answerMilliseconds: 0)
    }
}
