import Foundation
import MnemeStore

/// Finds out of which form JSON is, and reads it.
///
/// A form is found by the members that only it has, never by the file's name: exports are renamed,
/// and many are called `conversations.json`.
enum ImportForm {
    /// Reads a whole document.
    ///
    /// - Parameter format: nil finds it by what the document holds.
    /// - Throws: `InputError` if it is of no form that is known.
    static func read(_ json: JSONValue, as format: ImportFormat?, name: String) throws
        -> ImportedDocument
    {
        if let document = memories(json, format) { return document }
        guard let format = format ?? find(json) else { throw InputError(unknown(json, name)) }
        let list = json.array ?? [json]
        switch format {
        case .openai:
            return ImportedDocument.each(wrapped(json) ?? list, "conversation", OpenAIExport.read)
        case .claude:
            return ImportedDocument.each(wrapped(json) ?? list, "conversation", ClaudeExport.read)
        case .sharegpt: return ImportedDocument.each(list, "conversation", ChatMessages.shareGPT)
        case .locomo: return LocomoConversation.document(list)
        case .letta: return try LettaAgent.read(json)
        case .mcp:
            return json.array == nil && !KnowledgeGraph.holds(json)
                ? KnowledgeGraph.read(json) : lines(list)
        case .mem0: return try PeerDumps.mem0(json)
        case .memos: return try PeerDumps.memos(json)
        case .jsonl, .mneme: return lines(list)
        case .markdown, .text: throw InputError("\(name) is read as JSON, not as text.")
        }
    }

    /// Reads one line of JSON lines.
    ///
    /// - Throws: `InputError`.
    static func line(_ json: JSONValue, number: Int = 0) throws -> ImportedDocument {
        if MemoryLine.matches(json) { return try memory(json) }
        if KnowledgeGraph.holds(json) { return try KnowledgeGraph.one(json) }
        if json["mapping"]?.object != nil { return try OpenAIExport.read(json, number: number) }
        if json["chat_messages"]?.array != nil {
            return try ClaudeExport.read(json, number: number)
        }
        if json["conversations"]?.array != nil {
            return try ChatMessages.shareGPT(json, number: number)
        }
        if json["messages"]?.array != nil {
            return try ChatMessages.conversation(json, number: number)
        }
        if json["manifest"] != nil {
            throw InputError("it is a vault package; `mneme vault import` takes it in")
        }
        if json["memory"]?.string != nil { return try PeerDumps.mem0([json]) }
        return try ChatMessages.one(json)
    }

    /// The users that a document names.
    static func users(_ document: ImportedDocument) -> Set<String> {
        Set(document.entries.compactMap(\.user) + document.memories.map(\.cube.scope.user))
    }

    /// Reads a list as if each element stood in a line of its own.
    private static func lines(_ list: [JSONValue]) -> ImportedDocument {
        ImportedDocument.each(list, "entry", line)
    }

    /// Reads a memory that Mneme wrote. One that stands for computed keys and values, or for an
    /// adapter, is left out: it can be made again.
    private static func memory(_ json: JSONValue) throws -> ImportedDocument {
        var document = ImportedDocument()
        if json["activation"]?.object == nil, json["adapter"]?.object == nil {
            document.memories = [try MemoryLine(json)]
        } else {
            document.leaveOut(.computed)
        }
        return document
    }

    /// Memories of Mneme in a list, or as `mneme list --json` answers them.
    private static func memories(_ json: JSONValue, _ format: ImportFormat?) -> ImportedDocument? {
        guard format == nil || format == .mneme, let list = json["memories"]?.array ?? json.array,
            list.contains(where: MemoryLine.matches)
        else { return nil }
        return ImportedDocument.each(list, "memory") { part, _ in
            guard MemoryLine.matches(part) else {
                throw InputError("it is not a memory as Mneme writes it")
            }
            return try memory(part)
        }
    }

    /// Conversations that an object holds.
    private static func wrapped(_ json: JSONValue) -> [JSONValue]? {
        json["conversations"]?.array
    }

    // MARK: Finding

    /// The form of a document by what it holds; of a list, that of the first element that shows
    /// one.
    private static func find(_ json: JSONValue) -> ImportFormat? {
        guard let list = json.array else { return find(object: json) }
        return list.lazy.compactMap(find(entry:)).first
    }

    /// The form of an object by the names of its members, the most telling first.
    private static func find(object json: JSONValue) -> ImportFormat? {
        if json["agents"]?.array != nil
            || json["core_memory"]?.array != nil && json["messages"]?.array != nil
        {
            return .letta
        }
        if json["entities"]?.array != nil || json["relations"]?.array != nil { return .mcp }
        if json["nodes"]?.array != nil || json["text_mem"]?.array != nil { return .memos }
        if json["results"]?.array != nil || json["memories"]?.array != nil { return .mem0 }
        if let conversations = json["conversations"]?.array,
            let inner = conversations.lazy.compactMap(find(entry:)).first
        {
            if inner == .openai || inner == .claude { return inner }
        }
        return find(entry: json)
    }

    /// The form of one element of a list, or of a document that holds one.
    private static func find(entry json: JSONValue) -> ImportFormat? {
        guard let object = json.object else { return nil }
        if MemoryLine.matches(json) { return .mneme }
        if object["mapping"] != nil { return .openai }
        if object["chat_messages"] != nil { return .claude }
        if object["conversations"]?.array != nil || object["items"]?.array?.first?["value"] != nil {
            return .sharegpt
        }
        if object["conversation"] != nil || object["qa"] != nil || object["dia_id"] != nil {
            return .locomo
        }
        if KnowledgeGraph.holds(json) { return .mcp }
        if object["manifest"] != nil { return .mneme }
        if object["memory"] != nil {
            let isMem0 = ["user_id", "created_at", "hash", "agent_id", "run_id"].contains {
                object[$0] != nil
            }
            return object["metadata"]?.object != nil && !isMem0 ? .memos : .mem0
        }
        if object["messages"]?.array != nil { return .jsonl }
        let isMessage =
            ["role", "name", "speaker", "author"].contains { object[$0] != nil }
            || object["content"] != nil
            || object["text"]?.string != nil
        return isMessage && ["content", "text", "message"].contains { object[$0] != nil }
            ? .jsonl : nil
    }

    /// The message for JSON of no known form: what it is, and which forms there are.
    private static func unknown(_ json: JSONValue, _ name: String) -> String {
        let what: String
        switch json {
        case .array(let list) where list.isEmpty: what = "is an empty list"
        case .object(let members) where members.isEmpty: what = "is an empty object"
        case .array, .object: what = "is JSON of no form that is known"
        default: what = "is a single value"
        }
        return
            """
            \(name) \(what): nothing was imported. Known are \(ImportFormat.knownJSON). As plain text it is taken \
            with the format 'text'.
            """
    }
}
