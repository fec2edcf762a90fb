import Mneme

/// `mneme get`: all that is known of one memory.
extension GetOperation: TextRendering {
    /// The text, then a line for each thing that is known of it.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        var lines = [Answer.text(of: memory), ""]
        for (label, text) in [
            ("id", Answer.string(memory, "id")), ("type", Answer.string(memory, "type")),
            ("tier", Answer.string(memory, "tier")),
            ("state", Answer.string(memory, "state") + ", version " + Answer.string(memory, "version")),
            ("computed", computed(memory?["activation"])),
            ("learned", learned(memory?["adapter"])),
            (
                "label",
                Answer.string(memory, "sensitivity") == "internal" ? "" : Answer.string(memory, "sensitivity")
            ),
            ("speaker", Answer.string(memory, "speaker")), ("happened", Answer.day(memory, "eventTime")),
            ("recorded", Answer.day(memory, "recordedTime")),
            ("until", Answer.day(memory, "validUntil")), ("expires", Answer.day(memory, "expires")),
            (
                "recalled",
                memory?["usage"].map { "\(Answer.string($0, "count")) times, last \(Answer.day($0, "last"))" }
                    ?? ""
            ),
            ("user", Answer.string(memory?["scope"], "user")),
            ("session", Answer.string(memory?["scope"], "session")),
            (
                "origin",
                [
                    Answer.string(memory?["provenance"], "source"),
                    Answer.string(memory?["provenance"], "reference"),
                ].filter {
                    !$0.isEmpty
                }.joined(separator: " ")
            ),
            ("names", Answer.strings(memory, "entities").joined(separator: ", ")),
            ("tags", Answer.strings(memory, "tags").joined(separator: ", ")),
            (
                "dates",
                (memory?["dates"]?.array ?? []).map {
                    "\(Answer.string($0, "text")) = \(Answer.string($0, "start").prefix(10))"
                }
                .joined(separator: ", ")
            ),
        ] where !text.isEmpty {
            lines.append(
                Terminal.styled(label.padded(to: 9), .dim)
                    + text)
        }
        let list = value["links"]?.array ?? []
        if !list.isEmpty { lines.append(LinkOperation.lines(list)) }
        return lines.joined(separator: "\n")
    }

    /// The size and base of the adapter or embedding model that a cube stands for, and the command that
    /// shows or takes it; empty for others.
    private static func learned(_ adapter: JSONValue?) -> String {
        guard let adapter else { return "" }
        guard Answer.string(adapter, "kind") != "embedder" else {
            return
                "\(Answer.string(adapter, "parameters")) numbers beside \(Answer.string(adapter, "model")); mneme embedder use \(Answer.string(adapter, "name"))"
        }
        return
            "\(Answer.string(adapter, "parameters")) numbers for \(Answer.string(adapter, "model")); mneme adapters show \(Answer.string(adapter, "name"))"
    }

    /// An activation cube's tokens and model, and the command that shows its KV blocks; empty for a
    /// plain text.
    private static func computed(_ activation: JSONValue?) -> String {
        guard let activation else { return "" }
        let name = Answer.string(activation, "block").prefix(12)
        return
            "\(Answer.string(activation, "tokens")) tokens by \(Answer.string(activation, "model")); mneme kv show \(name)"
    }
}

/// `mneme list`: memories of a scope, page by page.
extension ListOperation: TextRendering {
    /// A line a memory.
    static func rendered(_ value: JSONValue) -> String {
        let memories = value["memories"]?.array ?? []
        guard !memories.isEmpty else {
            return "There are no memories in this scope; --user NAME lists those of another user."
        }
        var lines = memories.map { memory in
            let state = Answer.string(memory, "state")
            let speaker = Answer.string(memory, "speaker")
            let mark = state == "activated" ? "" : " [\(state)]"
            return
                "\(Answer.string(memory, "id"))  \(Terminal.styled(Answer.day(memory, "eventTime"), .cyan))  \(Answer.string(memory, "type"))\(mark)  "
                + (speaker.isEmpty ? "" : speaker + ": ")
                + Answer.oneLine(Answer.text(of: memory), max(20, Terminal.width - 80))
        }
        if let next = value["next"]?.string {
            lines.append(Terminal.styled("more: --after \(next)", .dim))
        }
        return lines.joined(separator: "\n")
    }
}

/// `mneme update`: one line.
extension UpdateOperation: TextRendering {
    /// The new version.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return "Updated \(Answer.string(memory, "id")) to version \(Answer.string(memory, "version"))."
    }
}

