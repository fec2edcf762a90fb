import Foundation

/// Formats that can be imported.
public enum ImportFormat: String, Sendable, Codable, CaseIterable, ParameterValue {
    /// LoCoMo conversations (snap-research/locomo).
    case locomo
    /// `conversations.json` of an OpenAI data export.
    case openai
    /// `conversations.json` of a Claude data export.
    case claude
    /// Conversations in the form of ShareGPT.
    case sharegpt
    /// An agent file of Letta, `.af`.
    case letta
    /// The graph of MCP's reference memory server, `memory.jsonl`.
    case mcp
    /// JSON lines of `mneme export`, with kinds, times and states.
    case mneme
    /// Messages as JSON, one a line or in a list.
    case jsonl
    /// The answer of mem0's `get_all()`, as JSON.
    case mem0
    /// A dump of MemOS, as JSON.
    case memos
    /// Markdown: sections under their headings, front matter, links between notes.
    case markdown
    /// Plain text, in paragraphs.
    case text

    /// Names the forms of JSON that are known.
    static let knownJSON = """
        exports of OpenAI, Claude, ShareGPT, LoCoMo, mem0, MemOS and Mneme, Letta's agent files, the graph of MCP's \
        memory server, and messages with 'content'
        """
}

/// The outcome of an import, for people and as JSON.
public struct ImportReport: Sendable, Codable {
    /// A line, entry or file that could not be read.
    public struct Problem: Sendable, Codable {
        /// The file's path.
        public var file: String
        /// From 1; nil where the reason names the entry, or the whole file is meant.
        public var line: Int?
        /// The reason, in words.
        public var reason: String
    }

    /// The part of one user, in an import of several users' memories.
    public struct User: Sendable, Codable, Equatable {
        /// Whose memories they are.
        public var user: String
        /// Memories written.
        public var stored = 0
        /// Memories that were there already.
        public var duplicates = 0

        /// The counts of one user; none yet if they are left out.
        public init(user: String, stored: Int = 0, duplicates: Int = 0) {
            (self.user, self.stored, self.duplicates) = (user, stored, duplicates)
        }
    }

    /// Files read.
    public var files = 0
    /// Messages, memories and parts of documents read.
    public var read = 0
    /// Memories written.
    public var stored = 0
    /// Memories that were there already.
    public var duplicates = 0
    /// Counts by user, in the order of the file.
    public var users: [User] = []
    /// Of the written ones, quarantined as they read like instructions to a model.
    public var quarantined = 0
    /// Read without any time, so that they carry that of the import.
    public var undated = 0
    /// Links made between what was read.
    public var links = 0
    /// Left out on purpose, by reason: calls of tools, what belongs to other users.
    public var leftOut: [String: Int] = [:]
    /// Lines, entries or files that could not be read.
    public var skipped = 0
    /// The first hundred problems.
    public var problems: [Problem] = []
    /// The duration in seconds, embedding included.
    public var seconds = 0.0

    /// Names in JSON.
    private enum CodingKeys: String, CodingKey {
        case files, read, stored, duplicates, users, undated, links, leftOut, skipped, problems, seconds
        case quarantined = "held"
    }

    /// The counts of `user`; an entry is made when they are first set.
    subscript(user: String) -> User {
        get { users.first { $0.user == user } ?? User(user: user) }
        set {
            if let place = users.firstIndex(where: { $0.user == user }) {
                users[place] = newValue
            } else {
                users.append(newValue)
            }
        }
    }
}
