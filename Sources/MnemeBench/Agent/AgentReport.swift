import Foundation

/// The evaluation card of a run of ``AgentBenchmark``: the authors' metrics beside what was found and read, each with
/// the interval in which its mean lies, and what it cost.
public struct AgentReport: Sendable, Codable {
    /// What the run depends on, and the paper.
    public var header: BenchHeader, title: String
    /// Scenarios played, and files of their projects.
    public var scenarios: Int, files: Int
    /// Scores by category; the first row is all of them.
    public var rows: [BenchReport.Row]
    /// Means of a scenario: tokens that the agent saw and said, calls of a model and their tokens, recalls.
    public var tokens: Double, modelCalls: Double, modelTokens: Double, recalls: Double
    /// Mean milliseconds: to remember a project, of a recall, to play a scenario.
    public var storeMilliseconds: Double, recallMilliseconds: Double, playMilliseconds: Double
    /// What is to be known before figures are compared.
    public var notes: [String]

    /// Sums a log up.
    ///
    /// - Complexity: O(scores × 1000), for the intervals.
    public init(_ benchmark: AgentBenchmark, _ log: BenchLog) {
        (header, title) = (benchmark.header, AgentBenchmark.title)
        let outcomes = log.outcomes
        let n = Double(max(1, outcomes.count))
        func mean(_ value: (BenchOutcome) -> Double) -> Double { outcomes.reduce(0) { $0 + value($1) } / n }
        scenarios = outcomes.count
        files = log.feeds.reduce(0) { $0 + $1.turns }
        let kinds = Set(outcomes.map(\.category)).sorted()
        let seed = header.seed
        rows = [BenchReport.row("all", outcomes, seed)]
        if kinds.count > 1 {
            rows += kinds.map { kind in BenchReport.row(kind, outcomes.filter { $0.category == kind }, seed) }
        }
        tokens = mean { Double($0.tokens) }
        modelCalls = mean { Double($0.modelCalls) }
        modelTokens = mean { Double($0.modelTokens) }
        recalls = mean { Double($0.recalls) }
        storeMilliseconds =
            log.feeds.reduce(0) { $0 + $1.writeMilliseconds } / Double(max(1, log.feeds.count))
        recallMilliseconds = mean(\.recallMilliseconds)
        playMilliseconds = mean(\.answerMilliseconds)
        notes = [
            "The nine metrics are the authors' formulas over texts and calls; a session that writes nothing has 0.65 or "
                + "0.7 in six of them, and 1 in cross_file_consistency.",
            "Nothing is compiled or run here: compiler and debugger say so.",
            "In brackets: 95 % intervals by bootstrap over projects (over scenarios if there is one), seed \(seed).",
        ]
        if benchmark.data.path == nil {
            notes.insert(
                "The scenario is a small one of this project's own writing: it shows that the bench works, no more.",
                at: 0)
        }
    }

    /// Scores in the order of tables, by group.
    private static let groups = [
        ("comprehension", AgentMetrics.comprehension), ("efficiency", AgentMetrics.efficiency),
        ("means", AgentMetrics.means), ("files", ["search recall", "read recall", "read precision"]),
        ("counts", ["turns", "calls"]),
    ]

    private static func text(_ value: MeanInterval) -> String {
        String(format: "%.3f [%.3f–%.3f]", value.mean, value.low, value.high)
    }

    /// What was measured, as pairs.
    private var facts: [(String, String)] {
        [
            ("data", "\(header.data) (sha256 \(header.digest)): \(scenarios) scenarios, \(files) files"),
            ("system", "recipe \(header.recipe), embedder \(header.embedder), \(header.limit) memories a search"),
            ("agent", header.answerer),
            (
                "cost",
                String(
                    format: "%.0f tokens seen and said, %.1f recalls, %.1f model calls, %.0f model tokens a scenario",
                    tokens, recalls, modelCalls, modelTokens)
            ),
            (
                "time",
                String(
                    format: "%.0f ms to remember a project, %.2f ms a recall, %.0f ms to play a scenario",
                    storeMilliseconds, recallMilliseconds, playMilliseconds)
            ),
        ]
    }

    /// Lines for a terminal.
    public var text: String {
        var lines = [title]
        lines += facts.map { "  " + $0.0.padding(toLength: 9, withPad: " ", startingAt: 0) + $0.1 }
        for row in rows {
            lines.append("\(row.category): \(row.questions) scenarios")
            for (_, names) in Self.groups {
                for name in names {
                    guard let value = row.metrics[name] else { continue }
                    lines.append("  " + name.padding(toLength: 34, withPad: " ", startingAt: 0) + Self.text(value))
                }
            }
        }
        return (lines + notes.map { "Note: " + $0 }).joined(separator: "\n")
    }

    /// The card as Markdown: a row for each score, a column for each category.
    public var markdown: String {
        var lines = ["## \(title)", ""]
        lines += facts.map { "- **\($0.0)**: \($0.1)" }
        lines += [
            "", "| group | score | " + rows.map { "\($0.category) (\($0.questions))" }.joined(separator: " | ") + " |",
        ]
        lines.append("|---|---|" + String(repeating: "---:|", count: rows.count))
        for (group, names) in Self.groups {
            for name in names where rows.contains(where: { $0.metrics[name] != nil }) {
                let values = rows.map { $0.metrics[name].map(Self.text) ?? "–" }
                lines.append("| \(group) | \(name) | \(values.joined(separator: " | ")) |")
            }
        }
        return (lines + [""] + notes.map { "- " + $0 }).joined(separator: "\n")
    }
}
