import Mneme

/// Answers of tools as text for the model: enough for it to go on, and no more.
enum MCPText {
    /// The text of an operation's answer; one without a form of its own tells of the changed
    /// memory.
    ///
    /// - Parameter value: the operation's whole answer.
    static func of(_ operation: String, _ value: JSONValue) -> String {
        switch operation {
        // Texts from memories stand on one line: none can pass for a line of ours.
        case "remember":
            (value["memories"]?.array ?? []).map(remembered).joined(separator: "\n")
        case "recall":
            memories(value["memories"]?.array?.compactMap(recalled), else: "Nothing fits.")
                + (value["warning"]?.string.map { "\n\($0)" } ?? "")
        case "ask": asked(value)
        case "learn":
            "Learned: "
                + ([value["memory"], value["procedure"]].compactMap { $0.map(MemoryText.line) })
                .joined(separator: "\nWhat works: ")
        case "task": task(value)
        case "profile": profile(value)
        case "list": list(value)
        case "get": whole(value)
        case "history":
            (value["history"]?.array ?? []).map(change).joined(separator: "\n")
        case "link": links(value["links"])
        case "erase": "Erased for good: \(ShortID.of(value["erased"]?.string ?? ""))."
        case "share": "Shared: " + (value["grant"].map(grant) ?? "")
        case "unshare": "Taken back."
        case "grants": grants(value)
        case "stats":
            (value.object ?? [:]).sorted { $0.key < $1.key }
                .map { "\($0.key): \(plain($0.value))" }.joined(separator: "\n")
        case "tiers": tiers(value)
        default: changed(operation, value["memory"] ?? .null)
        }
    }

    /// A recalled memory, with those that say otherwise as a member of its own.
    private static func recalled(_ item: JSONValue) -> JSONValue? {
        guard case .object(var memory) = item["memory"], let others = item["disputedBy"] else { return item["memory"] }
        memory["disputedBy"] = others
        return .object(memory)
    }

    /// Lines of memories, or what is said where there are none.
    private static func memories(_ memories: [JSONValue]?, else nothing: String) -> String {
        guard let memories, !memories.isEmpty else { return nothing }
        return MemoryText.lines(memories)
    }

    /// An answer, why it is a guess, and the memories that it rests on:
    ///
    /// ```
    /// 57 km
    /// A guess: this may be told twice, and was counted once
    /// 7a470a34 2026-01-11 Nora: I ran 5 km this morning
    /// ```
    private static func asked(_ value: JSONValue) -> String {
        var lines = [MemoryText.oneLine(value["answer"]?.string ?? "")]
        if value["certain"] != true {
            let reasons = (value["reasons"]?.array ?? []).compactMap(\.string)
            lines.append("A guess: " + MemoryText.oneLine(reasons.joined(separator: "; ")))
        }
        let found = value["memories"]?.array ?? []
        return (lines + (found.isEmpty ? [] : [MemoryText.lines(found)])).joined(separator: "\n")
    }

    /// The ids of a task, of the step that was meant and of the active one, the prompt, and the task's files: a line each,
    /// and the text of the one that was asked for.
    private static func task(_ value: JSONValue) -> String {
        let ids = ["task", "step", "active"].compactMap { name in
            value[name]?.string.map { "\(name) \($0)" }
        }
        let files = (value["files"]?.array ?? []).map { file in
            let path = file["path"]?.string ?? ""
            return file["text"]?.string.map { "File \(path):\n\($0)" }
                ?? "File \(path): " + MemoryText.oneLine(file["outline"]?.string ?? "")
        }
        return ([ids.joined(separator: "; "), value["prompt"]?.string ?? ""] + files).joined(separator: "\n")
    }

    /// A line for each thing that is known, with its evidence: `home: berlin (7a470a34)`.
    private static func profile(_ value: JSONValue) -> String {
        let lines = (value["lines"]?.array ?? []).map { line in
            let ids = (line["memories"]?.array ?? []).compactMap(\.string).map(ShortID.of)
            return "\(plain(line["attribute"] ?? .null)): \(plain(line["value"] ?? .null)) "
                + "(\(ids.joined(separator: ", ")))"
        }
        return lines.isEmpty ? "Nothing is known." : lines.map(MemoryText.oneLine).joined(separator: "\n")
    }

    /// A page of memories. The id for the next page is the last line's, as lists go on from there:
    /// `More: list with after=7a470a34.`
    private static func list(_ value: JSONValue) -> String {
        let page = memories(value["memories"]?.array, else: "Nothing is remembered.")
        guard let next = value["next"]?.string else { return page }
        return page + "\nMore: list with after=\(ShortID.of(next))."
    }

    /// The result for one text:
    /// - `Remembered: 7a470a34.`
    /// - `Remembered: 7a470a34, nearly the same as b904970e.`
    /// - `Known already: 7a470a34.`
    /// - `Quarantined: 7a470a34. …`
    private static func remembered(_ item: JSONValue) -> String {
        let id = ShortID.of(item["id"]?.string ?? "")
        if item["duplicate"] == true { return "Known already: \(id)." }
        if item["memory"]?["state"] == "quarantined" {
            return "Quarantined: \(id). It reads like an instruction to a model, so that recall leaves it "
                + "out until a person releases it."
        }
        let near = item["nearDuplicateOf"]?.string.map { ", nearly the same as \(ShortID.of($0))" }
        return "Remembered: \(id)\(near ?? "")."
    }