/// `mneme forget`: one line. The memory is archived, not erased.
extension ForgetOperation: TextRendering {
    /// The command that takes it back.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return "Forgotten. `mneme restore \(Answer.string(memory, "id"))` takes it back."
    }
}

/// `mneme restore`: one line.
extension RestoreOperation: TextRendering {
    /// The id of the memory that is back.
    static func rendered(_ value: JSONValue) -> String {
        "Restored \(Answer.string(value["memory"], "id"))."
    }
}

/// `mneme erase`: the proof, if one was asked for, and copies outside the store. A copy that was
/// not reached stands out in yellow, as somebody has to delete it by hand.
extension EraseOperation: TextRendering {
    /// The erased memory, the files that were searched for it, and the copies that were reached.
    static func rendered(_ value: JSONValue) -> String {
        guard value["report"] != nil else {
            return
                "Erased \(Answer.string(value, "erased")) for good: text, vector, index entries, history, and what was computed of it."
                + copies(value) + adapters(value)
        }
        let holding = Answer.strings(value, "filesHolding")
        let found =
            holding.isEmpty
            ? "no piece of it is left"
            : "pieces of it stand in \(holding.joined(separator: ", ")): another memory says the same, or a copy was made"
        return
            "Erased \(Answer.string(value, "erased")) for good. \(Answer.string(value, "filesSearched")) files were looked through: \(found). Report: \(Answer.string(value, "report"))"
            + (value["unsearched"] == nil ? "" : "\n" + Answer.string(value, "unsearched"))
            + elsewhere(value) + copies(value) + adapters(value)
    }

    /// A line for each other machine that was searched.
    private static func elsewhere(_ value: JSONValue) -> String {
        (value["elsewhere"]?.array ?? []).map { place in
            let line =
                "\n\(Answer.string(place, "place")): \(Answer.string(place, "searched")) blocks of keys and values were looked at, "
            let found = Answer.string(place, "found")
            return line + (found == "0" ? "none was made of it" : Terminal.styled("\(found) were made of it", .yellow))
        }.joined()
    }

    /// A line for each adapter or embedding model that went out of use, with what makes it anew.
    private static func adapters(_ value: JSONValue) -> String {
        Answer.strings(value, "adapters").map {
            "\n'\($0)' learned from this and is out of use. `mneme adapters retrain \($0)` makes an adapter anew "
                + "without it, `mneme embedder retrain \($0)` an embedding model."
        }.joined()
    }

    /// A line for each copy that had left the store, with what became of it.
    private static func copies(_ value: JSONValue) -> String {
        (value["copies"]?.array ?? []).map { copy in
            let isReached = ["rewritten", "followed"].contains(Answer.string(copy, "outcome"))
            return "\n" + (isReached ? "Copy: " : Terminal.styled("Not reached: ", .yellow))
                + Answer.string(copy, "note")
        }.joined()
    }
}

/// `mneme history`: the journal of one memory, oldest first.
extension HistoryOperation: TextRendering {
    /// Every change of a memory, each with its time, author and reason.
    static func rendered(_ value: JSONValue) -> String {
        (value["history"]?.array ?? []).map(entry).joined(separator: "\n")
    }

    /// One change, with the text as it was then.
    private static func entry(_ entry: JSONValue) -> String {
        let reason = Answer.string(entry, "reason")
        var line =
            "\(Terminal.styled(Answer.day(entry, "time"), .cyan))  \(Answer.string(entry, "operation").padded(to: 10)) version \(Answer.string(entry, "version"))  by \(Answer.string(entry, "principal"))"
        if !reason.isEmpty { line += "  (\(reason))" }
        if let text = entry["snapshot"]?["text"]?.string { line += "\n  " + Answer.oneLine(text, 200) }
        return line
    }
}

/// `mneme link`: the links of the memory after the call.
extension LinkOperation: TextRendering {
    /// A memory's links, a line each.
    static func rendered(_ value: JSONValue) -> String { lines(value["links"]?.array ?? []) }

    /// A line a link: source, kind, target.
    static func lines(_ links: [JSONValue]) -> String {
        links.isEmpty
            ? "There are no links."
            : links.map {
                "\(Answer.string($0, "source")) —\(Answer.string($0, "kind"))→ \(Answer.string($0, "target"))"
            }.joined(
                separator: "\n")
    }
}
