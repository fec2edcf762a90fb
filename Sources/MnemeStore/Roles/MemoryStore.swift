public import Foundation

/// A change to one cube.
public enum Mutation: Sendable {
    /// Records a new cube, unless the owner has one of the same `contentHash` that is in use: then that one
    /// is the result and nothing is written. `analysis` is the cube's index terms; `links` lead from it
    /// to cubes that may be gone by now.
    case add(MemCube, analysis: [UInt8], contentHash: [UInt8], links: [CubeLink] = [])
    /// Takes in a cube of another store under its own id, with the entries of its journal there, whose times and principals stay as they are. Refused
    /// if the id is not free, see ``MemoryStore/standing(of:owner:by:)``. Nobody vouches for it here.
    case adopt(MemCube, history: [JournalEntry], analysis: [UInt8], contentHash: [UInt8])
    /// Replaces the cube of the same id by a next version; its vector is made anew. The cube carries the
    /// version that was read; if another change came first, the store refuses with a conflict.
    case update(MemCube, analysis: [UInt8], contentHash: [UInt8])
    /// Takes a cube out of recall; it can be restored.
    case archive(CubeID)
    /// As ``update(_:analysis:contentHash:)``, of a cube as it was at a former version.
    case rollback(MemCube, analysis: [UInt8], contentHash: [UInt8])
    /// Takes an archived, merged or frozen cube back into use.
    case restore(CubeID)
    /// Takes a cube out of recall, as another of the same request or store takes its place.
    case merge(CubeID, into: CubeID)
    /// Lets nobody change a cube until it is restored.
    case freeze(CubeID)
    /// Keeps a cube out of recall until it is released.
    case quarantine(CubeID)
    /// Lets a quarantined cube into recall, on the caller's word.
    case release(CubeID)
    /// Says since when a cube does not hold.
    case invalidate(CubeID, at: Date)
    /// Says that a cube is right.
    case confirm(CubeID)
    /// Puts a cube into a tier, and into the topic that another began.
    case move(CubeID, to: MemoryTier, topic: CubeID?)
    /// Removes a cube and every trace of its text, for good.
    case erase(CubeID)
    case link(CubeLink)
    case unlink(CubeLink)
}

extension Mutation {
    /// What it takes. Who changes a memory is handed it, so that write alone is enough for new ones only.
    var permissions: Set<Permission> {
        switch self {
        // Whoever vouches for a text lets it reach others.
        case .add(let cube, _, _, _): cube.vouchedBy == nil ? [.write] : [.write, .share]
        case .adopt: [.write]
        case .release: [.read, .write, .share]
        case .update, .rollback, .archive, .restore, .merge, .freeze, .quarantine, .invalidate, .confirm, .move, .link,
            .unlink:
            [.read, .write]
        case .erase: [.erase]
        }
    }
}

extension Mutation {
    /// Whether there is one cube more afterwards.
    var isAddition: Bool {
        switch self {
        case .add, .adopt: true
        default: false
        }
    }
}

/// What is known of an id that comes from elsewhere.
public enum CubeStanding: Sendable, Equatable {
    /// Nothing.
    case free
    /// A cube of this owner has it.
    case here
    /// A cube of this owner had it, and was erased.
    case erased
    /// A cube of another owner has it, or had.
    case elsewhere
}

/// One caller's changes, applied all or not at all.
public struct WriteRequest: Sendable {
    /// What to change, in order.
    public var mutations: [Mutation]
    /// Whose memories are changed; no other can be.
    public var owner: Owner
    /// Who asks, and why.
    public var caller: Caller
    /// A repeated request with this key and owner changes nothing and returns what the first returned.
    public var idempotencyKey: String?

    /// All values.
    public init(_ mutations: [Mutation], owner: Owner, by caller: Caller, idempotencyKey: String? = nil) {
        self.mutations = mutations
        self.owner = owner
        self.caller = caller
        self.idempotencyKey = idempotencyKey
    }
}

/// What an index needs to know of a cube.
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
    public var place: Int64
    /// Who said it.
    public var speaker: String?
    /// When it happened.
    public var eventTime: Date
    /// When it was first recorded.
    public var recordedTime: Date
    /// When it stops being recalled.
    public var expires: Date?
    /// Since when it does not hold.
    public var validUntil: Date?
    /// Its tags.
    public var tags: [String]
    /// Encoded terms, and the analyzer that made them.
    public var analysis: [UInt8]
    /// The version that made ``analysis``.
    public var analyzer: String
    /// The vector of the requested embedder, if there is one yet, or of the former one.
    public var vector: [Float]?
    /// Whether ``vector`` is of the former embedder.
    public var isFormer = false

    /// All values.
    public init(
        sequence: Int64, id: CubeID, type: MemoryType, state: LifecycleState, agent: String? = nil,
        session: String? = nil, place: Int64,
        speaker: String? = nil, eventTime: Date, recordedTime: Date, expires: Date? = nil, tags: [String],
        analysis: [UInt8], analyzer: String,
        vector: [Float]? = nil
    ) {
        self.sequence = sequence
        self.id = id
        self.type = type
        self.state = state
        self.agent = agent
        self.session = session
        self.place = place
        self.speaker = speaker
        self.eventTime = eventTime
        self.recordedTime = recordedTime
        self.expires = expires
        self.tags = tags
        self.analysis = analysis
        self.analyzer = analyzer
        self.vector = vector
    }
}

