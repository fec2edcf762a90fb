import Foundation
import Mneme

/// `mneme import`: a first line for all, then one for each thing worth knowing.
extension ImportOperation: TextRendering {
    /// Counts of memories that were taken in, left out and skipped, and why; at most ten problems.
    static func rendered(_ value: JSONValue) -> String {
        var text =
            "Imported \(Answer.string(value, "stored")) memories from \(Answer.string(value, "read")) messages or parts"
        if Answer.string(value, "duplicates") != "0" {
            text += "; \(Answer.string(value, "duplicates")) were known"
        }
        text += String(format: ", in %.1f s.", value["seconds"]?.double ?? 0)
        let users = value["users"]?.array ?? []
        if users.count > 1 || users.contains(where: { Answer.string($0, "user") != "default" }) {
            let counts = users.map { user in
                let known = Answer.string(user, "duplicates")
                return "\(Answer.string(user, "user")) \(Answer.string(user, "stored"))"
                    + (known == "0" ? "" : " (\(known) known)")
            }
            text += "\nFor users: \(counts.joined(separator: ", "))."
        }
        let counts = [
            ("held", "quarantined, as they read like instructions to a model"),
            ("undated", "without any time, dated now"),
            ("links", "links made"),
        ]
        for (key, what) in counts where !["", "0"].contains(Answer.string(value, key)) {
            text += "\n\(Answer.string(value, key)) \(what)."
        }
        for (reason, count) in (value["leftOut"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            text += "\nLeft out: \(Answer.string(count)) \(Terminal.line(reason))."
        }
        let problems = value["problems"]?.array ?? []
        if !problems.isEmpty {
            text += "\n" + Terminal.styled("\(Answer.string(value, "skipped")) skipped:", .yellow)
            for problem in problems.prefix(10) {
                text +=
                    "\n  \(Answer.string(problem, "file"))"
                    + (problem["line"] == nil ? "" : ", line \(Answer.string(problem, "line"))")
                    + ": \(Answer.string(problem, "reason"))"
            }
            if problems.count > 10 { text += "\n  … (--json shows up to 100)" }
        }
        return text
    }
}

/// `mneme stats`: counts of one owner or of the whole store.
extension StatsOperation: TextRendering {
    /// A line a count.
    static func rendered(_ value: JSONValue) -> String {
        func group(_ key: String) -> String {
            (value[key]?.object ?? [:]).sorted { $0.key < $1.key }.map {
                "\($0.key) \(Answer.string($0.value))"
            }.joined(
                separator: ", ")
        }
        let bytes = value["bytesOnDisk"]?.double ?? 0
        return """
            memories  \(Answer.string(value, "memories"))  (\(group("byState")))
            types     \(group("byType"))
            owners    \(Answer.string(value, "owners")), sessions \(Answer.string(value, "sessions")), links \(Answer.string(value, "links"))
            journal   \(Answer.string(value, "journalEntries")) entries
            vectors   \(Answer.string(value, "vectors")), pending \(Answer.string(value, "pendingEmbeddings"))
            disk      \(String(format: "%.1f", bytes / 1_048_576)) MiB
            """
    }
}

/// `mneme tiers`: the tiers of an owner's memories, and the topics with their heat.
extension TiersOperation: TextRendering {
    /// The number of memories of each tier, the topics with their heat, and the profile.
    static func rendered(_ value: JSONValue) -> String {
        let counts = value["counts"]?.object ?? [:]
        let topics = value["topics"]?.array ?? []
        let profile = value["profile"]?.array ?? []
        var lines = ["short-term", "mid-term", "long-term", "profile"].map {
            "\($0.padded(to: 11))\(Answer.string(counts[$0]))"
        }
        if topics.isEmpty, profile.isEmpty {
            lines.append(
                Terminal.styled(
                    "Nothing has moved yet: `mneme jobs add promote`, then `mneme jobs run`.", .dim)
            )
        }
        if !topics.isEmpty { lines.append("topics     heat  memories  visits  last        about") }
        for topic in topics {
            lines.append(
                String(
                    format: "           %4.1f  %8.0f  %6.0f  ", topic["heat"]?.double ?? 0,
                    topic["memories"]?.double ?? 0, topic["visits"]?.double ?? 0)
                    + "\(Answer.string(topic, "last").prefix(10))  \(Answer.strings(topic, "about").joined(separator: ", "))"
            )
        }
        if !profile.isEmpty { lines.append("profile") }
        lines += profile.map { "           " + Answer.oneLine(Answer.text(of: $0), max(40, Terminal.width - 12)) }
        return lines.joined(separator: "\n")
    }
}

/// `mneme doctor`: the findings of a check of the store.
extension DoctorOperation: TextRendering {
    /// A line a check: ✓ sound, ↻ repaired, ✗ at fault.
    static func rendered(_ value: JSONValue) -> String {
        (value["findings"]?.array ?? []).map(finding).joined(separator: "\n")
    }

    /// A store that is not sound ends the command with exit code 1.
    static func hasFault(_ value: JSONValue) -> Bool { value["sound"] == false }

    /// One check.
    private static func finding(_ finding: JSONValue) -> String {
        let sound = Answer.string(finding, "sound") == "true"
        let repaired = Answer.string(finding, "repaired") == "true"
        let mark =
            sound
            ? Terminal.styled("✓", .green)
            : repaired ? Terminal.styled("↻", .yellow) : Terminal.styled("✗", .red)
        return
            "\(mark) \(Answer.string(finding, "check").padded(to: 11)) \(Answer.string(finding, "detail"))"
    }
}
