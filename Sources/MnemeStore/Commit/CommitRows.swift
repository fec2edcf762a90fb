public import Foundation

/// The rows that one request reads and writes: what a backend does of a commit, and all that it
/// does. ``CommitPlanner`` decides which rows those are, and in which order.
///
/// All rows are of one owner, in one transaction: each read sees what was written before. An error
/// ends the request, whose rows the backend takes back then.
///
/// `Tests/consumer` has these rows in dictionaries, written with what this module makes public.
public protocol CommitRows: AnyObject {
    // MARK: Read

    /// The part of the owner's memories that the caller reaches for a permission.
    ///
    /// - Throws: ``AccessError`` if nothing, see ``noting(_:)``.
    func visibility(for permission: Permission) throws -> Visibility
    /// The cube as it is now; nil if it is another owner's or gone.
    func cube(_ id: CubeID) throws -> MemCube?
    /// A cube with this ``CubeRow/contentHash`` that is neither archived nor merged; nil if there is
    /// none.
    ///
    /// - Parameters:
    ///   - hash: of what was said, and of the session in which.
    ///   - session: that session. An index in its order has what is written together side by side.
    func cube(withContent hash: [UInt8], session: String?) throws -> CubeID?
    /// Counts the owner's cubes up to `limit`. No counter does: what is erased makes room at once.
    func count(limit: Int) throws -> Int
    /// Tells who has an id, or had: erased ids stay taken.
    func availability(of id: CubeID) throws -> IDAvailability
    /// The things of which a cube claims something.
    func claimedKeys(of id: CubeID) throws -> Set<String>
    /// The latest ``ClaimRules/compared`` cubes in use that claim something of `key`, the earliest
    /// first.
    func claimants(of key: String) throws -> [Claimant]
    /// The targets of edges of a kind from a cube.
    func targets(of id: CubeID, kind: String) throws -> [CubeID]
    /// The hash of the request that came under this key before, and the cubes that it led to.
    func answer(to key: String) throws -> (request: Data, cubes: [CubeID])?

    // MARK: Write

    /// Makes a place for the owner's memories, if there is none.
    func createOwner() throws
    /// Appends an entry to the owner's journal.
    ///
    /// - Returns: its position, above those of all entries before.
    func append(_ row: JournalRow) throws -> Int64
    /// Puts a new cube into the state, at the next place of its session. One with a text waits for
    /// its vector from now on.
    func insert(_ row: CubeRow) throws
    /// Puts a cube in place of its former version.
    ///
    /// - Parameters:
    ///   - row: the new version; the former is found by the cube's id.
    ///   - keepsVector: the vector serves the new version; otherwise the cube waits for another.
    func replace(by row: CubeRow, keepsVector: Bool) throws
    /// Writes a cube's next version of the same text: state, header, version, update time and
    /// validity. Its vector serves it.
    func update(_ cube: MemCube, header: String, position: Int64) throws
    /// Writes what a cube claims in place of what it claimed before.
    func replaceClaims(of cube: MemCube) throws
    /// Writes an edge, in place of an equal one.
    func insert(_ link: CubeLink) throws
    /// Removes an edge, whatever its time; false if there is none.
    func remove(_ link: CubeLink) throws -> Bool
    /// Removes a cube and all that says what was in it: the row, its vector, terms and claims; edges
    /// from and to it; grants of it; and payloads and salts of its journal entries and of those of
    /// edges that lead to it.
    func erase(_ id: CubeID) throws
    /// Keeps what a request under this key led to.
    func keepAnswer(to key: String, request: Data, cubes: [CubeID], time: Date) throws
    /// Puts an entry behind the end of the audit log, see ``AuditChain``.
    func append(_ entry: AuditEntry) throws
    /// Runs a rule, and notes in the audit log what it refuses: in a transaction of its own, as the
    /// refused one is taken back.
    func noting<T>(_ rule: () throws -> T) throws -> T
}

/// A journal entry as it is written.
public struct JournalRow: Sendable {
    /// The change, and when it happened.
    public var operation: JournalEntry.Operation, time: Date
    /// The cube that was changed, and its version then; 0 for edges.
    public var cube: CubeID, version: Int
    /// The target of an edge, so that erasing finds its entries.
    public var target: CubeID?
    /// The principal who did it, and the reason.
    public var principal: String, reason: String?
    /// The cube or edge after the change, as JSON.
    public var payload: String
    /// Both bind the entry to the audit log, which names all of them.
    public var salt: Data, digest: Data
}

/// A cube as it is written.
public struct CubeRow: Sendable {
    /// The cube.
    public var cube: MemCube
    /// It and its header as JSON.
    public var json: CubeJSON
    /// Its index terms.
    public var analysis: [UInt8]
    /// Names what was said.
    public var contentHash: [UInt8]
    /// The position of the journal entry that it equals.
    public var position: Int64
}
