import Foundation

/// What the streams showed, as a table.
public struct StreamReport: Sendable, Codable {
    /// The seed, and the tasks of a stream.
    public var seed: UInt64, tasks: Int
    /// Who acts, in words.
    public var acts = "rules that go by what recall returns; no model"
    /// A row for each subject.
    public var rows: [StreamEvaluation.Row]

    /// Rows of one evaluation.
    public init(_ evaluation: StreamEvaluation, _ rows: [StreamEvaluation.Row]) {
        (seed, tasks, self.rows) = (evaluation.seed, evaluation.tasks, rows)
    }

    /// The table as Markdown, which reads as plain text, too.
    public var markdown: String {
        func cell(_ value: Double?) -> String { value.map { String(format: "%.3f", $0) } ?? "" }
        return
            ([
                "Streams of about \(tasks) tasks, seed \(seed); acts: \(acts)", "",
                "| | solved, 1st half | 2nd half | scenes right | errors repeated | next action | of three | outlooks right "
                    + "| tokens | memories | ms |",
                "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            ]
            + rows.map { row in
                "| \(row.name) | "
                    + [
                        row.firstHalf, row.secondHalf, row.scenes, row.repeatedErrors, row.nextAction, row.nextOfThree,
                        row.outlooks,
                    ].map(cell).joined(separator: " | ")
                    + String(format: " | %.0f | %d | %.1f |", row.tokens, row.memories, row.milliseconds)
            }).joined(separator: "\n")
    }
}
