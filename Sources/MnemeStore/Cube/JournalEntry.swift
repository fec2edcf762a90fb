public import Foundation

/// One change, as the journal keeps it.
public struct JournalEntry: Sendable, Codable, Equatable {
    /// The kind of change.
    public enum Operation: String, Sendable, Codable, CaseIterable {
        /// Changes that are named after the ``Mutation`` that asked for them.
        case add, update, archive, restore, link, unlink, erase
        /// A former version became the present one again.
        case rollback
        /// It holds no longer, as another memory says otherwise; it holds again; somebody said that
        /// it holds no longer.
        case supersede, reinstate, invalidate
        /// Somebody said that it is right.
        case confirm
        /// It moved to another tier, for the reason that is given.
        case move
        /// It was imported from another store or vault, with the entries before.
        case adopt
        /// Another memory takes its place.
        case merge
        /// It is kept as it is.
        case freeze
        /// It was kept out of recall; somebody let it in.
        case quarantine, release
    }

    /// Position: rises by each entry, never used twice.
    public var position: Int64
    /// The time.
    public var time: Date
    /// The kind of change.
    public var operation: Operation
    /// To which cube; for links, where they start.
    public var cube: CubeID
    /// The cube's version after the change.
    public var version: Int
    /// The principal who did it.
    public var principal: String
    /// The reason, if one was given.
    public var reason: String?
    /// The cube after the change; nil for links and for what was erased since.
    public var snapshot: MemCube?
    /// For `link` and `unlink`.
    public var link: CubeLink?

    /// An entry without reason, cube or link, which are set as properties.
    public init(
        position: Int64, time: Date, operation: Operation, cube: CubeID, version: Int,
        principal: String
    ) {
        self.position = position
        self.time = time
        self.operation = operation
        self.cube = cube
        self.version = version
        self.principal = principal
    }
}
