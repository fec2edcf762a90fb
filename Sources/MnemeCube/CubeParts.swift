public import Foundation

extension MemCube {
    /// Properties of a cube that its writer chooses.
    public struct Header: Sendable, Codable, Equatable {
        /// Whose it is.
        public var scope: Scope
        /// The kind of memory.
        public var type: MemoryType
        /// The label: who may see it.
        public var sensitivity = Sensitivity.internal
        /// The speaker.
        public var speaker: String?
        /// The event time: when it happened or was said.
        public var eventTime: Date
        /// Seconds by which the speaker's clock was ahead of UTC then; nil if nobody said.
        public var utcOffset: Int?
        /// Importance, by the caller's own scale.
        public var priority: Double = 0
        /// Words to filter by.
        public var tags: [String] = []
        /// Values of the caller's.
        public var metadata: [String: String] = [:]

        /// A header without a label, tags and metadata.
        public init(scope: Scope, type: MemoryType, speaker: String? = nil, eventTime: Date) {
            self.scope = scope
            self.type = type
            self.speaker = speaker
            self.eventTime = eventTime
        }
    }

    /// Properties of a cube that were found in its text.
    public struct Derived: Sendable, Codable, Equatable {
        /// Names found in the text.
        public var entities: [String] = []
        /// Words that say what the text is about.
        public var keywords: [String] = []
        /// Dates found in the text.
        public var dates: [DateMention] = []
        /// Statements of the text of which only one holds at a time.
        public var claims: [Claim] = []
        /// Signs that the text wants to steer a model which reads it, by name; nil if there are
        /// none.
        public var caution: [String]?

        /// Nothing found.
        public init() {}
    }

    /// State and history of a cube: changed by mutations, not by its writer.
    public struct Lifecycle: Sendable, Codable, Equatable {
        /// The lifecycle state.
        public var state = LifecycleState.activated
        /// Raised by each change, from 1.
        public var version = 1
        /// The time at which Mneme first recorded it.
        public var recordedTime: Date
        /// The time at which this version was recorded.
        public var updatedTime: Date
        /// Since when what it says does not hold any more: a later memory says otherwise, or
        /// somebody said so. It is recalled all the same, behind what holds, and first where a
        /// question asks about then.
        public var validUntil: Date?
        /// The time at which it expires from recall.
        public var expires: Date?
        /// The number of times that somebody said that it is right.
        public var confirmations: Int?
        /// The tier; nil if nothing has moved it yet: it is short-term then.
        public var tier: MemoryTier?
        /// The memory that began the topic which it belongs to; itself, if it did.
        public var topic: CubeID?
        /// The principal who released it into recall in spite of ``MemCube/Derived/caution``.
        public var vouchedBy: String?
        /// Its use by recall; nil if it never was an answer. Counted beside the journal, not a
        /// version of its own.
        public var usage: Usage?

        /// Version 1, in use.
        public init(recordedTime: Date) {
            self.recordedTime = recordedTime
            updatedTime = recordedTime
        }
    }
}

/// A date found in a text, resolved against the time of the message.
public struct DateMention: Hashable, Sendable, Codable {
    /// The words, such as "last Friday".
    public var text: String
    /// The span that they mean; the end is not part of it.
    public var start, end: Date

    /// Words and the span that they mean.
    public init(text: String, start: Date, end: Date) {
        self.text = text
        self.start = start
        self.end = end
    }
}

/// The use of a memory: how often it was an answer, and when last.
public struct Usage: Hashable, Sendable, Codable {
    /// The number of uses.
    public var count: Int
    /// The time of the last use.
    public var last: Date

    /// A count and the last time.
    public init(count: Int, last: Date) {
        self.count = count
        self.last = last
    }
}
