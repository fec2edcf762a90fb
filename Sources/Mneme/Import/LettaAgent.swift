import Foundation
import MnemeStore

/// Reads Letta's agent files, of the first form (`core_memory`) and of the present one (`agents`
/// and `blocks`).
enum LettaAgent {
    /// The blocks of an agent's memory, and what was said.
    ///
    /// - Throws: `InputError`.
    static func read(_ file: JSONValue) throws -> ImportedDocument {
        if let agents = file["agents"]?.array {
            let blocks = file["blocks"]?.array ?? []
            return ImportedDocument.each(agents, "agent") { agent, number in
                let own = Set((agent["block_ids"]?.array ?? []).compactMap(\.string))
                // A file of one agent holds its blocks only; with several, each says which are its
                // own.
                let taken =
                    agents.count == 1
                    ? blocks : blocks.filter { $0["id"]?.string.map(own.contains) ?? false }
                return try read(agent: agent, blocks: taken, number: number)
            }
        }
        guard file["core_memory"] != nil || file["messages"] != nil else {
            throw InputError(
                "The file is no agent file of Letta: 'agents', or 'core_memory' and 'messages', are expected."
            )
        }
        return try read(agent: file, blocks: file["core_memory"]?.array ?? [], number: 0)
    }

    /// Reads an agent's blocks and messages.
    private static func read(agent: JSONValue, blocks: [JSONValue], number: Int) throws
        -> ImportedDocument
    {
        guard agent.object != nil else { throw InputError("it is not an object") }
        let name = agent["name"]?.string
        let id = agent["id"]?.string ?? name ?? "agent-\(number)"
        var document = ImportedDocument.each(blocks, "block") { block, _ in
            try memory(block, of: id)
        }
        document.append(
            ImportedDocument.each(agent["passages"]?.array ?? [], "passage") {
                try passage($0, $1, of: id)
            })
        var found = ImportedConversation(id: id)
        found.begin = ImportTime.date(agent["created_at"])
        for (i, message) in (agent["messages"]?.array ?? []).enumerated() {
            let (said, isNonConversational) = said(message)
            document.leaveOut(.nonConversational, isNonConversational ? 1 : 0)
            guard let said else { continue }
            found.messages.append(
                .init(
                    speaker: said.speaker, text: said.text,
                    time: ImportTime.date(message["created_at"])
                        ?? ImportTime.date(message["date"]),
                    reference: message["id"]?.string ?? "\(id)/\(i)"))
        }
        document.entries += found.entries
        for i in document.entries.indices { document.entries[i].input.agent = name }
        return document
    }

    /// A block of core memory: always in an agent's prompt, so it says who somebody is.
    private static func memory(_ block: JSONValue, of agent: String) throws -> ImportedDocument {
        guard let text = block["value"]?.string else { throw InputError("it has no 'value'") }
        guard text.contains(where: { !$0.isWhitespace }) else { return ImportedDocument() }
        let label = block["label"]?.string ?? "block"
        var input = MemoryInput(
            text,
            eventTime: ImportTime.date(block["updated_at"]) ?? ImportTime.date(block["created_at"]))
        if label == "human" { input.type = .core }
        (input.source, input.reference, input.metadata["label"]) = (
            "letta", block["id"]?.string ?? "\(agent)/\(label)", label
        )
        return ImportedDocument(entries: [ImportEntry(input: input)])
    }

    /// A passage of archival memory.
    private static func passage(_ passage: JSONValue, _ number: Int, of agent: String) throws
        -> ImportedDocument
    {
        guard let text = passage["text"]?.string else { throw InputError("it has no 'text'") }
        var input = MemoryInput(text, eventTime: ImportTime.date(passage["created_at"]))
        input.tags = passage["tags"]?.array?.compactMap(\.string) ?? []
        (input.source, input.reference) = (
            "letta", passage["id"]?.string ?? "\(agent)/passage-\(number)"
        )
        return ImportedDocument(entries: [ImportEntry(input: input)])
    }

    /// The speaker and text of a message, nil if nothing was said, and if something of it was left
    /// out.
    private static func said(_ message: JSONValue) -> (
        said: (speaker: String, text: String)?, isNonConversational: Bool
    ) {
        let text = message["content"].flatMap(MessageReader.text) ?? message["text"]?.string ?? ""
        switch message["role"]?.string {
        case "user":
            // Its server wraps what a user says, and reports events in the same place.
            guard let wrapped = try? ImportText.json(Data(text.utf8)),
                let kind = wrapped["type"]?.string
            else {
                return (text.contains { !$0.isWhitespace } ? ("user", text) : nil, false)
            }
            guard kind == "user_message", let said = wrapped["message"]?.string else {
                return (nil, true)
            }
            return (
                said.contains { !$0.isWhitespace }
                    ? (wrapped["name"]?.string ?? "user", said) : nil, false
            )
        case "assistant":
            let calls = message["tool_calls"]?.array ?? []
            // Beside a call stand thoughts; the answer is what it sends.
            guard !calls.isEmpty else {
                return (text.contains { !$0.isWhitespace } ? ("assistant", text) : nil, false)
            }
            let sent = calls.compactMap { call -> String? in
                guard call["function"]?["name"]?.string == "send_message",
                    let arguments = call["function"]?["arguments"]?.string
                else {
                    return nil
                }
                return (try? ImportText.json(Data(arguments.utf8)))?["message"]?.string
            }
            return (sent.isEmpty ? nil : ("assistant", sent.joined(separator: "\n")), true)
        default: return (nil, true)
        }
    }
}
