import Mneme

/// Memories as mem0's clients read them, made of what operations answer.
enum Mem0Memory {
    /// The key under which metadata is kept as JSON if it holds more than texts.
    private static let key = "mem0"

    /// A memory in mem0's form.
    ///
    /// - Parameter memory: a memory as operations answer it.
    static func json(_ memory: JSONValue, score: JSONValue? = nil) -> JSONValue {
        let tags = memory["tags"]?.array?.compactMap(\.string) ?? []
        let prefix = Mem0Scope.tag("")
        let app = tags.first { $0.hasPrefix(prefix) }?.dropFirst(prefix.count)
        let scope = memory["scope"] ?? .null
        var result: [String: JSONValue] = [
            "id": memory["id"] ?? .null, "memory": memory["text"] ?? "",
            "user_id": scope["user"] ?? .null, "agent_id": scope["agent"] ?? .null,
            "run_id": scope["session"] ?? .null, "app_id": app.map { .string(String($0)) } ?? .null,
            "metadata": metadata(memory), "categories": memory["keywords"] ?? [],
            "created_at": memory["recordedTime"] ?? .null,
            "updated_at": memory["updatedTime"] ?? .null,
        ]
        result["expiration_date"] = memory["expires"]?.string.map { .string(String($0.prefix(10))) }
        result["score"] = score
        return .object(result)
    }

    /// The metadata that a client gave.
    static func metadata(_ memory: JSONValue) -> JSONValue {
        guard let kept = memory["metadata"], case .object(var members) = kept else { return [:] }
        if let text = members.removeValue(forKey: key)?.string,
            let whole = try? JSONValue(parsing: Array(text.utf8))
        {
            return whole
        }
        return .object(members)
    }

    /// Metadata as operations take it, whose values are texts: others are kept as JSON beside.
    ///
    /// - Throws: `InputError` for values that are no JSON.
    static func kept(_ metadata: [String: JSONValue]) throws -> JSONValue {
        var kept = metadata.filter { $0.value.string != nil }
        if kept.count < metadata.count {
            kept[key] = .string(try OperationTable.encode(JSONValue.object(metadata)))
        }
        return .object(kept)
    }

    /// A change in a memory's history.
    ///
    /// - Parameter before: the text that it had before.
    static func change(_ entry: JSONValue, before: JSONValue?) -> JSONValue {
        let snapshot = entry["snapshot"] ?? .null
        let event: JSONValue =
            switch entry["operation"]?.string {
            case "add", "adopt": "ADD"
            case "archive", "erase": "DELETE"
            default: "UPDATE"
            }
        return [
            "id": .string("\(entry["position"]?.int ?? 0)"), "memory_id": entry["cube"] ?? .null,
            "old_memory": before ?? .null, "new_memory": snapshot["text"] ?? .null,
            "event": event, "created_at": entry["time"] ?? .null,
            "updated_at": entry["time"] ?? .null,
            "user_id": snapshot["scope"]?["user"] ?? .null,
            "metadata": snapshot == .null ? .null : metadata(snapshot),
        ]
    }
}