/// What changed in an owner's memories since a position.
public struct IndexChanges: Sendable {
    /// Rows added or changed, in order of sequence.
    public var rows: [IndexRow]
    /// Cubes that are gone.
    public var erased: [CubeID]
    /// Edges made and taken away, in order.
    public var links: [(link: CubeLink, isRemoved: Bool)] = []
    /// The journal position that these changes reach, and the same for vectors.
    public var position: Int64
    /// The same for vectors.
    public var vectorPosition: Int64

    /// Whether there is nothing to apply; the positions may have moved all the same.
    public var isEmpty: Bool { rows.isEmpty && erased.isEmpty && links.isEmpty }

    /// All values.
    public init(
        rows: [IndexRow], erased: [CubeID], position: Int64, vectorPosition: Int64
    ) {
        self.rows = rows
        self.erased = erased
        self.position = position
        self.vectorPosition = vectorPosition
    }
}

/// A cube that waits for its vector.
public struct PendingEmbedding: Sendable {
    /// The cube.
    public var id: CubeID
    /// The version that the vector is for.
    public var version: Int
    /// What to embed.
    public var text: String
    /// Who said it.
    public var speaker: String?

    /// All values.
    public init(
        id: CubeID, version: Int, text: String, speaker: String? = nil
    ) {
        self.id = id
        self.version = version
        self.text = text
        self.speaker = speaker
    }
}

/// Which cubes ``MemoryStore/list(_:)`` returns.
public struct CubeFilter: Sendable {
    /// Whose cubes.
    public var owner: Owner
    /// Its agent.
    public var agent: String?
    /// Its session.
    public var session: String?
    /// Its type.
    public var type: MemoryType?
    /// With this tag.
    public var tag: String?
    /// Its state.
    public var state: LifecycleState?
    /// Its tier.
    public var tier: MemoryTier?
    /// Event time, from the first and before the second.
    public var from: Date?
    /// Event time before this.
    public var before: Date?
    /// What held then: nothing later, and nothing that had ceased to hold.
    public var at: Date?
    /// As it was recorded then.
    public var asOf: Date?
    /// Cubes after this one.
    public var after: CubeID?
    /// At most this many.
    public var limit: Int
    /// Order by first recording.
    public var newestFirst: Bool
    /// Cubes recorded after the last one that some work has reached, see ``MemoryStore/setProgress(_:of:owner:)``.
    public var afterProgress: String?
    /// Only those that stand for computed keys and values.
    public var onlyActivations = false

    /// All of an owner's cubes.
    public init(owner: Owner, limit: Int = 100) {
        self.owner = owner
        self.limit = limit
        newestFirst = false
    }

    /// Whether a cube of the owner fits, but for the page.
    func fits(_ cube: MemCube) -> Bool {
        (agent == nil || cube.scope.agent == agent) && (session == nil || cube.scope.session == session)
            && (type == nil || cube.type == type)
            && (tag.map(cube.tags.contains) ?? true) && (state == nil || cube.state == state)
            && (tier == nil || cube.tier ?? .shortTerm == tier)
            && (from.map { cube.eventTime >= $0 } ?? true)
            && (before.map { cube.eventTime < $0 } ?? true) && (!onlyActivations || !cube.isPlaintext)
            && (at.map { cube.eventTime <= $0 && cube.validUntil ?? .distantFuture > $0 } ?? true)
    }
}

/// Counts of a store.
public struct StoreStatistics: Sendable, Codable {
    /// Cubes of any state.
    public var memories: Int
    /// Cubes by state.
    public var byState: [String: Int]
    /// Cubes by type.
    public var byType: [String: Int]
    /// Users that have memories.
    public var owners: Int
    /// Conversations.
    public var sessions: Int
    /// Edges between cubes.
    public var links: Int
    /// Changes ever made.
    public var journalEntries: Int
    /// Cubes with a vector.
    public var vectors: Int
    /// Cubes that wait for theirs.
    public var pendingEmbeddings: Int
    /// Of the store's files.
    public var bytesOnDisk: Int

