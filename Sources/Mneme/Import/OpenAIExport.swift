import Foundation

/// Reads conversations of an OpenAI data export.
enum OpenAIExport {
    /// The messages of a conversation along the branch that was last shown: what the user and the
    /// assistant said to each other.
    ///
    /// - Throws: `InputError`.
    static func read(_ conversation: JSONValue, number: Int) throws -> ImportedDocument {
        guard let nodes = conversation["mapping"]?.object else {
            throw InputError("it has no 'mapping'")
        }
        let id = [conversation["id"], conversation["conversation_id"], conversation["title"]]
            .compactMap { $0?.string }.first { !$0.isEmpty }
        var found = ImportedConversation(id: id ?? "conversation-\(number)")
        found.title = conversation["title"]?.string
        found.begin = ImportTime.date(conversation["create_time"])
        found.end = ImportTime.date(conversation["update_time"])
        var document = ImportedDocument()
        let path = branch(nodes, from: conversation["current_node"]?.string)
        let shown = Set(path)
        for name in path {
            guard let message = nodes[name]?["message"], message.object != nil else { continue }
            guard let speaker = speaker(message) else {
                document.leaveOut(.nonConversational)
                continue
            }
            guard let text = said(message["content"]) else { continue }
            found.messages.append(
                .init(
                    speaker: speaker, text: text, time: ImportTime.date(message["create_time"]),
                    reference: message["id"]?.string ?? name))
        }
        document.leaveOut(
            .branch,
            nodes.count { !shown.contains($0.key) && $0.value["message"].flatMap(speaker) != nil })
        document.entries = found.entries
        return document
    }

    /// Names of nodes from the root to the leaf that was last shown. A cycle ends the walk.
    private static func branch(_ nodes: [String: JSONValue], from shown: String?) -> [String] {
        var node = shown.flatMap { nodes[$0] == nil ? nil : $0 } ?? latestLeaf(nodes)
        var path: [String] = []
        var seen = Set<String>()
        while let name = node, seen.insert(name).inserted, let entry = nodes[name] {
            path.append(name)
            node = entry["parent"]?.string
        }
        return path.reversed()
    }

    /// The end of the branch that was shown last, where the export does not name it.
    private static func latestLeaf(_ nodes: [String: JSONValue]) -> String? {
        /// Seconds since 1970; nodes without a time come first.
        func time(_ node: JSONValue) -> Double { node["message"]?["create_time"]?.double ?? -1 }
        return nodes.filter { $0.value["children"]?.array?.isEmpty ?? true }
            .max { (time($0.value), $0.key) < (time($1.value), $1.key) }?.key
    }

    /// The role of whoever says something to the other; nil for calls of tools, their output,
    /// thoughts and what is hidden.
    private static func speaker(_ message: JSONValue) -> String? {
        guard let role = message["author"]?["role"]?.string, role == "user" || role == "assistant"
        else { return nil }
        if let recipient = message["recipient"]?.string, recipient != "all" { return nil }
        let facts = message["metadata"]
        guard facts?["is_visually_hidden_from_conversation"] != .bool(true),
            facts?["is_user_system_message"] != .bool(true)
        else {
            return nil
        }
        let kind = message["content"]?["content_type"]?.string ?? "text"
        return ["text", "multimodal_text"].contains(kind) ? role : nil
    }

    /// The text of the parts; pictures and files have none, a voice its transcript.
    private static func said(_ content: JSONValue?) -> String? {
        guard let content else { return nil }
        let texts =
            content["parts"]?.array?.compactMap { $0.string ?? $0["text"]?.string }
            ?? [content["text"]?.string].compactMap(\.self)
        let text = texts.filter { $0.contains { !$0.isWhitespace } }.joined(separator: "\n")
        return text.isEmpty ? nil : text
    }
}
