public import Foundation

/// Cubes and their journal: what is remembered, and every change of it.
public protocol CubeStore: Sendable {
    /// Applies requests in order, with one wait for the disk. A request that is refused leaves no
    /// trace and does not keep the others from being carried out.
    ///
    /// - Returns: for each request the cubes after its mutations, in their order (an erased one and
    ///   links are absent), or its ``StoreError``.
    /// - Throws: ``StoreError`` if nothing could be written.
    func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>]
    /// The cube, or nil if this owner has none of that id. `asOf` reads the version of that
    /// recorded time.
    func cube(_ id: CubeID, owner: Owner, asOf: Date?, by caller: Caller) throws -> MemCube?
    /// Several cubes at once, in the order asked; unknown ids are left out.
    func cubes(_ ids: [CubeID], owner: Owner, by caller: Caller) throws -> [MemCube]
    /// Ids of an owner's cubes that end so, at most three: more than one is too many for a short
    /// id.
    ///
    /// - Complexity: one pass over the ids of all owners, without their cubes.
    func ids(endingWith ending: String, owner: Owner, by caller: Caller) throws -> [CubeID]
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
    /// Whose cube of that id is; nil if there is none. It says nothing of what is in it, and whoever
    /// asks is not asked who they are: for finding a memory by its id alone.
    func owner(of id: CubeID) throws -> Owner?
    /// The number of an owner's cubes, counted to `limit`.
    func count(owner: Owner, limit: Int) throws -> Int
    /// Tells whether cubes of these ids can be imported.
    func availability(of ids: [CubeID], owner: Owner, by caller: Caller) throws -> [IDAvailability]
    /// Adds to what is known of the use of cubes; unknown ids are passed over.
    func recordUse(_ uses: [CubeID: Usage], owner: Owner) throws
    /// Writes down that some work on an owner's cubes, oldest first, has reached one.
    func setProgress(_ id: CubeID, of work: String, owner: Owner) throws
}

extension CubeStore {
    /// Applies all mutations or none, and returns the cubes after them.
    ///
    /// - Throws: ``StoreError``.
    @discardableResult
    public func commit(
        _ mutations: [Mutation], owner: Owner, by caller: Caller, idempotencyKey: String? = nil
    ) throws
        -> [MemCube]
    {
        try commit([
            WriteRequest(mutations, owner: owner, by: caller, idempotencyKey: idempotencyKey)
        ])[0].get()
    }
}

/// The standing of an id that comes from elsewhere.
public enum IDAvailability: Sendable, Equatable {
    /// Nothing.
    case free
    /// A cube of this owner has it.
    case here
    /// A cube of this owner had it, and was erased.
    case erased
    /// A cube of another owner has it, or had.
    case elsewhere
}
