import Foundation
import Mneme

/// `mneme recall`: three or four lines a memory, then how many were considered and how long it
/// took. Memories that were left out, and those without a vector, are counted in yellow, so that a
/// poor answer is not taken for all there is.
extension RecallOperation: TextRendering {
    /// The memories, best first: text, origin, and the reasons of the score.
    static func rendered(_ value: JSONValue) -> String {
        let memories = value["memories"]?.array ?? []
        guard !memories.isEmpty else {
            return
                "Nothing is remembered that fits. (\(Answer.string(value, "considered")) memories were considered.)"
        }
        // Whose it is says something only where several were asked.
        let isMixed = Set(memories.map { Answer.string($0["memory"]?["scope"], "user") }).count > 1
        var lines = memories.enumerated().flatMap { found($1, rank: $0 + 1, withUser: isMixed) }
        lines.append(
            Terminal.styled(
                String(
                    format: "%d of %@ memories in %.1f ms", memories.count,
                    Answer.string(value, "considered"),
                    value["milliseconds"]?.double ?? 0)
                    + (value["source"] == nil ? "" : ", found in the \(Answer.string(value, "source"))"), .dim))
        for (key, note) in [
            ("held", "left out: they read like instructions to a model"),
            ("pendingEmbeddings", "memories have no vector yet and were found by words only"),
        ] where !["", "0"].contains(Answer.string(value, key)) {
            lines.append(Terminal.styled("\(Answer.string(value, key)) \(note)", .yellow))
        }
        return lines.joined(separator: "\n")
    }

    /// One memory: its text, where it comes from, and why it was found.
    private static func found(_ item: JSONValue, rank: Int, withUser: Bool) -> [String] {
        let memory = item["memory"]
        let speaker = Answer.string(memory, "speaker")
        let origin = [
            withUser ? "of " + Answer.string(memory?["scope"], "user") : "",
            Answer.day(memory, "eventTime"), Answer.string(memory?["scope"], "session"),
            Answer.string(memory?["provenance"], "reference"), Answer.string(memory, "type"),
            memory?["validUntil"] == nil ? "" : "valid until \(Answer.day(memory, "validUntil"))",
        ].filter { !$0.isEmpty }
        var lines = [
            "\(rank). " + (speaker.isEmpty ? "" : Terminal.styled(speaker, .bold) + ": ")
                + Answer.oneLine(Answer.text(of: memory), 400),
            "   " + Terminal.styled(origin.joined(separator: " · "), .cyan),
            "   " + Terminal.styled(score(item), .dim),
        ]
        if let duplicates = item["duplicates"]?.array, !duplicates.isEmpty {
            lines.append("   " + Terminal.styled("said \(duplicates.count + 1) times", .dim))
        }
        if let others = item["disputedBy"]?.array, !others.isEmpty {
            let count = others.count == 1 ? "another memory says" : "\(others.count) other memories say"
            lines.append("   " + Terminal.styled("disputed: \(count) otherwise", .yellow))
        }
        return lines
    }

    /// The score, the features that it consists of (the largest first; those below 0.05 are left
    /// out), and the words that matched.
    private static func score(_ item: JSONValue) -> String {
        let parts = (item["explanation"]?.object ?? [:])
            .compactMap { key, value in value.double.map { (key, $0) } }
            .filter { abs($0.1) >= 0.05 }.sorted { abs($0.1) > abs($1.1) }
            .map { String(format: "%@ %+.1f", $0.0, $0.1) }
        let words = Answer.strings(item, "matched").joined(separator: ", ")
        return String(format: "score %.2f", item["score"]?.double ?? 0) + " = "
            + parts.joined(separator: " ") + (words.isEmpty ? "" : "  (words: \(words))")
    }
}
