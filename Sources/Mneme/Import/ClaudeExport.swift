import Foundation

/// Reads conversations of a Claude data export.
enum ClaudeExport {
    /// Reads one conversation: its messages along the branch that was last shown, and texts that
    /// were attached.
    /// - Parameter number: its place in the export, which names it where it has no id.
    /// - Throws: `InputError`.
    static func read(_ conversation: JSONValue, number: Int) throws -> ImportedDocument {
        guard let messages = conversation["chat_messages"]?.array else {
            throw InputError("it has no 'chat_messages'")
        }
        var found = ImportedConversation(
            id: conversation["uuid"]?.string ?? "conversation-\(number)")
        found.title = conversation["name"]?.string
        found.begin = ImportTime.date(conversation["created_at"])
        found.end = ImportTime.date(conversation["updated_at"])
        var document = ImportedDocument()
        let shown = branch(messages, leaf: conversation["current_leaf_message_uuid"]?.string)
        document.leaveOut(.branch, messages.count - shown.count)
        for message in shown {
            let (text, nonConversational) = said(message)
            document.leaveOut(.nonConversational, nonConversational)
            guard let text else { continue }
            let sender = message["sender"]?.string ?? message["role"]?.string
            found.messages.append(
                .init(
                    speaker: sender == "human" ? "user" : sender, text: text,
                    time: ImportTime.date(message["created_at"])
                        ?? ImportTime.date(message["updated_at"]),
                    reference: message["uuid"]?.string))
        }
        document.entries = found.entries
        return document
    }

    /// The messages from the first to the leaf that was last shown; all of them where the export
    /// does not say what follows what.
    private static func branch(_ messages: [JSONValue], leaf: String?) -> [JSONValue] {
        var byName: [String: JSONValue] = [:]
        for message in messages {
            guard let name = message["uuid"]?.string, message["parent_message_uuid"]?.string != nil
            else {
                return messages
            }
            byName[name] = message
        }
        var node = leaf.flatMap { byName[$0] == nil ? nil : $0 } ?? messages.last?["uuid"]?.string
        var path: [JSONValue] = []
        var seen = Set<String>()
        while let name = node, seen.insert(name).inserted, let message = byName[name] {
            path.append(message)
            node = message["parent_message_uuid"]?.string
        }
        return path.reversed()
    }

    /// The text of a message, nil if it has none, and how many of its parts are no words: calls of
    /// tools, results, thoughts.
    private static func said(_ message: JSONValue) -> (text: String?, nonConversational: Int) {
        var texts: [String] = []
        var nonConversational = 0
        if let parts = message["content"]?.array, !parts.isEmpty {
            for part in parts {
                if let text = part.string
                    ?? (part["type"]?.string == "text" ? part["text"]?.string : nil)
                {
                    texts.append(text)
                } else {
                    nonConversational += 1
                }
            }
        } else if let text = message["text"]?.string ?? message["content"]?.string {
            texts.append(text)
        }
        texts += (message["attachments"]?.array ?? []).compactMap {
            $0["extracted_content"]?.string
        }
        let text = texts.filter { $0.contains { !$0.isWhitespace } }.joined(separator: "\n")
        return (text.isEmpty ? nil : text, nonConversational)
    }
}
