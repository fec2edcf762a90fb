import Foundation
import MnemeEngine
import MnemeKV

extension GenerationUsage {
    /// Figures of one answer for people: prompt tokens and how many were cached, milliseconds to
    /// the first token, completion tokens, and tokens a second after the first; and the procedures that it followed.
    var summary: String {
        let further = max(0, completionTokens - 1)
        let rate = further > 0 ? Double(further) / max(1e-9, total - firstToken) : 0
        let moved = reusedTokens > 0 ? ", \(reusedTokens) of them at other positions" : ""
        let read = cachedTokens > 0 ? " (\(cachedTokens) cached\(moved))" : ""
        let rows =
            kept.map {
                String(
                    format: "; answered from %.0f rows a head (\($0.policy), \($0.type.rawValue), %.1f MiB)",
                    $0.tokens, Double($0.bytes) / 1_048_576)
            } ?? ""
        return String(
            format: "%d tokens\(read) read, first answer after %.0f ms; %d written, %.0f a second\(rows)",
            promptTokens,
            firstToken * 1000, completionTokens, rate)
            + (procedures.isEmpty ? "" : "; followed " + procedures.joined(separator: ", "))
    }
}
