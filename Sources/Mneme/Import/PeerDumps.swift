import Foundation
import MnemeStore

/// Reads what other memory systems export.
///
/// Their vectors and scores are left behind: they belong to models and formulas that are not here.
enum PeerDumps {
    /// Reads the answer of mem0's `get_all()` and of its server's `GET /memories`: `{"results":
    /// [{"id", "memory", "user_id", "created_at", "metadata", …}]}`, or the list alone. Each memory
    /// says whose it is.
    ///
    /// - Throws: `InputError`.
    static func mem0(_ json: JSONValue) throws -> ImportedDocument {
        guard let list = json["results"]?.array ?? json["memories"]?.array ?? json.array else {
            throw InputError(
                "The file is no mem0 export: an object with 'results', or a list, is expected.")
        }
        return ImportedDocument.each(list, "memory") { item, _ in
            guard let text = item["memory"]?.string ?? item["data"]?.string ?? item["text"]?.string
            else {
                throw InputError("it has no 'memory'")
            }
            let time = ImportTime.date(item["created_at"]) ?? ImportTime.date(item["updated_at"])
            var input = MemoryInput(text, eventTime: time, session: name(item["run_id"]))
            input.agent = name(item["agent_id"])
            input.speaker = name(item["actor_id"])
            input.expires = ImportTime.date(item["expiration_date"])
            input.tags = item["categories"]?.array?.compactMap(\.string) ?? []
            input.metadata = texts(item["metadata"])
            input.source = "mem0"
            input.reference = name(item["id"])
            return ImportedDocument(entries: [
                ImportEntry(input: input, user: name(item["user_id"]))
            ])
        }
    }

    /// Reads a dump of MemOS: a list of `{"id", "memory", "metadata": {…}}`
    /// (`textual_memory.json`), or `{"nodes": […], "edges": […]}` of its tree. What it has archived
    /// or deleted is left out.
    ///
    /// - Throws: `InputError`.
    static func memos(_ json: JSONValue) throws -> ImportedDocument {
        guard let list = json["nodes"]?.array ?? json["text_mem"]?.array ?? json.array else {
            throw InputError(
                "The file is no MemOS dump: a list of memories, or an object with 'nodes', is expected."
            )
        }
        return ImportedDocument.each(list, "memory") { item, _ in
            var document = ImportedDocument()
            let facts = item["metadata"]
            if let status = facts?["status"]?.string, status == "archived" || status == "deleted" {
                document.leaveOut(.deleted)
                return document
            }
            guard let text = item["memory"]?.string else { throw InputError("it has no 'memory'") }
            let time = ["memory_time", "created_at", "updated_at"].lazy.compactMap {
                ImportTime.date(facts?[$0])
            }.first
            var input = MemoryInput(text, eventTime: time, session: name(facts?["session_id"]))
            input.tags = facts?["tags"]?.array?.compactMap(\.string) ?? []
            input.type = kind(facts?["type"]?.string ?? facts?["memory_type"]?.string)
            input.metadata = texts(facts).filter {
                ["key", "source", "confidence", "background", "memory_type"].contains($0.key)
            }
            input.source = "memos"
            input.reference = name(item["id"])
            document.entries = [ImportEntry(input: input, user: name(facts?["user_id"]))]
            return document
        }
    }

    /// The type that a kind of MemOS stands for.
    private static func kind(_ name: String?) -> MemoryType? {
        switch name {
        case "fact", "LongTermMemory": .semantic
        case "event": .episodic
        case "procedure", "skill", "SkillMemory": .procedural
        case "preference", "PreferenceMemory", "explicit_preference", "implicit_preference":
            .preference
        case "UserMemory", "profile": .core
        default: nil
        }
    }

    /// A name or id, which some write as a number.
    static func name(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text): text.isEmpty ? nil : text
        case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
        default: nil
        }
    }

    /// Values as texts; lists and objects as their JSON.
    private static func texts(_ value: JSONValue?) -> [String: String] {
        (value?.object ?? [:]).compactMapValues { value in
            switch value {
            case .null: nil
            case .string(let text): text.isEmpty ? nil : text
            case .bool(let flag): String(flag)
            case .number: name(value)
            case .array, .object: try? OperationTable.encode(value)
            }
        }
    }
}
