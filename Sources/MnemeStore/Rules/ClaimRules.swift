package import Foundation

/// A cube in use, and what it claims of one thing.
package struct Claimant: Sendable {
    /// The cube.
    package var cube: MemCube
    /// What it claims.
    package var claim: Claim

    /// A cube and its claim.
    package init(_ cube: MemCube, _ claim: Claim) {
        self.cube = cube
        self.claim = claim
    }
}

/// Rules for which memory holds, where several claim something of the same thing.
package enum ClaimRules {
    /// Claims of one thing that are compared: the latest.
    package static let compared = 64

    /// The cube that ends what `cube` claims of one thing: the next one that says otherwise, and
    /// that all see who see the cube.
    ///
    /// - Parameter claimants: cubes in use that claim something of the thing, the earliest first.
    package static func successor(of cube: MemCube, among claimants: [Claimant]) -> MemCube? {
        guard let place = claimants.firstIndex(where: { $0.cube.id == cube.id }) else { return nil }
        return claimants[(place + 1)...].first { later in
            later.claim.ends(claimants[place].claim) && later.cube.sensitivity <= cube.sensitivity
                && (later.cube.scope.agent == nil || later.cube.scope.agent == cube.scope.agent)
        }?.cube
    }

    /// The cube that ends a memory as a whole: it holds as long as one of its claims does.
    ///
    /// - Parameter successors: for each thing that it claims something of, who ends that.
    package static func successor(of successors: [MemCube?]) -> MemCube? {
        let known = successors.compactMap(\.self)
        guard known.count == successors.count else { return nil }
        return known.max { ($0.eventTime, $0.id) < ($1.eventTime, $1.id) }
    }

    /// What is written when it is known who ends a cube.
    package struct Settlement: Sendable, Equatable {
        /// The edge from who ended it before.
        package var removed: CubeLink?
        /// The cube's next version.
        package var change: CubeChange
        /// The edge from who ends it.
        package var added: CubeLink?
    }

    /// What has to be written for a cube; nil if it says so already.
    ///
    /// - Parameters:
    ///   - former: who ended it before, by its edge.
    ///   - successor: who ends it; nil if it holds.
    package static func settlement(
        of cube: MemCube, former: CubeID?, successor: MemCube?, at time: Date
    ) -> Settlement? {
        // What somebody said to be outdated stays so.
        guard former != nil || cube.validUntil == nil || successor != nil else { return nil }
        guard former != successor?.id || cube.validUntil != successor?.eventTime else { return nil }
        func edge(from source: CubeID) -> CubeLink {
            CubeLink(source: source, target: cube.id, kind: CubeLink.supersedes, time: time)
        }
        return Settlement(
            removed: former.map(edge),
            change: LifecycleRules.validity(
                of: cube, until: successor?.eventTime,
                as: successor == nil ? .reinstate : .supersede, at: time),
            added: (successor?.id).map(edge))
    }
}
