public import Foundation
public import MnemeCube

/// Something to remember: a message, a note, a part of a document.
public struct MemoryInput: Sendable, Codable {
    /// The text, kept exactly.
    public var text: String
    /// The speaker.
    public var speaker: String?
    /// The time at which it was said or happened; nil means now.
    public var eventTime: Date?
    /// Seconds by which the speaker's clock was ahead of UTC; nil takes UTC for it.
    public var utcOffset: Int?
    /// The conversation; neighbours in it are read together.
    public var session: String?
    /// The agent that the memory belongs to.
    public var agent: String?
    /// The type; nil lets rules decide.
    public var type: MemoryType?
    /// Words to filter by.
    public var tags: [String]
    /// Values to keep with it.
    public var metadata: [String: String]
    /// The time at which it expires from recall; nil means never.
    public var expires: Date?
    /// The label: who may see it.
    public var sensitivity = Sensitivity.internal
    /// True if the caller vouches for a text that reads like an instruction to a model; takes the
    /// permission `share`.
    public var isTrusted = false
    /// Importance, by the caller's own scale; not used by recall yet.
    public var priority: Double
    /// The kind of source, such as `message`, `text` or `file`.
    public var source: String
    /// The position in the source, such as a message id.
    public var reference: String?

    /// A text, and who said it when and where.
    public init(
        _ text: String, speaker: String? = nil, eventTime: Date? = nil, session: String? = nil
    ) {
        self.text = text
        self.speaker = speaker
        self.eventTime = eventTime
        self.session = session
        tags = []
        metadata = [:]
        priority = 0
        source = "text"
    }
}