    /// All values.
    public init(
        memories: Int, byState: [String: Int], byType: [String: Int], owners: Int, sessions: Int, links: Int,
        journalEntries: Int, vectors: Int,
        pendingEmbeddings: Int, bytesOnDisk: Int
    ) {
        self.memories = memories
        self.byState = byState
        self.byType = byType
        self.owners = owners
        self.sessions = sessions
        self.links = links
        self.journalEntries = journalEntries
        self.vectors = vectors
        self.pendingEmbeddings = pendingEmbeddings
        self.bytesOnDisk = bytesOnDisk
    }
}

/// One finding of ``MemoryStore/check(repair:by:)``.
public struct StoreFinding: Sendable, Codable {
    /// What was looked at.
    public var check: String
    /// Whether nothing is wrong.
    public var sound: Bool
    /// What was found.
    public var detail: String
    /// Whether it was mended.
    public var repaired: Bool

    /// A finding.
    public init(check: String, sound: Bool, detail: String, repaired: Bool = false) {
        self.check = check
        self.sound = sound
        self.detail = detail
        self.repaired = repaired
    }
}

/// Durable memory: a journal, the state it leads to, and what is derived from the state.
///
/// Implementers: ``commit(_:)`` is one transaction; when it returns, the changes survive a crash. Calls block; callers stay off the cooperative pool. Every read and
/// write is confined to one owner, and carries a ``Caller``: what that may not reach is not found, or refused with an ``AccessError``, whatever
/// stands above the store; and what it was handed or changed stands in the audit log. Pass the conformance suite in `MnemeStoreTesting`.
public protocol MemoryStore: JobStore {
    /// Applies requests in order, with one wait for the disk. A request that is refused leaves no trace and
    /// does not keep the others from being carried out.
    ///
    /// - Returns: for each request the cubes after its mutations, in their order (an erased one and links are
    ///   absent), or its ``StoreError``.
    /// - Throws: ``StoreError`` if nothing could be written.
    func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>]

    /// The cube, or nil if this owner has none of that id. `asOf` reads the version of that recorded time.
    func cube(_ id: CubeID, owner: Owner, asOf: Date?, by caller: Caller) throws -> MemCube?
    /// Several cubes at once, in the order asked; unknown ids are left out.
    func cubes(_ ids: [CubeID], owner: Owner, by caller: Caller) throws -> [MemCube]
    /// Cubes that fit, by first recording.
    func list(_ filter: CubeFilter, by caller: Caller) throws -> [MemCube]
    /// Every cube as it was at a recorded time, in order of first recording.
    func snapshot(owner: Owner, asOf: Date, by caller: Caller) throws -> [MemCube]
    /// The journal of one cube, oldest first.
    func history(_ id: CubeID, owner: Owner, by caller: Caller) throws -> [JournalEntry]
    /// Links from and to a cube, the oldest first.
    func links(of id: CubeID, owner: Owner, by caller: Caller) throws -> [CubeLink]
    /// The last position of an owner's journal; 0 if there is none.
    func position(of owner: Owner) throws -> Int64
    /// Makes a place for an owner's memories; false if there is one.
    func create(_ owner: Owner, by caller: Caller) throws -> Bool
    /// Everyone who has memories, or a place for them.
    func owners() throws -> [Owner]
    /// How many cubes an owner has, counted to `limit`.
    func count(owner: Owner, limit: Int) throws -> Int
    /// Whether cubes of these ids can be taken in.
    func standing(of ids: [CubeID], owner: Owner, by caller: Caller) throws -> [CubeStanding]
    /// Adds to what is known of the use of cubes; unknown ids are passed over.
    func recordUse(_ uses: [CubeID: Usage], owner: Owner) throws

    // MARK: Who reaches what

    /// Which of an owner's memories the caller reaches for something.
    ///
    /// - Throws: ``AccessError`` if none; that is noted in the audit log.
    func visibility(of owner: Owner, for permission: Permission, by caller: Caller) throws -> Visibility
    /// Lets somebody reach memories, until it ends or is taken back; the same grantee's earlier grant of the same is replaced.
    ///
    /// - Throws: ``AccessError`` if the caller may not share, or shares more than it may do.
    func share(_ grant: Grant, by caller: Caller) throws -> Grant
    /// Takes a grant back.
    func unshare(_ id: Int64, owner: Owner, by caller: Caller) throws
    /// Grants of an owner's memories: all for who owns them, their own for others.
    func grants(owner: Owner, by caller: Caller) throws -> [Grant]
    /// What others share with the caller.
    func grants(to caller: Caller) throws -> [Grant]

    /// What is done with what comes in of a tenant; another process's change is seen within a second.
    func policy(of tenant: String) throws -> MemoryPolicy
    /// Sets a tenant's policy, or that of all who have none; nil takes it back.
    ///
    /// - Throws: ``AccessError`` unless the caller has the permission `admin` for all of it.
    func setPolicy(_ policy: MemoryPolicy?, tenant: String?, by caller: Caller) throws

    // MARK: Audit

    /// Notes a refusal of whoever stands above the store, and returns it.
    func refuse(_ text: String, owner: Owner?, by caller: Caller) -> AccessError
    /// Notes memories that were read from ``snapshot(owner:asOf:by:)`` and handed out.
    func noteRead(_ ids: [CubeID], owner: Owner, by caller: Caller) throws
    /// Writes what waits for the audit log; it waits a second at most by itself.
    func flush() throws
    /// The audit log, page by page.
    func auditEntries(after position: Int64, limit: Int, by caller: Caller) throws -> [AuditEntry]
    /// Signatures of the audit log.
    func auditCheckpoints(by caller: Caller) throws -> [AuditCheckpoint]
    /// Takes the entries before a time away from the audit log, after `archive` has had them. A signature stands in their place, so that what is left,
    /// and the journal, can be verified as before.
    ///
    /// - Returns: how many.
    /// - Throws: ``StoreError`` if the log is not whole or not signed, and what `archive` throws; nothing is taken away then.
    func shortenAudit(before time: Date, by caller: Caller, archive: ([AuditEntry]) throws -> Void) throws -> Int
    /// Walks the whole audit log and the journal, and says where they were tampered with.
    ///
    /// - Parameters:
    ///   - keys: Ed25519 public keys that are trusted; nil trusts any.
    ///   - head: an end that was noted earlier; it must still be there.
    func verifyAudit(keys: [Data]?, head: (position: Int64, hash: Data)?, by caller: Caller) throws -> AuditReport

    // MARK: Copies that left

    /// Writes down that a copy of memories left, in place of what is known of the same place.
    func record(_ export: VaultExport) throws
    /// Copies of an owner's memories that left, the oldest first; none for who does not see all of the memories.
    func exports(of owner: Owner, by caller: Caller) throws -> [VaultExport]
    /// Takes a copy that is no more from the list.
    func forget(_ export: VaultExport, by caller: Caller) throws
    /// What was erased of an owner's after a position of the journal.
    func erased(of owner: Owner, since position: Int64) throws -> [CubeID]

    // MARK: For indexes

    /// What an index of what is in sight has to apply at these positions.
    ///
    /// - Parameter former: an embedder whose vectors serve where there are none of `embedder` yet.
    func changes(
        owner: Owner, since position: Int64, vectorsSince: Int64, embedder: String, former: String?,
        visibility: Visibility
    ) throws -> IndexChanges
    /// Records analyses made again by a newer analyzer.
    func saveAnalyses(_ analyses: [(CubeID, [UInt8])], owner: Owner) throws

    /// Cubes without a vector of `embedder`, oldest first; durable, so that a crash loses none.
    func pendingEmbeddings(embedder: String, limit: Int) throws -> [PendingEmbedding]
    /// How many wait.
    func pendingEmbeddingCount(embedder: String) throws -> Int
    /// Writes down that some work on an owner's cubes, oldest first, has reached one.
    func setProgress(_ id: CubeID, of work: String, owner: Owner) throws
    /// Stores vectors; one for a version that has changed meanwhile is dropped.
    func saveVectors(_ vectors: [(id: CubeID, version: Int, vector: [Float])], embedder: String) throws

    /// Counts, of one owner or of all.
    func statistics(owner: Owner?, by caller: Caller) throws -> StoreStatistics
    /// What is kept of cubes, byte for byte as it lies in the files: texts, versions, vectors. For proofs of erasure; given to nobody.
    func traces(of ids: [CubeID], owner: Owner) throws -> [Data]
    /// The files of the store.
    var files: [String] { get }
    /// Gives room that is free back to the system.
    func compact() throws
    /// Verifies the file and its invariants; `repair` rebuilds what is derived.
    func check(repair: Bool, by caller: Caller) throws -> [StoreFinding]
}

extension MemoryStore {
    /// As ``changes(owner:since:vectorsSince:embedder:former:visibility:)``, with the vectors of one embedder only.
    public func changes(
        owner: Owner, since position: Int64, vectorsSince: Int64, embedder: String, visibility: Visibility = .all
    ) throws -> IndexChanges {
        try changes(
            owner: owner, since: position, vectorsSince: vectorsSince, embedder: embedder, former: nil,
            visibility: visibility)
    }

    /// Applies all mutations or none, and returns the cubes after them.
    ///
    /// - Throws: ``StoreError``.
    @discardableResult
    public func commit(_ mutations: [Mutation], owner: Owner, by caller: Caller, idempotencyKey: String? = nil) throws
        -> [MemCube]
    {
        try commit([WriteRequest(mutations, owner: owner, by: caller, idempotencyKey: idempotencyKey)])[0].get()
    }
}
