public import Foundation

/// One change, as the journal keeps it.
public struct JournalEntry: Sendable, Codable, Equatable {
    /// What was done.
    public enum Operation: String, Sendable, Codable, CaseIterable {
        case add, update, archive, restore, link, unlink, erase
    }

    /// Position: rises by each entry, never used twice.
    public var position: Int64
    public var time: Date
    public var operation: Operation
    public var cube: CubeID
    /// The cube's version after the change.
    public var version: Int
    public var principal: String
    public var reason: String?
    /// The cube after the change; nil for links and for what was erased since.
    public var snapshot: MemCube?
    /// For `link` and `unlink`.
    public var link: CubeLink?
}

/// Who asks for a change, and why.
public struct WriteContext: Sendable {
    public var principal: String
    public var reason: String?
    public var time: Date

    public init(principal: String = "local", reason: String? = nil, time: Date = Date()) {
        self.principal = principal
        self.reason = reason
        self.time = time
    }
}
