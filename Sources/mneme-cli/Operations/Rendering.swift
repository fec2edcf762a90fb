import Foundation
import Mneme

/// Answers of operations for people, made from the same JSON that programs get.
enum Rendering {
    static func text(_ json: String, operation: String) throws -> String {
        let value = try JSONValue(parsing: Array(json.utf8))
        switch operation {
        case "remember":
            return (value["memories"]?.array ?? []).map(remembered).joined(separator: "\n")
        case "recall": return recall(value)
        case "list": return list(value)
        case "get", "update", "forget", "restore", "rollback", "correct", "feedback", "freeze",
            "quarantine", "release":
            return cube(value, operation)
        case "policy", "set-policy": return policy(value)
        case "erase" where value["report"] != nil:
            let holding = (value["filesHolding"]?.array ?? []).compactMap(line)
            let found =
                holding.isEmpty
                ? "no piece of it is left"
                : "pieces of it stand in \(holding.joined(separator: ", ")): another memory says the same, or a copy was made"
            return
                "Erased \(string(value, "erased")) for good. \(string(value, "filesSearched")) files were looked through: \(found). Report: \(string(value, "report"))"
                + copies(value)
        case "erase":
            return
                "Erased \(value["erased"]?.string ?? "") for good: text, vector, index entries, history, and what was computed of it."
                + copies(value)
        case "history":
            return (value["history"]?.array ?? []).map(historyEntry).joined(separator: "\n")
        case "link": return links(value["links"]?.array ?? [])
        case "share":
            return "Shared: " + (value["grant"].map(grant) ?? "")
                + ". `mneme unshare \(string(value["grant"], "id"))` takes it back."
        case "unshare": return "Taken back."
        case "grants": return grants(value)
        case "import": return importReport(value)
        case "stats": return stats(value)
        case "tiers": return tiers(value)
        case "doctor": return (value["findings"]?.array ?? []).map(finding).joined(separator: "\n")
        default: return json
        }
    }

    /// What became of copies that had left the store.
    private static func copies(_ value: JSONValue) -> String {
        (value["copies"]?.array ?? []).map { copy in
            let isReached = ["rewritten", "followed"].contains(string(copy, "outcome"))
            return "\n" + (isReached ? "Copy: " : Terminal.styled("Not reached: ", .yellow))
                + string(copy, "note")
        }.joined()
    }

    /// A memory's text with its own lines.
    private static func text(of memory: JSONValue?) -> String { memory?["text"]?.string ?? "" }

    private static func line(_ value: JSONValue) -> String? { value.string.map(Terminal.line) }

    private static func string(_ value: JSONValue?, _ keys: String...) -> String {
        var value = value
        for key in keys { value = value?[key] }
        switch value {
        case .string(let text): return Terminal.line(text)
        case .number(let number): return Int(exactly: number).map(String.init) ?? String(number)
        case .bool(let flag): return String(flag)
        default: return ""
        }
    }

    private static func day(_ value: JSONValue?, _ key: String) -> String {
        String(string(value, key).replacingOccurrences(of: "T", with: " ").prefix(16))
    }

    private static func remembered(_ item: JSONValue) -> String {
        let memory = item["memory"]
        if string(item, "duplicate") == "true" {
            return "Already known as \(string(item, "id")); nothing was written."
        }
        if string(memory, "state") == "quarantined" {
            let signs = (memory?["caution"]?.array ?? []).compactMap(line)
            return Terminal.styled("Held", .yellow)
                + " \(string(item, "id")): it reads like an instruction to a model (\(signs.joined(separator: ", "))).\n"
                + "  It is not recalled. `mneme release \(string(item, "id"))` lets it be; `--trusted` would have done so at once."
        }
        var text =
            Terminal.styled("Remembered", .green)
            + " \(string(item, "id"))  \(string(item, "type"))"
        let dates = (memory?["dates"]?.array ?? []).map {
            "\(string($0, "text")) = \(string($0, "start").prefix(10))"
        }
        let names = (memory?["entities"]?.array ?? []).compactMap(line)
        let notes = [
            dates.isEmpty ? nil : "dates: " + dates.joined(separator: ", "),
            names.isEmpty ? nil : "names: " + names.joined(separator: ", "),
        ]
        .compactMap(\.self)
        if !notes.isEmpty { text += "\n  " + Terminal.styled(notes.joined(separator: "; "), .dim) }
        if let near = item["nearDuplicateOf"]?.string {
            text += "\n  nearly the same as \(near); the two are linked"
        }
        return text
    }

