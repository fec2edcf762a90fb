import Foundation

/// The card as people read it.
extension BenchReport {
    /// Scores in the order in which they are shown; others follow by name.
    private static let order = [
        "any@1", "any@5", "any@10", "all@5", "all@10", "MRR", "session all@5", "session all@10", "session NDCG@10",
    ]
    /// Scores that tables leave out: JSON has them.
    private static let hidden: Set<String> = [
        "any@20", "any@50", "all@1", "all@20", "all@50", "session NDCG@5",
    ]

    /// Names of the scores, in order.
    private var names: [String] {
        let all = Set(rows.flatMap(\.metrics.keys)).subtracting(Self.hidden)
        return Self.order.filter(all.contains) + all.subtracting(Self.order).sorted()
    }

    /// What was measured, as pairs.
    private var facts: [(String, String)] {
        var facts = [
            (
                "data",
                "\(header.data) (sha256 \(header.digest)): \(episodes) histories, \(turns) turns, "
                    + "\(rows[0].questions) questions"
            ),
            ("system", "recipe \(header.recipe), embedder \(header.embedder), \(header.limit) memories a question"),
            ("answers", header.answerer), ("judge", header.judge), ("setting", setting),
            (
                "cost",
                String(
                    format:
                        "%.0f tokens recalled, %.2f model calls, %.0f model tokens a question; %d model calls to store",
                    tokens, modelCalls, modelTokens, storingCalls)
            ),
            (
                "time",
                String(
                    format: "%.2f ms to store a turn, %.2f to maintain it; recall %.2f ms (p95 %.2f), answer %.1f",
                    writeMilliseconds, maintainMilliseconds, recallMilliseconds, recallP95, answerMilliseconds)
            ),
            ("disk", String(format: "%.0f bytes a turn", bytesEach)),
        ]
        if recalls > 1 {
            facts.append(
                (
                    "recalls",
                    String(
                        format: "%.2f a question, of whose memories %.2f had come before", recalls, redundancy)
                ))
        }
        return facts
    }

    private static func text(_ value: MeanInterval?) -> String {
        value.map { String(format: "%.3f [%.3f–%.3f]", $0.mean, $0.low, $0.high) } ?? "–"
    }

    /// Lines for a terminal: the facts, then each kind of question with its scores.
    public var text: String {
        var lines = [title]
        lines += facts.map { "  " + $0.0.padding(toLength: 9, withPad: " ", startingAt: 0) + $0.1 }
        for row in rows {
            lines.append("\(row.category): \(row.questions) questions")
            for name in names where row.metrics[name] != nil {
                let applies =
                    row.metrics[name]!.count == row.questions ? "" : "  (\(row.metrics[name]!.count) questions)"
                lines.append(
                    "  " + name.padding(toLength: 18, withPad: " ", startingAt: 0) + Self.text(row.metrics[name])
                        + applies)
            }
        }
        return (lines + notes.map { "Note: " + $0 }).joined(separator: "\n")
    }

    /// The card as Markdown.
    public var markdown: String {
        var lines = ["## \(title)", ""]
        lines += facts.map { "- **\($0.0)**: \($0.1)" }
        lines += ["", "| questions | n | " + names.joined(separator: " | ") + " |"]
        lines.append("|---|" + String(repeating: "---:|", count: names.count + 1))
        lines += rows.map { row in
            "| \(row.category) | \(row.questions) | "
                + names.map { Self.text(row.metrics[$0]) }.joined(separator: " | ")
                + " |"
        }
        return (lines + [""] + notes.map { "- " + $0 }).joined(separator: "\n")
    }
}
