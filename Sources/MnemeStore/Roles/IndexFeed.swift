public import Foundation

/// The feed of indexes: changes since a position, and vectors that are missing.
public protocol IndexFeed: Sendable {
    /// The changes that an index of what is visible has to apply where it stands.
    ///
    /// - Parameters:
    ///   - owner: whose memories.
    ///   - since: what the index has reached. If the journal has another entry there, all changes are
    ///     handed out, and ``IndexChanges/isReset`` is true.
    ///   - embedder: the model whose vectors are wanted.
    ///   - visibility: what the caller reaches; the rest is left out.
    ///   - former: an embedder whose vectors serve where there are none of `embedder` yet.
    func changes(
        owner: Owner, since: FeedPosition, embedder: String, former: String?, visibility: Visibility
    ) throws -> IndexChanges
    /// Hands over the index terms of what is visible, and no more of it, the oldest first: for one
    /// write, which is compared with them and forgets them.
    ///
    /// - Parameters:
    ///   - owner: whose memories.
    ///   - visibility: what the caller reaches; the rest is left out.
    ///   - body: returns false to end.
    func forEachTerms(
        owner: Owner, visibility: Visibility, _ body: (TermsRow) throws -> Bool
    ) throws
    /// Tells the owner's journal entry at a position from every other; nil if there is none. What was
    /// derived at this position, and remembers the same, belongs to this journal.
    func journalMark(at position: Int64, owner: Owner) throws -> String?
    /// Records analyses made again by a newer analyzer.
    func saveAnalyses(_ analyses: [(CubeID, [UInt8])], owner: Owner) throws
    /// Cubes whose text has no vector yet, oldest first; durable, so that a crash loses none.
    ///
    /// - Parameters:
    ///   - limit: the most cubes that are answered with.
    ///   - replacing: also those whose vector is of another embedder than this; after those
    ///     that have none.
    func pendingEmbeddings(replacing: String?, limit: Int) throws -> [PendingEmbedding]
    /// The number of cubes that ``pendingEmbeddings(replacing:limit:)`` would hand out, without its
    /// limit.
    func pendingEmbeddingCount(replacing: String?) throws -> Int
    /// The embedders of which there are vectors, by identifier.
    func embedders() throws -> [StoredEmbedder]
    /// Stores vectors; one for a version that has changed meanwhile is dropped.
    func saveVectors(_ vectors: [(id: CubeID, version: Int, vector: [Float])], embedder: String)
        throws
}

extension IndexFeed {
    /// As ``changes(owner:since:embedder:former:visibility:)``, with the vectors of one embedder only.
    public func changes(
        owner: Owner, since: FeedPosition, embedder: String, visibility: Visibility = .all
    ) throws -> IndexChanges {
        try changes(owner: owner, since: since, embedder: embedder, former: nil, visibility: visibility)
    }
}

/// An embedder of which the store has vectors.
public struct StoredEmbedder: Sendable, Equatable {
    /// Its identifier.
    public var identifier: String
    /// Elements of its vectors.
    public var dimension: Int

    /// An embedder by its identifier, and the elements of its vectors.
    public init(identifier: String, dimension: Int) {
        self.identifier = identifier
        self.dimension = dimension
    }
}

/// A cube as an index needs it.
public struct IndexRow: Sendable {
    /// Order of first recording.
    public var sequence: Int64
    /// The cube.
    public var id: CubeID
    /// Its type.
    public var type: MemoryType
    /// Its state.
    public var state: LifecycleState
    /// Its agent.
    public var agent: String?
    /// Its session.
    public var session: String?
    /// Place in the session, from 0.
    public var place: Int64 = 0
    /// The speaker.
    public var speaker: String?
    /// The event time.
    public var eventTime: Date
    /// The time at which it was first recorded.
    public var recordedTime: Date
    /// The time at which it expires from recall.
    public var expires: Date?
    /// Since when it does not hold.
    public var validUntil: Date?
    /// Its tags.
    public var tags: [String] = []
    /// Encoded terms, and the analyzer that made them.
    public var analysis: [UInt8] = []
    /// The version that made ``analysis``.
    public var analyzer = ""
    /// The vector of the requested embedder, if there is one yet, or of the former one.
    public var vector: [Float]?
    /// True if ``vector`` is of the former embedder.
    public var isFormer = false
    /// The journal position of its last change; 0 where it is not known. Where that is no further than
    /// an index has come, nothing but the vector is new.
    public var position: Int64 = 0

    /// A row of the feed without terms, vector and what narrows a search, which are set as
    /// properties.
    public init(
        sequence: Int64, id: CubeID, type: MemoryType, state: LifecycleState, eventTime: Date,
        recordedTime: Date
    ) {
        self.sequence = sequence
        self.id = id
        self.type = type
        self.state = state
        self.eventTime = eventTime
        self.recordedTime = recordedTime
    }
}

/// The index terms of a cube.
public struct TermsRow: Sendable {
    /// The cube.
    public var id: CubeID
    /// Its state.
    public var state: LifecycleState
    /// Encoded terms, as ``IndexRow/analysis``.
    public var analysis: [UInt8]
    /// The version that made ``analysis``.
    public var analyzer: String

    /// A cube's terms.
    public init(id: CubeID, state: LifecycleState, analysis: [UInt8], analyzer: String) {
        self.id = id
        self.state = state
        self.analysis = analysis
        self.analyzer = analyzer
    }
}

/// Changes of an owner's memories since a position.
public struct IndexChanges: Sendable {
    /// Rows added or changed, in order of sequence.
    public var rows: [IndexRow]
    /// Cubes that are gone.
    public var erased: [CubeID]
    /// Edges made and taken away, in order.
    public var links: [(link: CubeLink, isRemoved: Bool)] = []
    /// The position that these changes reach.
    public var reached: FeedPosition
    /// True if these are all changes, as the journal does not hold what the index has taken in: the
    /// index is to forget it, and to begin with these.
    public var isReset = false

    /// True if there is nothing to apply; the position may have moved all the same.
    public var isEmpty: Bool { rows.isEmpty && erased.isEmpty && links.isEmpty && !isReset }

    /// Changes that reach a position.
    public init(rows: [IndexRow], erased: [CubeID], reached: FeedPosition) {
        self.rows = rows
        self.erased = erased
        self.reached = reached
    }
}

/// A cube that waits for its vector.
public struct PendingEmbedding: Sendable {
    /// The cube.
    public var id: CubeID
    /// The version that the vector is for.
    public var version: Int
    /// The text to embed.
    public var text: String
    /// The speaker.
    public var speaker: String?

    /// A cube of a version that waits for its vector.
    public init(
        id: CubeID, version: Int, text: String, speaker: String? = nil
    ) {
        self.id = id
        self.version = version
        self.text = text
        self.speaker = speaker
    }
}