    private static func recall(_ value: JSONValue) -> String {
        let memories = value["memories"]?.array ?? []
        guard !memories.isEmpty else {
            return
                "Nothing is remembered that fits. (\(string(value, "considered")) memories were considered.)"
        }
        var lines: [String] = []
        // Whose it is says something only where several were asked.
        let isMixed = Set(memories.map { string($0["memory"]?["scope"], "user") }).count > 1
        for (i, item) in memories.enumerated() {
            let memory = item["memory"], speaker = string(memory, "speaker")
            let head =
                "\(i + 1). " + (speaker.isEmpty ? "" : Terminal.styled(speaker, .bold) + ": ")
                + oneLine(text(of: memory), 400)
            lines.append(head)
            let origin = [
                isMixed ? "of " + string(memory?["scope"], "user") : "",
                day(memory, "eventTime"), string(memory?["scope"], "session"),
                string(memory?["provenance"], "reference"), string(memory, "type"),
                memory?["validUntil"] == nil ? "" : "held until \(day(memory, "validUntil"))",
            ]
            .filter { !$0.isEmpty }
            lines.append("   " + Terminal.styled(origin.joined(separator: " · "), .cyan))
            let parts = (item["explanation"]?.object ?? [:]).compactMap { key, value in
                value.double.map { (key, $0) }
            }
            .filter { abs($0.1) >= 0.05 }.sorted { abs($0.1) > abs($1.1) }
            .map { String(format: "%@ %+.1f", $0.0, $0.1) }
            let matched = (item["matched"]?.array ?? []).compactMap(line)
            lines.append(
                "   "
                    + Terminal.styled(
                        String(format: "score %.2f", item["score"]?.double ?? 0) + " = "
                            + parts.joined(separator: " ")
                            + (matched.isEmpty
                                ? "" : "  (words: \(matched.joined(separator: ", ")))"),
                        .dim))
            if let twins = item["duplicates"]?.array, !twins.isEmpty {
                lines.append("   " + Terminal.styled("said \(twins.count + 1) times", .dim))
            }
        }
        lines.append(
            Terminal.styled(
                String(
                    format: "%d of %@ memories in %.1f ms", memories.count,
                    string(value, "considered"),
                    value["milliseconds"]?.double ?? 0), .dim))
        if let held = value["held"]?.double, held > 0 {
            lines.append(
                Terminal.styled(
                    "\(Int(held)) left out: they read like instructions to a model", .yellow))
        }
        if let pending = value["pendingEmbeddings"]?.double, pending > 0 {
            lines.append(
                Terminal.styled(
                    "\(Int(pending)) memories have no vector yet and were found by words only",
                    .yellow))
        }
        return lines.joined(separator: "\n")
    }

    private static func policy(_ value: JSONValue) -> String {
        let redaction = (value["redaction"]?.array ?? []).compactMap(line),
            tenant = value["tenant"]?.string
        let held =
            ["hold": "held until released", "mark": "recalled, and marked", "off": "recalled"][
                string(value, "protection")] ?? ""
        return """
            \(tenant.map { "Tenant \($0)" } ?? "All tenants without a policy of their own"):
              texts that read like instructions to a model are \(held)
              taken out of texts: \(redaction.isEmpty ? "nothing" : redaction.joined(separator: ", "))\(string(value, "keepsOriginals") == "true" ? ", the originals are kept apart" : "")
            """
    }

