public import Foundation

/// What a memory is about, as the field names it.
public enum MemoryType: String, Sendable, Codable, CaseIterable {
    /// Something that happened.
    case episodic
    /// A fact.
    case semantic
    /// How something is done.
    case procedural
    /// What somebody likes or wants.
    case preference
    /// Who somebody is: name, home, work, family.
    case core
}

/// Where a cube stands in its life.
public enum LifecycleState: String, Sendable, Codable, CaseIterable {
    case generated, activated, merged, archived, frozen, erased
    /// Kept out of recall, as it reads like an instruction to a model, until somebody releases it.
    case quarantined

    /// Whether recall may return a cube in this state.
    public var isRecallable: Bool { self == .generated || self == .activated || self == .frozen }

    /// Whether the change is legal. Archived cubes can be restored; erased ones never.
    public func canBecome(_ next: LifecycleState) -> Bool {
        switch (self, next) {
        case (.erased, _): false
        case (_, .erased): true
        case (.generated, .activated), (.generated, .archived), (.generated, .merged), (.generated, .frozen),
            (.generated, .quarantined):
            true
        case (.activated, .archived), (.activated, .merged), (.activated, .frozen), (.activated, .quarantined): true
        case (.merged, .activated), (.archived, .activated), (.frozen, .activated), (.quarantined, .activated): true
        default: false
        }
    }
}

/// Whose memory it is. Recall never crosses from one user to another.
public struct Scope: Hashable, Sendable, Codable {
    /// An organisation or deployment.
    public var tenant: String
    /// Whose memories they are.
    public var user: String
    /// The agent they belong to, if to one.
    public var agent: String?
    /// The conversation.
    public var session: String?

    /// A scope; what is left out is `default` or absent.
    public init(tenant: String = "default", user: String = "default", agent: String? = nil, session: String? = nil) {
        self.tenant = tenant
        self.user = user
        self.agent = agent
        self.session = session
    }

    /// The part that separates memories from each other completely.
    public var owner: Owner { Owner(tenant: tenant, user: user) }
}

/// A tenant's user: the wall around a set of memories.
public struct Owner: Hashable, Sendable, Codable {
    /// An organisation or deployment.
    public var tenant: String
    /// Whose memories they are.
    public var user: String

    /// An owner; what is left out is `default`.
    public init(tenant: String = "default", user: String = "default") {
        self.tenant = tenant
        self.user = user
    }
}

/// Where a memory came from.
public struct Provenance: Hashable, Sendable, Codable {
    /// Such as `message`, `text`, `file`, `import`.
    public var source: String
    /// The message id, path or URL in that source.
    public var reference: String?
    /// The part of a longer original, from 0, and how many parts there are.
    public var part: Int?
    /// How many parts the original has.
    public var parts: Int?

    /// The source of what a text was before something was taken out of it.
    public static let redaction = "redaction"

