public import Foundation

extension MemoryForm {
    /// The condition in SQL on rows of `cube`. Its first half is that of the index `cube_activation`.
    package var condition: String {
        let key = "substr(cube.activation, 1, \(Payload.adapterKey.count))"
        return switch self {
        case .text: "cube.activation IS NULL"
        case .kv: "cube.activation IS NOT NULL AND \(key) <> '\(Payload.adapterKey)'"
        case .adapter: "cube.activation IS NOT NULL AND \(key) = '\(Payload.adapterKey)'"
        }
    }
}

/// The conditions on cubes that ``CubeStore/list(_:by:)`` returns.
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
    /// Only memories that held then: nothing later, and nothing that had ceased to hold.
    public var at: Date?
    /// As it was recorded then.
    public var asOf: Date?
    /// Cubes after this one.
    public var after: CubeID?
    /// At most this many.
    public var limit: Int
    /// Order by first recording.
    public var newestFirst: Bool
    /// Cubes recorded after the last one that some work has reached, see
    /// ``CubeStore/setProgress(_:of:owner:)``.
    public var afterProgress: String?
    /// What it is kept as.
    public var form: MemoryForm?

    /// All of an owner's cubes.
    public init(owner: Owner, limit: Int = 100) {
        self.owner = owner
        self.limit = limit
        newestFirst = false
    }

    /// Tells whether a cube of the owner fits, but for the page.
    package func fits(_ cube: MemCube) -> Bool {
        (agent == nil || cube.scope.agent == agent)
            && (session == nil || cube.scope.session == session)
            && (type == nil || cube.type == type)
            && (tag.map(cube.tags.contains) ?? true) && (state == nil || cube.state == state)
            && (tier == nil || cube.tier ?? .shortTerm == tier)
            && (from.map { cube.eventTime >= $0 } ?? true)
            && (before.map { cube.eventTime < $0 } ?? true)
            && (form == nil || cube.form == form)
            && (at.map { cube.eventTime <= $0 && cube.validUntil ?? .distantFuture > $0 } ?? true)
    }
}
