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
    /// What of the store is kept where no proof of an erasure looks, in a sentence; nil if nothing is.
    var unsearched: String? { get }
    /// Gives room that is free back to the system.
    func compact() throws
    /// Verifies the file and its invariants; `repair` rebuilds what is derived.
    func check(repair: Bool, by caller: Caller) throws -> [StoreFinding]
    /// A key for what is made of the store's memories and kept elsewhere, such as index files; nil
    /// if the store is not encrypted.
    func dataKey(for purpose: String) -> DataKey?
    /// Writes what waits, and lets go of files and connections. No call may follow.
    func close() throws
    /// Writes down in the audit log that the store as a whole was copied or put back.
    func note(_ what: String, by caller: Caller) throws
}

extension StoreMaintenance {
    /// Of a store that does not encrypt: none.
    public func dataKey(for purpose: String) -> DataKey? { nil }
    /// Of a store that is in ``files`` alone: nothing.
    public var unsearched: String? { nil }
    /// Of a store that holds nothing open: does nothing.
    public func close() throws {}
}

/// Counts of a store, all zero until it sets them.
public struct StoreStatistics: Sendable, Codable {
    /// Cubes of any state.
    public var memories = 0
    /// Cubes by state.
    public var byState: [String: Int] = [:]
    /// Cubes by type.
    public var byType: [String: Int] = [:]
    /// Users that have memories.
    public var owners = 0
    /// Conversations.
    public var sessions = 0
    /// Edges between cubes.
    public var links = 0
    /// Changes ever made.
    public var journalEntries = 0
    /// Cubes with a vector.
    public var vectors = 0
    /// Cubes that wait for theirs.
    public var pendingEmbeddings = 0
    /// Bytes of the store's files.
    public var bytesOnDisk = 0

    /// Counts of an empty store.
    public init() {}
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
