import Foundation

/// What was measured of policies, as a table.
extension KVPolicyBenchmark {
    /// A Markdown table: the full cache first, bytes as shares of its, perplexity against its.
    ///
    /// - Parameter depths: of the numbers hidden alone, see ``Settings/depths``.
    public static func markdown(_ rows: [Row], depths: [Double]) -> String {
        guard let whole = rows.first else { return "" }
        func share(_ bytes: Int) -> String {
            String(format: "%.0f %%", 100 * Double(bytes) / Double(max(1, whole.bytes)))
        }
        let heads =
            [
                "", "budget", "bytes kept", "most at any time", "read a token", "perplexity", "KL, nats",
                "same", "needle",
            ] + depths.map { String(format: "at %.0f %%", 100 * $0) } + ["passkey"]
            + (whole.summary == nil ? [] : ["summary"]) + (whole.chat == nil ? [] : ["chat"])
            + ["tokens/s"]
        var lines = ["| " + heads.joined(separator: " | ") + " |"]
        lines.append("|" + String(repeating: "---|", count: heads.count))
        for row in rows {
            let perplexity =
                row.policy == whole.policy
                ? String(format: "%.3f", row.perplexity)
                : String(format: "%+.2f %%", 100 * (row.perplexity / whole.perplexity - 1))
            let cells =
                [
                    row.policy, String(format: "%.0f %%", 100 * row.budget), share(row.bytes),
                    share(row.peakBytes), share(row.readBytes), perplexity,
                    String(format: "%.4f", row.divergence), String(format: "%.3f", row.agreement),
                    String(format: "%.2f", row.needle),
                ] + row.needles.map { String(format: "%.2f", $0) }
                + [String(format: "%.2f", row.passkey)]
                + (whole.summary == nil ? [] : [row.summary.map { String(format: "%.2f", $0) } ?? ""])
                + (whole.chat == nil ? [] : [row.chat.map { String(format: "%.2f", $0) } ?? ""])
                + [String(format: "%.0f", row.tokensPerSecond)]
            lines.append("| " + cells.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n")
    }
}
