public import Foundation
public import MnemeCube

/// The fifth stage: says from time to time what becomes of the memories that are there. The job
/// `maintain` runs it.
///
/// Each run sees memories of one owner, agent and label, so that nothing that is derived reaches
/// more people than what it was made of. It may run again at any time: what was done already is not
/// asked for again.
public protocol MemoryMaintainer: Sendable {
    /// The work in a few words.
    var summary: String { get }
    /// Changes to make, in order.
    ///
    /// - Parameters:
    ///   - memories: all that are in use, the oldest first; also those it has derived.
    ///   - context: the time, dense neighbours, and a language model if one is configured.
    /// - Throws: what the oracle throws, and `CancellationError`.
    func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
        -> [MemoryOperation]
}

/// The context of a ``MemoryMaintainer``, besides the memories.
public struct MaintenanceContext: Sendable {
    /// The time that counts as now.
    public var now: Date
    /// The language model that is configured, if there is one.
    public var oracle: (any Oracle)?
    /// Finds the memories nearest to one by dense similarity, see ``neighbours(of:limit:)``.
    private let nearest: @Sendable (CubeID, Int) async throws -> [Neighbour]

    /// A context; `nearest` gives the nearest memories, the nearest first.
    public init(
        now: Date, oracle: (any Oracle)? = nil,
        nearest: @escaping @Sendable (CubeID, Int) async throws -> [Neighbour]
    ) {
        (self.now, self.oracle, self.nearest) = (now, oracle, nearest)
    }

    /// The nearest memories by cosine of their vectors, the nearest first; none while a memory has
    /// no vector.
    public func neighbours(of id: CubeID, limit: Int) async throws -> [Neighbour] {
        try await nearest(id, limit)
    }

    /// An operation that records a memory made of others: erased with any of them.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - type: its kind.
    ///   - sources: what it was made of, at least one; the latest gives its time and session.
    ///   - tag: a word to find it by, see ``ProbeFilter``.
    public func derive(_ text: String, type: MemoryType, from sources: [MemCube], tag: String)
        -> MemoryOperation?
    {
        guard let last = sources.max(by: { $0.eventTime < $1.eventTime }) else { return nil }
        var cube = MemCube(
            scope: last.scope, type: type, text: text, eventTime: last.eventTime,
            recordedTime: now, provenance: Provenance(source: Provenance.recipe))
        cube.tags = [tag]
        let links = sources.map {
            CubeLink(source: cube.id, target: $0.id, kind: CubeLink.derivedFrom, time: now)
        }
        return .add(cube, links: links)
    }
}
