public import Foundation

/// A cube that claims something: what settling needs of it. Whole cubes are read only where one has
/// to be changed, as a header costs as much as a hundred of these.
///
/// A class, so that each claim of a cube leads to the one value; it stays within a transaction.
public final class ClaimHolder {
    /// The cube.
    public let id: CubeID
    /// The event time, in seconds since 1970 as the store keeps them: claims are ordered by this
    /// and, where it is equal, by the order in which they were added.
    public let seconds: Double
    /// The label: who may see it.
    public let sensitivity: Sensitivity
    /// The agent that it belongs to.
    public let agent: String?
    /// Frozen cubes are compared with others, but never changed.
    public let isFrozen: Bool
    /// Its claims, by what they are about.
    public let claims: [String: Claim]
    /// Since when it does not hold; nil while it does.
    public private(set) var validUntil: Date?
    /// The cubes that ended it, by their edges: one, unless somebody made another.
    private var formers: Set<CubeID>

    /// A holder with the columns of its cube.
    public init(
        id: CubeID, seconds: Double, validUntil: Date?, sensitivity: Sensitivity, agent: String?,
        isFrozen: Bool, claims: [Claim], formers: Set<CubeID>
    ) {
        self.id = id
        self.seconds = seconds
        self.validUntil = validUntil
        self.sensitivity = sensitivity
        self.agent = agent
        self.isFrozen = isFrozen
        // Of several claims about one thing the store keeps the last.
        self.claims = Dictionary(claims.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        self.formers = formers
    }

    /// A cube that no other has ended.
    public convenience init(_ cube: MemCube) {
        self.init(
            id: cube.id, seconds: cube.eventTime.timeIntervalSince1970, validUntil: cube.validUntil,
            sensitivity: cube.sensitivity, agent: cube.scope.agent,
            isFrozen: cube.state == .frozen, claims: cube.claims, formers: [])
    }

    /// Notes what was written of its end.
    package func recordEnd(by successor: ClaimHolder?) {
        if let former { formers.remove(former) }
        if let successor { formers.insert(successor.id) }
        validUntil = successor?.eventTime
    }

    /// The cube that ended it, by its edge.
    package var former: CubeID? { formers.min() }

    /// The event time, to the bit as a cube has it that was read from the store.
    public var eventTime: Date { Date(timeIntervalSince1970: seconds) }
}

/// A cube in use, and its claim about one thing.
public struct Claimant {
    /// The cube.
    public var holder: ClaimHolder
    /// The claim.
    public var claim: Claim

    /// A cube and its claim.
    public init(_ holder: ClaimHolder, _ claim: Claim) {
        self.holder = holder
        self.claim = claim
    }
}

/// Rules for which memory holds, where several claim something of the same thing.
///
/// A claim is ended by the next later claim about the same thing that says otherwise; a cube is
/// ended when all of its claims are. The result follows from event times, so that it is the same in
/// whatever order memories come.
public enum ClaimRules {
    /// Claims of one thing that are compared: the latest.
    public static let compared = 64

    /// Seconds by which the clocks of two servers of a store may differ: each agrees with the store's
    /// to half of that.
    static let clockDifference = 2.0

    /// The event time of a claim that is made at the moment of its request.
    ///
    /// A request that comes after another's answer may have an earlier time, from another server's
    /// clock. What it claims holds all the same: it gets the time of the other, behind which it is
    /// added. What happened later than clocks can differ by was said so, and stays later.
    ///
    /// - Parameters:
    ///   - seconds: the request's, since 1970.
    ///   - latest: that of the latest claim about the same; nil if there is none.
    static func eventTime(_ seconds: Double, after latest: Double?) -> Double {
        guard let latest, latest <= seconds + clockDifference else { return seconds }
        return max(seconds, latest)
    }

    /// The cube that ends a claim: the next one that says otherwise, and that all see who see the
    /// cube.
    ///
    /// - Parameters:
    ///   - claim: the claim of `holder`.
    ///   - claimants: the latest cubes in use that claim something of the same, the earliest first.
    /// - Returns: nil if the claim holds. A cube that came before all of `claimants`, as there are
    ///   too many, is ended by the first of them that says otherwise, though others may have done
    ///   so before: `isFirst` is false then.
    package static func successor(of claim: Claim, by holder: ClaimHolder, among claimants: [Claimant])
        -> (holder: ClaimHolder, isFirst: Bool)?
    {
        let place = claimants.firstIndex { $0.holder === holder }
        guard place != nil || claimants.count >= compared else { return nil }
        return claimants[(place.map { $0 + 1 } ?? 0)...].first { later in
            later.claim.ends(claim) && later.holder.sensitivity <= holder.sensitivity
                && (later.holder.agent == nil || later.holder.agent == holder.agent)
        }.map { ($0.holder, place != nil) }
    }

    /// The cube that ends a memory as a whole: it holds as long as one of its claims does.
    ///
    /// - Parameter successors: for each of its claims, who ends it.
    package static func last(of successors: [ClaimHolder]) -> ClaimHolder? {
        successors.max { ($0.eventTime, $0.id) < ($1.eventTime, $1.id) }
    }

    /// The rows that a cube's end changes.
    package struct ValidityChange: Sendable, Equatable {
        /// The edge from who ended it before.
        package var removed: CubeLink?
        /// The cube's next version.
        package var change: CubeChange
        /// The edge from who ends it.
        package var added: CubeLink?
    }

    /// Tells whether a cube says already who ends it, and since when.
    ///
    /// - Parameter successor: who ends it; nil if it holds.
    package static func isUpToDate(_ holder: ClaimHolder, by successor: ClaimHolder?) -> Bool {
        // What somebody said to be outdated stays so.
        if holder.former == nil, holder.validUntil != nil, successor == nil { return true }
        return holder.former == successor?.id && holder.validUntil == successor?.eventTime
    }

    /// Writes out the end of a cube that does not say yet who ends it.
    ///
    /// - Parameters:
    ///   - cube: the whole cube of a holder that is not settled.
    ///   - former: who ended it before, by its edge.
    ///   - successor: who ends it; nil if it holds.
    package static func validityChange(
        of cube: MemCube, former: CubeID?, successor: ClaimHolder?, at time: Date
    ) -> ValidityChange {
        func edge(from source: CubeID) -> CubeLink {
            CubeLink(source: source, target: cube.id, kind: CubeLink.supersedes, time: time)
        }
        return ValidityChange(
            removed: former.map(edge),
            change: LifecycleRules.validity(
                of: cube, until: successor?.eventTime,
                as: successor == nil ? .reinstate : .supersede, at: time),
            added: (successor?.id).map(edge))
    }
}