    private static func oneLine(_ text: String, _ limit: Int) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.count > limit ? line.prefix(limit) + "…" : line
    }

    private static func list(_ value: JSONValue) -> String {
        let memories = value["memories"]?.array ?? []
        guard !memories.isEmpty else { return "There are no memories in this scope." }
        var lines = memories.map { memory in
            let state = string(memory, "state"), speaker = string(memory, "speaker")
            let mark = state == "activated" ? "" : " [\(state)]"
            return
                "\(string(memory, "id"))  \(Terminal.styled(day(memory, "eventTime"), .cyan))  \(string(memory, "type"))\(mark)  "
                + (speaker.isEmpty ? "" : speaker + ": ")
                + oneLine(text(of: memory), max(20, Terminal.width - 80))
        }
        if let next = value["next"]?.string {
            lines.append(Terminal.styled("more: --after \(next)", .dim))
        }
        return lines.joined(separator: "\n")
    }

    private static func cube(_ value: JSONValue, _ operation: String) -> String {
        let memory = value["memory"]
        switch operation {
        case "forget": return "Forgotten. `mneme restore \(string(memory, "id"))` takes it back."
        case "restore": return "Restored \(string(memory, "id"))."
        case "rollback":
            return
                "\(string(memory, "id")) is again: \(oneLine(text(of: memory), 200))  (version \(string(memory, "version")))"
        case "correct":
            return
                "Remembered \(string(memory, "id")) in its place. `mneme restore` of the old one takes that back."
        case "quarantine":
            return "Held \(string(memory, "id")). `mneme release` lets it be recalled again."
        case "release": return "Released \(string(memory, "id")): it is recalled from now on."
        case "freeze":
            return "Frozen \(string(memory, "id")). `mneme restore` lets it be changed again."
        case "feedback":
            switch string(value, "verdict") {
            case "outdated":
                return
                    "It does not hold since \(day(memory, "validUntil")); questions about then still find it."
            case "wrong":
                return "Taken out of recall. `mneme restore \(string(memory, "id"))` takes it back."
            default: return "Confirmed."
            }
        case "update":
            return "Updated \(string(memory, "id")) to version \(string(memory, "version"))."
        default: break
        }
        var lines = [text(of: memory), ""]
        for (label, text) in [
            ("id", string(memory, "id")), ("type", string(memory, "type")),
            ("tier", string(memory, "tier")),
            ("state", string(memory, "state") + ", version " + string(memory, "version")),
            ("computed", computed(memory?["activation"])),
            (
                "label",
                string(memory, "sensitivity") == "internal" ? "" : string(memory, "sensitivity")
            ),
            ("speaker", string(memory, "speaker")), ("happened", day(memory, "eventTime")),
            ("recorded", day(memory, "recordedTime")),
            ("until", day(memory, "validUntil")), ("expires", day(memory, "expires")),
            (
                "recalled",
                memory?["usage"].map { "\(string($0, "count")) times, last \(day($0, "last"))" }
                    ?? ""
            ),
            ("user", string(memory?["scope"], "user")),
            ("session", string(memory?["scope"], "session")),
            (
                "origin",
                [
                    string(memory?["provenance"], "source"),
                    string(memory?["provenance"], "reference"),
                ].filter {
                    !$0.isEmpty
                }.joined(separator: " ")
            ),
            ("names", (memory?["entities"]?.array ?? []).compactMap(line).joined(separator: ", ")),
            ("tags", (memory?["tags"]?.array ?? []).compactMap(line).joined(separator: ", ")),
            (
                "dates",
                (memory?["dates"]?.array ?? []).map {
                    "\(string($0, "text")) = \(string($0, "start").prefix(10))"
                }
                .joined(separator: ", ")
            ),
        ] where !text.isEmpty {
            lines.append(
                Terminal.styled(label.padded(to: 9), .dim)
                    + text)
        }
        let list = value["links"]?.array ?? []
        if !list.isEmpty { lines.append(links(list)) }
        return lines.joined(separator: "\n")
    }

    private static func grant(_ value: JSONValue) -> String {
        let permissions = (value["permissions"]?.array ?? []).compactMap(line).joined(
            separator: ", ")
        let what =
            value["cube"]?.string.map { "memory \($0)" }
            ?? "memories of \(string(value["owner"], "user")) up to '\(string(value, "upTo"))'"
        return "\(string(value, "grantee")) may \(permissions) \(what)"
            + (value["expires"] == nil ? "" : " until \(day(value, "expires"))")
    }

    private static func grants(_ value: JSONValue) -> String {
        let given = value["grants"]?.array ?? [], received = value["received"]?.array ?? []
        if given.isEmpty, received.isEmpty { return "Nothing is shared." }
        return (given + received.filter { !given.contains($0) }).map {
            "\(string($0, "id"))  \(grant($0))"
        }.joined(
            separator: "\n")
    }

    /// What an activation cube stands for.
    private static func computed(_ activation: JSONValue?) -> String {
        guard let activation else { return "" }
        let name = string(activation, "block").prefix(12)
        return
            "\(string(activation, "tokens")) tokens by \(string(activation, "model")); mneme kv show \(name)"
    }

    private static func links(_ links: [JSONValue]) -> String {
        links.isEmpty
            ? "There are no links."
            : links.map {
                "\(string($0, "source")) —\(string($0, "kind"))→ \(string($0, "target"))"
            }.joined(
                separator: "\n")
    }

    private static func historyEntry(_ entry: JSONValue) -> String {
        let reason = string(entry, "reason")
        var line =
            "\(Terminal.styled(day(entry, "time"), .cyan))  \(string(entry, "operation").padded(to: 10)) version \(string(entry, "version"))  by \(string(entry, "principal"))"
        if !reason.isEmpty { line += "  (\(reason))" }
        if let text = entry["snapshot"]?["text"]?.string { line += "\n  " + oneLine(text, 200) }
        return line
    }

    private static func importReport(_ value: JSONValue) -> String {
        var text =
            "Imported \(string(value, "stored")) memories from \(string(value, "read")) messages or parts"
        if string(value, "duplicates") != "0" {
            text += "; \(string(value, "duplicates")) were known"
        }
        text += String(format: ", in %.1f s.", value["seconds"]?.double ?? 0)
        let users = value["users"]?.array ?? []
        if users.count > 1 || users.contains(where: { string($0, "user") != "default" }) {
            let counts = users.map { user in
                let known = string(user, "duplicates")
                return "\(string(user, "user")) \(string(user, "stored"))"
                    + (known == "0" ? "" : " (\(known) known)")
            }
            text += "\nFor users: \(counts.joined(separator: ", "))."
        }
        let counts = [
            ("held", "held, as they read like instructions to a model"),
            ("undated", "without any time, dated now"),
            ("links", "links made"),
        ]
        for (key, what) in counts where !["", "0"].contains(string(value, key)) {
            text += "\n\(string(value, key)) \(what)."
        }
        for (reason, count) in (value["leftOut"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            text += "\nLeft out: \(string(count)) \(Terminal.line(reason))."
        }
        let problems = value["problems"]?.array ?? []
        if !problems.isEmpty {
            text += "\n" + Terminal.styled("\(string(value, "skipped")) skipped:", .yellow)
            for problem in problems.prefix(10) {
                text +=
                    "\n  \(string(problem, "file"))"
                    + (problem["line"] == nil ? "" : ", line \(string(problem, "line"))")
                    + ": \(string(problem, "reason"))"
            }
            if problems.count > 10 { text += "\n  … (--json shows up to 100)" }
        }
        return text
    }

    private static func stats(_ value: JSONValue) -> String {
        func group(_ key: String) -> String {
            (value[key]?.object ?? [:]).sorted { $0.key < $1.key }.map {
                "\($0.key) \(string($0.value))"
            }.joined(
                separator: ", ")
        }
        let bytes = value["bytesOnDisk"]?.double ?? 0
        return """
            memories  \(string(value, "memories"))  (\(group("byState")))
            types     \(group("byType"))
            owners    \(string(value, "owners")), sessions \(string(value, "sessions")), links \(string(value, "links"))
            journal   \(string(value, "journalEntries")) entries
            vectors   \(string(value, "vectors")), pending \(string(value, "pendingEmbeddings"))
            disk      \(String(format: "%.1f", bytes / 1_048_576)) MiB
            """
    }

    private static func tiers(_ value: JSONValue) -> String {
        let counts = value["counts"]?.object ?? [:], topics = value["topics"]?.array ?? [],
            profile = value["profile"]?.array ?? []
        var lines = ["short-term", "mid-term", "long-term", "profile"].map {
            "\($0.padded(to: 11))\(string(counts[$0]))"
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
                    + "\(string(topic, "last").prefix(10))  \((topic["about"]?.array ?? []).compactMap(line).joined(separator: ", "))"
            )
        }
        if !profile.isEmpty { lines.append("profile") }
        lines += profile.map { "           " + oneLine(text(of: $0), max(40, Terminal.width - 12)) }
        return lines.joined(separator: "\n")
    }

    private static func finding(_ finding: JSONValue) -> String {
        let sound = string(finding, "sound") == "true",
            repaired = string(finding, "repaired") == "true"
        let mark =
            sound
            ? Terminal.styled("✓", .green)
            : repaired ? Terminal.styled("↻", .yellow) : Terminal.styled("✗", .red)
        return
            "\(mark) \(string(finding, "check").padded(to: 11)) \(string(finding, "detail"))"
    }
}
