import Foundation
import MnemeStore

/// Reads what other memory systems export.
enum PeerDumps {
    /// What mem0's `get_all()` and its server's `GET /memories` answer: `{"results": [{"id", "memory", "user_id", "created_at", "metadata", …}]}`, or the
    /// list alone.
    ///
    /// - Throws: ``InputError``.
    static func mem0(_ data: Data) throws -> [MemoryInput] {
        let json = try JSONDecoder().decode(JSONValue.self, from: data)
        guard let list = json["results"]?.array ?? json["memories"]?.array ?? json.array else {
            throw InputError("The file is no mem0 export: an object with 'results', or a list, is expected.")
        }
        return try list.enumerated().map { number, item in
            guard let text = item["memory"]?.string ?? item["data"]?.string else { throw InputError("Memory \(number) has no 'memory'.") }
            var input = MemoryInput(text, eventTime: time(item["created_at"]), session: item["run_id"]?.string)
            input.agent = item["agent_id"]?.string
            input.speaker = item["actor_id"]?.string
            input.expires = time(item["expiration_date"])
            input.tags = item["categories"]?.array?.compactMap(\.string) ?? []
            input.metadata = texts(item["metadata"])
            input.source = "mem0"
            input.reference = item["id"]?.string
            return input
        }
    }

    /// What MemOS dumps: a list of `{"id", "memory", "metadata": {…}}` (`textual_memory.json`), or `{"nodes": […], "edges": […]}` of its tree. What it has
    /// archived or deleted is left out.
    ///
    /// - Throws: ``InputError``.
    static func memos(_ data: Data) throws -> [MemoryInput] {
        let json = try JSONDecoder().decode(JSONValue.self, from: data)
        guard let list = json["nodes"]?.array ?? json["text_mem"]?.array ?? json.array else {
            throw InputError("The file is no MemOS dump: a list of memories, or an object with 'nodes', is expected.")
        }
        return try list.enumerated().compactMap { number, item in
            guard let text = item["memory"]?.string else { throw InputError("Memory \(number) has no 'memory'.") }
            let facts = item["metadata"]
            if let status = facts?["status"]?.string, status == "archived" || status == "deleted" { return nil }
            var input = MemoryInput(
                text, eventTime: time(facts?["memory_time"]) ?? time(facts?["created_at"]) ?? time(facts?["updated_at"]), session: facts?["session_id"]?.string)
            input.tags = facts?["tags"]?.array?.compactMap(\.string) ?? []
            switch facts?["type"]?.string ?? facts?["memory_type"]?.string {
            case "fact", "LongTermMemory": input.type = .semantic
            case "event": input.type = .episodic
            case "procedure", "skill", "SkillMemory": input.type = .procedural
            case "preference", "PreferenceMemory", "explicit_preference", "implicit_preference": input.type = .preference
            case "UserMemory", "profile": input.type = .core
            default: break
            }
            for key in ["key", "source", "confidence", "background", "memory_type"] {
                switch facts?[key] {
                case .string(let text) where !text.isEmpty: input.metadata[key] = text
                case .number(let number): input.metadata[key] = String(number)
                default: break
                }
            }
            input.source = "memos"
            input.reference = item["id"]?.string
            return input
        }
    }

    private static func time(_ value: JSONValue?) -> Date? { value?.string.flatMap(DateText.parse) ?? value?.double.flatMap { DateText.parse(String($0)) } }

    private static func texts(_ value: JSONValue?) -> [String: String] {
        (value?.object ?? [:]).compactMapValues { value in
            switch value {
            case .string(let text): text
            case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
            case .bool(let flag): String(flag)
            default: nil
            }
        }
    }
}