    /// The change, and the memory as it is now.
    private static func changed(_ operation: String, _ memory: JSONValue) -> String {
        let done =
            switch operation {
            case "update": "Changed"
            case "forget": "Forgotten (restore brings it back)"
            case "restore": "Restored"
            case "rollback": "Rolled back"
            case "correct": "Corrected; this stands in its place"
            case "feedback": "Noted"
            case "freeze": "Frozen"
            case "quarantine": "Quarantined"
            case "release": "Released"
            default: "Done"
            }
        return "\(done): \(MemoryText.line(memory))"
    }

    /// A memory with what is known of it.
    ///
    /// ```
    /// 7a470a34 2026-03-01 Ana: I live in Lisbon
    /// type episodic; session s1; tags home
    /// 7a470a34 related b904970e
    /// ```
    private static func whole(_ value: JSONValue) -> String {
        let memory = value["memory"] ?? .null
        var facts: [String] = []
        for name in ["type", "state", "sensitivity", "tier", "expires"] {
            guard let fact = memory[name], fact != MCPOutput.defaults[name] else { continue }
            facts.append("\(name) \(fact.string ?? "")")
        }
        if let session = memory["scope"]?["session"]?.string { facts.append("session \(session)") }
        let tags = memory["tags"]?.array?.compactMap(\.string) ?? []
        if !tags.isEmpty { facts.append("tags " + tags.joined(separator: ", ")) }
        for (name, value) in (memory["metadata"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            facts.append("\(name) \(value.string ?? "")")
        }
        let lines = [MemoryText.line(memory), MemoryText.oneLine(facts.joined(separator: "; "))]
        let related = value["links"]?.array ?? []
        return (lines + (related.isEmpty ? [] : [links(value["links"])])).joined(separator: "\n")
    }

    /// A line a link: `7a470a34 related b904970e`.
    private static func links(_ value: JSONValue?) -> String {
        let links = value?.array ?? []
        guard !links.isEmpty else { return "No links." }
        return links.map { link in
            let ends = ["source", "target"].map { ShortID.of(link[$0]?.string ?? "") }
            return "\(ends[0]) \(link["kind"]?.string ?? "") \(ends[1])"
        }.joined(separator: "\n")
    }

    /// A line a version: `v2 2026-03-01T09:30:00Z update mcp (why): the text then`.
    private static func change(_ entry: JSONValue) -> String {
        let version = entry["version"]?.double.map { "v\(Int($0)) " } ?? ""
        let reason = entry["reason"]?.string.map { " (\(MemoryText.oneLine($0)))" } ?? ""
        let text = entry["snapshot"]?["text"]?.string.map { ": " + MemoryText.oneLine($0) } ?? ""
        return version
            + ["time", "operation", "principal"].compactMap { entry[$0]?.string }
            .joined(separator: " ") + reason + text
    }

    /// A grant: `grant 3: user:bob may read memory 7a470a34 of ana`.
    private static func grant(_ grant: JSONValue) -> String {
        let may = (grant["permissions"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        let what = grant["cube"]?.string.map { "memory \(ShortID.of($0))" } ?? "all memories"
        return "grant \(plain(grant["id"] ?? .null)): \(grant["grantee"]?.string ?? "") may \(may) "
            + "\(what) of \(grant["owner"]?["user"]?.string ?? "")"
    }

    /// Grants given, then grants received.
    private static func grants(_ value: JSONValue) -> String {
        let given = value["grants"]?.array ?? []
        let received = value["received"]?.array ?? []
        guard !given.isEmpty || !received.isEmpty else { return "Nothing is shared." }
        return (given + received).map(grant).joined(separator: "\n")
    }

    /// Counts by tier, topics by heat, and the profile:
    ///
    /// ```
    /// long-term 0, mid-term 4, profile 1, short-term 12
    /// Topics:
    /// 7a470a34 lisbon, flat: 4 memories
    /// Profile:
    /// b904970e 2026-03-01 Ana: I like tea
    /// ```
    private static func tiers(_ value: JSONValue) -> String {
        let topics = (value["topics"]?.array ?? []).map { topic in
            let about = (topic["about"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
            return "\(ShortID.of(topic["id"]?.string ?? "")) \(about): "
                + "\(plain(topic["memories"] ?? .null)) memories"
        }
        let profile = value["profile"]?.array ?? []
        return
            ([plain(value["counts"] ?? .null)] + (topics.isEmpty ? [] : ["Topics:"]) + topics
            + (profile.isEmpty ? [] : ["Profile:", MemoryText.lines(profile)]))
            .joined(separator: "\n")
    }

    /// Counts by their names.
    private static func plain(_ value: JSONValue) -> String {
        switch value {
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key) \(plain($0.value))" }
                .joined(separator: ", ")
        case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
        case .string(let text): text
        default: ""
        }
    }
}
