public import Foundation

/// A store that finds candidates for a question by itself, for owners whose index no server has in
/// memory: to load the index of many memories takes longer than to look through them once.
///
/// A role beside `MemoryStore`: a store in a file has none of it, as its indexes are files beside it.
/// What it finds is ranked as candidates of an index are. Each call takes a snapshot of its own:
/// what was erased between two is missing in the second.
public protocol CandidateStore: Sendable {
    /// True if the vectors of an owner can be compared in the store, all of them: the database can
    /// compare vectors, and a server that does not know of it has written none that are not prepared.
    ///
    /// - Throws: `StoreError`.
    func comparesVectors(of owner: Owner, embedder: String) throws -> Bool
    /// Hands over the terms of what holds one of some terms, of all that is visible, in order of
    /// recording.
    ///
    /// - Parameters:
    ///   - scope: whose memories; those that its filter leaves out are handed over, too, as they count
    ///     in how rare a term is.
    ///   - terms: four bytes each, as analyses hold them. Rows may be among those handed over that hold
    ///     none.
    ///   - body: called with each.
    /// - Returns: the counts of all that is visible; nil if terms of another analyzer are among them,
    ///   which have to be made again.
    /// - Complexity: one pass over the owner's memories.
    func forEachMatch(_ scope: CandidateScope, terms: [Data], _ body: (MatchedTerms) throws -> Void) throws
        -> CorpusCounts?
    /// The memories that fit whose vectors are nearest, by their sequence.
    ///
    /// - Parameters:
    ///   - scope: whose memories, and which.
    ///   - vector: the question's, by `embedder`.
    ///   - embedder: no vectors of others are compared.
    ///   - limit: the most that are found.
    /// - Complexity: one pass over the owner's vectors.
    func nearest(_ scope: CandidateScope, to vector: [Float], embedder: String, limit: Int) throws -> [Int64]
    /// The memories that fit whose event times are nearest to the middles of some spans, and within
    /// them, by their sequence.
    ///
    /// - Parameters:
    ///   - scope: whose memories, and which.
    ///   - spans: the times.
    ///   - limit: the most that are found for each span.
    func dated(_ scope: CandidateScope, within spans: [DateInterval], limit: Int) throws -> [Int64]
    /// What an index of some memories alone is made of.
    ///
    /// - Parameters:
    ///   - scope: whose memories; its filter is of no matter here.
    ///   - found: the candidates, by their sequence.
    ///   - embedder: the vectors that are wanted.
    func candidates(_ scope: CandidateScope, _ found: [Int64], embedder: String) throws -> CandidateRows
    /// Prepares vectors to be compared that are not yet: those that older servers have written, or a
    /// copy of another store.
    ///
    /// - Parameter limit: the most that are prepared by one call.
    /// - Returns: how many were; 0 where nothing is left, or the database cannot compare vectors.
    /// - Throws: `StoreError`.
    func prepareVectors(limit: Int) throws -> Int
}

/// Whose memories are candidates, and which of them.
public struct CandidateScope: Sendable {
    /// The conditions of the request, by its owner; page, state and form are not looked at: candidates
    /// are texts that recall may show.
    public var filter: CubeFilter
    /// What the caller reaches.
    public var visibility: Visibility
    /// What has expired by then is none.
    public var now: Date

    /// Memories that fit a filter and are visible.
    public init(_ filter: CubeFilter, _ visibility: Visibility, now: Date) {
        (self.filter, self.visibility, self.now) = (filter, visibility, now)
    }
}

/// A memory that holds one of some terms.
public struct MatchedTerms: Sendable {
    /// Order of first recording.
    public var sequence: Int64
    /// The row of its session, and its place there.
    public var session: Int64?, place: Int64 = 0
    /// True if it may be shown for the request.
    public var fits = true
    /// Encoded terms, as ``IndexRow/analysis``.
    public var analysis: Data

    /// A memory's terms, of one without a session that may be shown.
    public init(sequence: Int64, analysis: Data) { (self.sequence, self.analysis) = (sequence, analysis) }
}

/// Counts of what is visible of an owner's memories, which scores are computed with.
public struct CorpusCounts: Sendable, Equatable {
    /// Memories; sessions, where one without a session counts as its own.
    public var memories = 0, sessions = 0
    /// Memories that wait for a vector.
    public var pending = 0
    /// Bytes of all analyses.
    public var analysisBytes = 0
    /// Memories by speaker.
    public var speakers: [String: Int] = [:]

    /// Counts of nothing.
    public init() {}
}

/// Rows of candidates, of what stands beside them in their sessions, and of what links lead to.
public struct CandidateRows: Sendable {
    /// Rows with their links, as an index takes them in.
    public var changes: IndexChanges
    /// Those among them that may be answers, by their sequence; the rest stands around these.
    public var answers: Set<Int64>
    /// By name: the sessions that they stand in.
    public var sessions: [String: Session]

    /// A session's row, and bytes of all of its analyses.
    public struct Session: Sendable {
        /// The row, as in ``MatchedTerms/session``.
        public var row: Int64
        /// Bytes of the analyses of all its memories.
        public var analysisBytes: Int

        /// A session.
        public init(row: Int64, analysisBytes: Int) { (self.row, self.analysisBytes) = (row, analysisBytes) }
    }

    /// Rows of candidates.
    public init(changes: IndexChanges, answers: Set<Int64>, sessions: [String: Session]) {
        (self.changes, self.answers, self.sessions) = (changes, answers, sessions)
    }
}
