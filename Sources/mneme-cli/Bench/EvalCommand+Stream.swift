import Mneme
import MnemeBench

/// `mneme eval --stream`: recipes on made streams of tasks, beside no memory and similarity alone.
extension EvalCommand {
    /// Plays the streams to the baselines and the recipes, and prints a row of each.
    ///
    /// - Throws: what a store throws.
    func playStreams(_ recipes: [Recipe]) async throws {
        let evaluation = StreamEvaluation(
            seed: seed, tasks: tasks, embedder: noEmbedder ? nil : HashedWordsEmbedder())
        let subjects = StreamEvaluation.Subject.baselines + recipes.map { .recipe($0) }
        var rows: [StreamEvaluation.Row] = []
        let line = ProgressLine()
        defer { line.end() }
        for (done, subject) in subjects.enumerated() {
            line.show(done, subjects.count, subject.name)
            rows.append(try await evaluation.run(subject))
        }
        line.end()
        let report = StreamReport(evaluation, rows)
        print(json ? try OperationTable.encode(report, pretty: true) : report.markdown)
    }
}
