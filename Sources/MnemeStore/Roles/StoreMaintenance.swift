public import Foundation
public import MnemeSeal

/// Upkeep of a store: counts, files, checks.
public protocol StoreMaintenance: Sendable {
    /// Counts, of one owner or of all.
    func statistics(owner: Owner?, by caller: Caller) throws -> StoreStatistics
    /// The bytes of cubes, as they lie in the files: texts, versions,
    /// vectors. For proofs of erasure; given to nobody.
    func traces(of ids: [CubeID], owner: Owner) throws -> [Data]
    /// The files of the store.
    var files: [String] { get }
    /// Gives room that is free back to the system.
    func compact() throws
    /// Verifies the file and its invariants; `repair` rebuilds what is derived.
    func check(repair: Bool, by caller: Caller) throws -> [StoreFinding]
    /// A key for what is made of the store's memories and kept elsewhere, such as index files; nil
    /// if the store is not encrypted.
    func dataKey(for purpose: String) -> DataKey?
}

extension StoreMaintenance {
    /// Of a store that does not encrypt: none.
    public func dataKey(for purpose: String) -> DataKey? { nil }
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

    /// Counts that a store has made.
    public init(
        memories: Int, byState: [String: Int], byType: [String: Int], owners: Int, sessions: Int,
        links: Int,
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

/// One finding of ``StoreMaintenance/check(repair:by:)``.
public struct StoreFinding: Sendable, Codable {
    /// The name of the check.
    public var check: String
    /// True if nothing is wrong.
    public var sound: Bool
    /// The finding, in words.
    public var detail: String
    /// True if it was repaired.
    public var repaired: Bool

    /// A finding.
    public init(check: String, sound: Bool, detail: String, repaired: Bool = false) {
        self.check = check
        self.sound = sound
        self.detail = detail
        self.repaired = repaired
    }
}
