import Foundation

/// Reads `conversations.json` of an OpenAI data export.
enum OpenAIExport {
    /// The messages of every conversation, along the branch that was last shown.
    ///
    /// - Throws: ``InputError``.
    static func read(_ data: Data) throws -> [MemoryInput] {
        guard let list = (try? JSONDecoder().decode(JSONValue.self, from: data))?.array else {
            throw InputError("The file is not an OpenAI export: a JSON list of conversations is expected.")
        }
        var inputs: [MemoryInput] = []
        for (number, conversation) in list.enumerated() {
            guard let nodes = conversation["mapping"]?.object else { throw InputError("Conversation \(number) has no 'mapping'.") }
            let session = conversation["id"]?.string ?? conversation["conversation_id"]?.string ?? conversation["title"]?.string ?? "conversation-\(number)"
            // From the current leaf to the root; a cycle ends the walk.
            var node = conversation["current_node"]?.string ?? leaf(of: nodes), path: [String] = [], seen = Set<String>()
            while let name = node, seen.insert(name).inserted, let entry = nodes[name] {
                path.append(name)
                node = entry["parent"]?.string
            }
            for name in path.reversed() {
                guard let message = nodes[name]?["message"], let role = message["author"]?["role"]?.string, role == "user" || role == "assistant",
                    let content = message["content"], let text = MessageReader.text(content), text.contains(where: { !$0.isWhitespace })
                else { continue }
                var input = MemoryInput(text, speaker: role, eventTime: message["create_time"]?.double.map(Date.init(timeIntervalSince1970:)), session: session)
                input.source = "message"
                input.reference = message["id"]?.string ?? name
                if let title = conversation["title"]?.string { input.metadata["title"] = title }
                inputs.append(input)
            }
        }
        return inputs
    }

    private static func leaf(of nodes: [String: JSONValue]) -> String? {
        nodes.filter { $0.value["children"]?.array?.isEmpty ?? true }.map(\.key).max()
    }
}