    /// A source, and where in it.
    public init(source: String, reference: String? = nil, part: Int? = nil, parts: Int? = nil) {
        self.source = source
        self.reference = reference
        self.part = part
        self.parts = parts
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

/// How often a memory was an answer, and when last.
public struct Usage: Hashable, Sendable, Codable {
    /// How often.
    public var count: Int
    /// When last.
    public var last: Date

    /// All values.
    public init(count: Int, last: Date) {
        self.count = count
        self.last = last
    }
}

/// Where computed keys and values are kept: the payload of an activation cube.
public struct ActivationReference: Hashable, Sendable, Codable {
    /// The hash that names the last block, and with it all before.
    public var block: String
    /// The model's name, and the hash of all that the blocks depend on besides the tokens.
    public var model: String, modelHash: String
    /// Tokens, and bytes of the blocks.
    public var tokens: Int, bytes: Int
    /// What the blocks say they were made of: ids of memories, and owners whose words are in them.
    public var sources: [String]

    /// All values.
    public init(block: String, model: String, modelHash: String, tokens: Int, bytes: Int, sources: [String] = []) {
        self.sources = sources
        self.block = block
        self.model = model
        self.modelHash = modelHash
        self.tokens = tokens
        self.bytes = bytes
    }
}

/// The unit of memory: a header and a payload, which is a text or refers to computed keys and values.
public struct MemCube: Sendable, Codable, Identifiable, Equatable {
    /// Its identity, ordered by creation.
    public var id: CubeID
    /// Whose it is.
    public var scope: Scope
    /// What kind of memory it is.
    public var type: MemoryType
    /// Where it stands in its life.
    public var state: LifecycleState
    /// Raised by each change, from 1.
    public var version: Int
    /// The payload, exactly as it was given; of an activation cube, what the keys and values are of.
    public var text: String
    /// The keys and values, if the cube stands for such. It is not recalled then.
    public var activation: ActivationReference?
    /// How far it may go.
    public var sensitivity: Sensitivity
    /// Who said it.
    public var speaker: String?
    /// When it happened or was said.
    public var eventTime: Date
    /// Seconds by which the speaker's clock was ahead of UTC then; nil if nobody said.
    public var utcOffset: Int?
    /// When Mneme first recorded it.
    public var recordedTime: Date
    /// When this version was recorded.
    public var updatedTime: Date
    /// Since when what it says does not hold any more: a later memory says otherwise, or somebody said so. It is recalled all the same, behind
    /// what holds, and first where a question asks about then.
    public var validUntil: Date?
    /// When it stops being recalled.
    public var expires: Date?
    /// Importance, by the caller's own scale.
    public var priority: Double
    /// Words to filter by.
    public var tags: [String]
    /// Values of the caller's.
    public var metadata: [String: String]
    /// Names found in the text.
    public var entities: [String]
    /// Words that say what the text is about.
    public var keywords: [String]
    /// Dates found in the text.
    public var dates: [DateMention]
    /// What the text says of which only one thing holds at a time.
    public var claims: [Claim]
    /// How often somebody said that it is right.
    public var confirmations: Int?
    /// How far it has come; nil if nothing has moved it yet: it is short-term then.
    public var tier: MemoryTier?
    /// The memory that began the topic which it belongs to; itself, if it did.
    public var topic: CubeID?
    /// Signs that the text wants to steer a model which reads it, by name; nil if there are none.
    public var caution: [String]?
    /// Who said that it may be recalled all the same.
    public var vouchedBy: String?
    /// Where it came from.
    public var provenance: Provenance
    /// How recall has used it; nil if it never was an answer. Counted beside the journal, not a version of its own.
    public var usage: Usage?

    /// An active cube of version 1; the rest is set as properties.
    public init(
        id: CubeID = CubeID(), scope: Scope, type: MemoryType, text: String, speaker: String? = nil, eventTime: Date,
        recordedTime: Date, provenance: Provenance
    ) {
        self.id = id
        self.scope = scope
        self.type = type
        state = .activated
        version = 1
        self.text = text
        sensitivity = .internal
        self.speaker = speaker
        self.eventTime = eventTime
        self.recordedTime = recordedTime
        updatedTime = recordedTime
        priority = 0
        tags = []
        metadata = [:]
        entities = []
        keywords = []
        dates = []
        claims = []
        self.provenance = provenance
    }
}

/// A typed, directed relation between two cubes.
public struct CubeLink: Hashable, Sendable, Codable {
    /// The kind of a derivation edge: the source was made of the target.
    public static let derivedFrom = "derivedFrom"
    /// From a memory to one that does not hold any more since.
    public static let supersedes = "supersedes"
    /// From a memory to one that said the same.
    public static let consolidates = "consolidates"
    /// From a memory to one that was wrong.
    public static let corrects = "corrects"

    /// Where it starts.
    public var source: CubeID
    /// Where it leads.
    public var target: CubeID
    /// Such as `nearDuplicateOf`, `derivedFrom`, `related`.
    public var kind: String
    /// When it was made.
    public var time: Date

    /// A link.
    public init(source: CubeID, target: CubeID, kind: String, time: Date) {
        self.source = source
        self.target = target
        self.kind = kind
        self.time = time
    }
}
