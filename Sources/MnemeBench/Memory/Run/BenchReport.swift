import Foundation

/// The evaluation card of a run: what was measured on which data with what, each score with the interval
/// in which its mean lies, what it cost, and what the figures do not say (after "Memory in Large Language
/// Models", 2025: settings kept apart, refusals and outdated answers as slices of their own, uncertainty
/// reported).
public struct BenchReport: Sendable, Codable {
    /// One kind of question; the first row is all of them.
    public struct Row: Sendable, Codable {
        /// The kind, or `all`.
        public var category: String
        /// Questions of it.
        public var questions: Int
        /// Scores by name, each with the questions that it applies to.
        public var metrics: [String: MeanInterval]
    }

    /// What the run depends on.
    public var header: BenchHeader
    /// The format's title and paper.
    public var title: String
    /// `recall`, `recall and rules`, `recall and model` or `closed book`: scores of one are not compared with
    /// those of another.
    public var setting: String
    /// Histories played, and their turns.
    public var episodes: Int, turns: Int
    /// Scores by kind of question.
    public var rows: [Row]
    /// Mean tokens of the recalled texts, calls and tokens of a model for a question, and recalls for a
    /// question with the share of memories that came twice.
    public var tokens: Double, modelCalls: Double, modelTokens: Double, recalls: Double, redundancy: Double
    /// Calls of a model while storing.
    public var storingCalls: Int
    /// Milliseconds: to store and embed a turn, to maintain it, the median and the 95th percentile of recall
    /// without embedding the question, the median to answer.
    public var writeMilliseconds: Double, maintainMilliseconds: Double
    /// As ``writeMilliseconds``, of recall.
    public var recallMilliseconds: Double, recallP95: Double, answerMilliseconds: Double
    /// Bytes of the stores, for each turn.
    public var bytesEach: Double
    /// What is to be known before figures are compared.
    public var notes: [String]

    /// Sums a log up.
    ///
    /// - Complexity: O(scores × 1000), for the intervals.
    public init(_ runner: BenchRunner, _ log: BenchLog) {
        (header, title) = (runner.header, runner.format.title)
        let outcomes = log.outcomes
        let feeds = log.feeds
        let n = Double(max(1, outcomes.count))
        let stored = Double(max(1, feeds.reduce(0) { $0 + $1.turns }))
        (episodes, turns) = (Set(outcomes.map(\.episode)).count, Int(stored))
        func mean(_ value: (BenchOutcome) -> Double) -> Double { outcomes.reduce(0) { $0 + value($1) } / n }
        tokens = mean { Double($0.tokens) }
        modelCalls = mean { Double($0.modelCalls) }
        modelTokens = mean { Double($0.modelTokens) }
        recalls = mean { Double($0.recalls) }
        redundancy = mean(\.redundancy)
        storingCalls = feeds.reduce(0) { $0 + $1.modelCalls }
        writeMilliseconds = feeds.reduce(0) { $0 + $1.writeMilliseconds } / stored
        maintainMilliseconds = feeds.reduce(0) { $0 + $1.maintainMilliseconds } / stored
        bytesEach = Double(feeds.reduce(0) { $0 + $1.bytes }) / stored
        let times = outcomes.map(\.recallMilliseconds).sorted()
        (recallMilliseconds, recallP95) = (times.percentile(50), times.percentile(95))
        answerMilliseconds = outcomes.map(\.answerMilliseconds).sorted().percentile(50)
        let kinds = Array(Set(outcomes.map(\.category))).sorted()
        let seed = header.seed
        rows = [Self.row("all", outcomes, seed)]
        if kinds.count > 1 {
            rows += kinds.map { kind in Self.row(kind, outcomes.filter { $0.category == kind }, seed) }
        }
        let asksModel = outcomes.contains { $0.modelCalls > 0 }
        setting =
            runner.setup.answerer == nil
            ? "recall"
            : header.answerer.contains("closed book")
                ? "closed book" : asksModel ? "recall and model" : "recall and rules"
        notes = Self.notes(runner, outcomes)
    }

    /// Scores of a group of questions. Values of one history are drawn together.
    static func row(_ category: String, _ group: [BenchOutcome], _ seed: UInt64) -> Row {
        let names = Set(group.flatMap(\.metrics.keys))
        var metrics: [String: MeanInterval] = [:]
        for name in names {
            let values = Dictionary(grouping: group.filter { $0.metrics[name] != nil }, by: \.episode)
                .sorted { $0.key < $1.key }
                .map { $0.value.compactMap { $0.metrics[name] } }
            metrics[name] = MeanInterval(values, seed: seed)
        }
        return Row(category: category, questions: group.count, metrics: metrics)
    }

    /// What a reader must know: whose data it is, what answered, and what no figure is for.
    private static func notes(_ runner: BenchRunner, _ outcomes: [BenchOutcome]) -> [String] {
        var notes: [String] = []
        if runner.data.path == nil {
            notes.append(
                "The data is a small sample of this project's own writing: it shows that the bench works, no more.")
        }
        if runner.setup.answerer is ExtractiveAnswerer {
            notes.append(
                "No language model answered: answers are sentences of memories, which scores of words rate low.")
        }
        if let judged = runner.format.judged, runner.setup.answerer != nil {
            notes.append(
                runner.setup.judge.map { "The column judged is the verdict of \($0.name), not of the authors' judge." }
                    ?? judged)
        }
        if !outcomes.contains(where: { $0.metrics["any@1"] != nil || $0.metrics["session all@5"] != nil }) {
            notes.append(
                "The file marks no evidence: recall is measured by whether an answer's words are in what was recalled.")
        }
        notes.append(
            "In brackets: 95 % intervals by bootstrap over histories (over questions if there is one), seed \(runner.setup.seed)."
        )
        return notes
    }
}
