import Foundation

/// Reads lists of messages: ShareGPT's turns, and messages with roles.
enum ChatMessages {
    /// Speakers of ShareGPT's data sets, by the lower-cased name of the turn.
    private static let speakers = [
        "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
        "assistant": "assistant",
        "model": "assistant",
        "bing": "assistant", "bard": "assistant",
    ]
    /// Roles whose messages are no word of a conversation, in lower case.
    private static let nonConversational: Set<String> = [
        "system", "developer", "tool", "function", "function_call", "function_response",
        "observation", "tool_call",
        "tool_response",
    ]

    /// True for a message that is no word of a conversation: a system's, a tool's.
    static func isNonConversational(_ message: JSONValue) -> Bool {
        guard let role = message["role"]?.string ?? message["from"]?.string else { return false }
        return nonConversational.contains(role.lowercased())
    }

    /// One conversation of a ShareGPT data set.
    ///
    /// - Throws: `InputError`.
    static func shareGPT(_ conversation: JSONValue, number: Int) throws -> ImportedDocument {
        guard let turns = conversation["conversations"]?.array ?? conversation["items"]?.array
        else {
            throw InputError("it has no 'conversations'")
        }
        var found = named(conversation, number)
        var document = ImportedDocument()
        for (i, turn) in turns.enumerated() {
            if isNonConversational(turn) {
                document.leaveOut(.nonConversational)
                continue
            }
            guard let name = turn["from"]?.string ?? turn["role"]?.string,
                let text = turn["value"]?.string ?? turn["content"]?.string
            else {
                document.problems.append(
                    "conversation \(number + 1), turn \(i + 1): it has no 'from' and 'value'")
                continue
            }
            guard text.contains(where: { !$0.isWhitespace }) else { continue }
            found.messages.append(
                .init(
                    speaker: speakers[name.lowercased()] ?? name, text: text, time: time(turn),
                    reference: "\(found.id)/\(i)"))
        }
        document.entries = found.entries
        return document
    }

    /// A conversation with `messages`, as APIs of language models take them.
    ///
    /// - Throws: `InputError`.
    static func conversation(_ conversation: JSONValue, number: Int) throws -> ImportedDocument {
        guard let list = conversation["messages"]?.array else {
            throw InputError("it has no 'messages'")
        }
        let known = named(conversation, number)
        var document = messages(list, session: known.id, user: user(conversation))
        let times = ImportTime.filled(
            document.entries.map(\.input.eventTime), begin: known.begin, end: known.end)
        for i in document.entries.indices {
            document.entries[i].input.eventTime = times[i]
            if let title = known.title, !title.isEmpty {
                document.entries[i].input.metadata["title"] = title
            }
        }
        return document
    }

    /// Messages in a list.
    /// A message that cannot be read is a problem of the document, and costs none of the others.
    static func messages(_ list: [JSONValue], session: String? = nil, user: String? = nil)
        -> ImportedDocument
    {
        ImportedDocument.each(list, "message") { message, _ in
            try one(message, session: session, user: user)
        }
    }

    /// One message.
    ///
    /// - Throws: `InputError`.
    static func one(_ message: JSONValue, session: String? = nil, user: String? = nil) throws
        -> ImportedDocument
    {
        var document = ImportedDocument()
        guard !isNonConversational(message) else {
            document.leaveOut(.nonConversational)
            return document
        }
        var template = MemoryInput("")
        template.session = session
        let input = try MessageReader.input(message, template: template)
        document.entries = [ImportEntry(input: input, user: Self.user(message) ?? user)]
        return document
    }

    /// The user that a message or conversation names: whose memory it becomes, not who speaks.
    private static func user(_ json: JSONValue) -> String? {
        PeerDumps.name(json["user_id"]) ?? PeerDumps.name(json["user"])
    }

    /// The time of a message under any of the names in use, the first that can be read.
    private static func time(_ json: JSONValue) -> Date? {
        ["create_time", "created_at", "timestamp", "time", "date"].lazy.compactMap {
            ImportTime.date(json[$0])
        }.first
    }

    /// A conversation with its id, or its place among others where it has none.
    private static func named(_ conversation: JSONValue, _ number: Int) -> ImportedConversation {
        let id = ["id", "conversation_id", "thread_id", "session_id"].lazy.compactMap {
            PeerDumps.name(conversation[$0])
        }.first
        var found = ImportedConversation(id: id ?? "conversation-\(number)")
        found.title = conversation["title"]?.string
        found.begin = time(conversation)
        found.end =
            ["update_time", "updated_at"].lazy.compactMap { ImportTime.date(conversation[$0]) }
            .first
        return found
    }
}
