import Foundation
import MnemeTrain

/// What was measured of trainings, as a table.
extension TrainingBenchmark {
    /// A Markdown table: losses, bytes by what they are for, tokens a second, and what the paper
    /// claims.
    public static func markdown(_ rows: [Row]) -> String {
        let heads = [
            "optimizer", "saved tensors", "route", "weights", "rate", "loss, first", "last", "held out",
            "optimizer state", "saved", "in a file", "in memory", "of powers of two", "twice",
            "loss left out", "tokens/s", "the paper claims",
        ]
        var lines = ["| " + heads.joined(separator: " | ") + " |"]
        lines.append("|" + String(repeating: "---|", count: heads.count))
        for row in rows {
            let inMemory = row.bytes.reduce(0) { $0 + ($1.key == .swapped ? 0 : $1.value) }
            let cells = [
                row.optimizer, row.savedTensors, row.route, weights(row),
                String(format: "%g", row.learningRate),
                String(format: "%.3f", row.firstLoss), String(format: "%.3f", row.loss),
                row.heldOutLoss.map { String(format: "%.3f", $0) } ?? "",
                size(row.bytes[.optimizer] ?? 0), size(row.bytes[.saved] ?? 0),
                size(row.bytes[.swapped] ?? 0), size(inMemory), size(row.roundedBytes),
                String(format: "%.0f %%", 100 * row.recomputed),
                row.skippedLoss.map { String(format: "%.0f %%", 100 * $0) } ?? "",
                String(format: "%.0f", row.tokensPerSecond), claim(row),
            ]
            lines.append("| " + cells.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n")
    }

    /// Where weights were, and the state if that was elsewhere.
    private static func weights(_ row: Row) -> String {
        row.placement.rawValue + (row.optimizerState == .file ? ", state in a file" : "")
    }

    /// Bytes in MB of 10⁶.
    private static func size(_ bytes: Int) -> String {
        bytes == 0 ? "0" : String(format: "%.2f MB", Double(bytes) / 1e6)
    }

    /// What the paper behind a row's strategy claims, in a few words.
    static func claim(_ row: Row) -> String {
        if row.placement == .streamed { return "Horizon-LM: memory for weights does not grow with the depth" }
        if row.optimizerState == .file { return "MemAscend: 56 % less memory than buffers of powers of two" }
        if row.route.hasPrefix("targets") { return "tpSGD: within 5 % of backpropagation on shallow networks" }
        if row.route.hasPrefix("tokens") { return "TokMem: few parameters, the model stays as it is" }
        if row.route.hasPrefix("side") { return "QST: 2.3 times less memory in all, 3 times faster" }
        if row.route.hasPrefix("man") { return "MAN: better than plain blocks, 45 % less memory than backpropagation" }
        if row.route.hasPrefix("auglocal") { return "AugLocal: near backpropagation, some 40 % less memory" }
        if row.route.hasPrefix("local") { return "worse than AugLocal and backpropagation" }
        switch row.savedTensors.split(separator: ":").first ?? "" {
        case "tokenswap": return "MEMO: 2.4 times Megatron's share of the peak rate at a million tokens"
        case "wtacrs": return "WTA-CRS: 2.7 times less peak memory, almost no loss of accuracy"
        case "topchannels": return "MoC: feed-forward activations cut, loss near the dense model's"
        case "derivatives4": return "S2A: a quarter of the memory on average, accuracy kept"
        case "none": return ""
        default: break
        }
        switch row.optimizer {
        case "adamw8bit": return "two bytes a parameter, loss as in 32 bits"
        case "galore": return "GaLore: 65.5 % less optimizer memory, loss near AdamW's"
        case "galore8bit": return "8-bit GaLore: 82.5 % less optimizer memory"
        case "naturalgalore": return "Natural GaLore: lower loss than GaLore at few steps"
        case "frugal": return "FRUGAL: better than GaLore at equal state"
        case "apollo": return "APOLLO: AdamW's loss or better, memory near SGD's"
        case "apollomini": return "APOLLO-Mini: rank 1, AdamW's loss or better"
        default: return ""
        }
    }
}
