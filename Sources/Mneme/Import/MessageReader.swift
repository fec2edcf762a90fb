import Foundation

/// Reads one message from the JSON shapes that chat programs use.
enum MessageReader {
    /// - Parameter template: values for what the message leaves out.
    /// - Throws: `InputError` that says what is wrong.
    static func input(_ json: JSONValue, template: MemoryInput = MemoryInput("")) throws
        -> MemoryInput
    {
        guard let object = json.object else { throw InputError("a message must be an object") }
        var input = template
        input.source = "message"
        guard let text = text(object["content"] ?? object["text"] ?? object["message"] ?? .null)
        else {
            throw InputError("'content' (or 'text') is missing or not a text")
        }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw InputError("the text is empty")
        }
        input.text = text
        /// The first of some members that is there, a number as its text.
        /// - Throws: `InputError` for a list, an object or a boolean.
        func string(_ keys: String...) throws -> String? {
            for key in keys {
                switch object[key] {
                case .string(let value): return value
                case .number(let value):
                    return Int(exactly: value).map(String.init) ?? String(value)
                case nil, .null: continue
                default: throw InputError("'\(key)' must be a text")
                }
            }
            return nil
        }
        input.speaker = try string("name", "speaker", "author", "role") ?? template.speaker
        if let time = try string(
            "time", "timestamp", "created_at", "create_time", "createdAt", "date")
        {
            if let zoned = ZonedTime(time) {
                input.setTime(zoned)
            } else if let date = ImportTime.date(.string(time)) {
                (input.eventTime, input.utcOffset) = (date, nil)
            } else {
                throw InputError("'\(time.prefix(40))' is not a date such as 2026-03-01T09:30:00Z")
            }
        }
        input.session =
            try string("session", "session_id", "conversation_id", "thread_id") ?? template.session
        input.reference = try string("id", "message_id") ?? template.reference
        if let tags = object["tags"] {
            guard let list = [String](json: tags) else {
                throw InputError("'tags' must be a list of texts")
            }
            input.tags = list
        }
        return input
    }

    /// A text, or the joined text parts of a list.
    static func text(_ json: JSONValue) -> String? {
        switch json {
        case .string(let text): return text
        case .array(let parts):
            let texts = parts.compactMap { $0.string ?? $0["text"]?.string }
            return texts.isEmpty ? nil : texts.joined(separator: "\n")
        case .object(let object):
            return object["parts"].flatMap(text) ?? object["text"].flatMap(text)
        default: return nil
        }
    }
}
