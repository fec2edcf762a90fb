import Foundation
import MnemeStore

/// One thing to remember that a file holds.
struct ImportEntry: Sendable {
    /// A link to what the file calls `target`.
    struct Link: Sendable {
        /// The link's kind.
        var kind: String
        /// The name in the file of the memory that it leads to.
        var target: String
    }

    /// The text with its speaker, time and source, as `remember` takes it.
    var input: MemoryInput
    /// The user that the file names; nil if it names none.
    var user: String?
    /// Names by which links of the same import refer to it.
    var names: [String] = []
    /// To others of the same import.
    var links: [Link] = []

    /// - Throws: `InputError` if it cannot be remembered.
    func check() throws {
        try input.check()
        try MemoryLimits.check(names: [user])
    }
}

/// The content of a file or a line, as its reader found it.
///
/// Readers are pure functions from JSON or text to this value; writing is left to ``ImportRun``.
struct ImportedDocument: Sendable {
    /// A reason for leaving something out on purpose.
    enum Omission: String, Sendable {
        /// No part of the conversation.
        case nonConversational = "calls of tools, their output, thoughts and hidden context"
        /// Answers that were replaced, and what followed them.
        case branch = "abandoned branches"
        /// Deleted or archived by their user.
        case deleted = "deleted or archived there"
        /// They are made of memories and a model, and fit no other.
        case computed = "keys and values, which are computed again"
    }

    /// Texts to remember, in the order of the file.
    var entries: [ImportEntry] = []
    /// Memories of another store, whole.
    var memories: [MemoryLine] = []
    /// Parts that could not be read, each with its place and the reason.
    var problems: [String] = []
    /// Counts of what was left out on purpose.
    var leftOut: [Omission: Int] = [:]

    /// Reads the parts of a list one by one. A part that is wrong becomes a problem and costs none
    /// of the others.
    ///
    /// - Parameters:
    ///   - list: the parts, in order.
    ///   - kind: names a part in problems, with its number from 1.
    ///   - read: reads one; its number counts from 0.
    static func each(
        _ list: [JSONValue], _ kind: String,
        _ read: (_ part: JSONValue, _ number: Int) throws -> ImportedDocument
    ) -> ImportedDocument {
        var all = ImportedDocument()
        for (number, part) in list.enumerated() {
            do {
                var found = try read(part, number)
                found.entries.removeAll { entry in
                    do { try entry.check() } catch {
                        all.problems.append("\(kind) \(number + 1): \(error)")
                        return true
                    }
                    return false
                }
                all.append(found)
            } catch { all.problems.append("\(kind) \(number + 1): \(error)") }
        }
        return all
    }

    /// Counts something that is left out.
    mutating func leaveOut(_ reason: Omission, _ count: Int = 1) {
        if count > 0 { leftOut[reason, default: 0] += count }
    }

    /// Puts another behind this one.
    mutating func append(_ other: ImportedDocument) {
        entries += other.entries
        memories += other.memories
        problems += other.problems
        leftOut.merge(other.leftOut, uniquingKeysWith: +)
    }
}

/// A conversation of another program, as its reader found it.
struct ImportedConversation: Sendable {
    /// A message of somebody who said something.
    struct Message: Sendable {
        /// The speaker.
        var speaker: String?
        /// The text of the message.
        var text: String
        /// The time; nil if the export does not say.
        var time: Date?
        /// The message's id in the export.
        var reference: String?
    }

    /// Names it among others of its export.
    var id: String
    /// The title that the program shows; nil if it has none.
    var title: String?
    /// The times of its beginning and of its last change.
    var begin: Date?, end: Date?
    /// The messages in order.
    var messages: [Message] = []

    /// One entry a message, each with a time if there is one in the conversation.
    var entries: [ImportEntry] {
        zip(messages, ImportTime.filled(messages.map(\.time), begin: begin, end: end)).map {
            message, time in
            var input = MemoryInput(
                message.text, speaker: message.speaker, eventTime: time, session: id)
            input.source = "message"
            input.reference = message.reference
            if let title, !title.isEmpty { input.metadata["title"] = title }
            return ImportEntry(input: input)
        }
    }
}
