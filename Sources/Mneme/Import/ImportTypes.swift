import Foundation

/// Formats that can be imported.
public enum ImportFormat: String, Sendable, Codable, CaseIterable, ParameterValue {
    /// LoCoMo conversations (snap-research/locomo).
    case locomo
    /// `conversations.json` of an OpenAI data export.
    case openai
    /// One message a line, as JSON.
    case jsonl
    /// What mem0's `get_all()` answers, as JSON.
    case mem0
    /// A dump of MemOS, as JSON.
    case memos
    case markdown
    case text
}

/// What an import did.
public struct ImportReport: Sendable, Codable {
    /// A line or file that could not be read.
    public struct Problem: Sendable, Codable {
        /// The file's path.
        public var file: String
        /// From 1; nil where the whole file is meant.
        public var line: Int?
        /// What is wrong.
        public var reason: String
    }

    /// Files read.
    public var files = 0
    /// Messages and parts of documents read.
    public var read = 0
    /// Memories written.
    public var stored = 0
    /// Already there.
    public var duplicates = 0
    /// Lines or files left out.
    public var skipped = 0
    /// The first hundred problems.
    public var problems: [Problem] = []
    /// How long it took, embedding included.
    public var seconds = 0.0
}
