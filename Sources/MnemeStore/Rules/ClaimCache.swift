/// A cache of the claims that one request has read, by what they are about.
///
/// A text of many parts adds hundreds of cubes that claim something of the same few things. Each
/// of them is settled when it is added, as its parts come in order; the claims that it is compared
/// with are read once for the request, and kept up here as cubes are added.
///
/// Invariant: each list is what `read` would return now. Whoever changes a cube behind the cache's
/// back calls ``forget(_:claiming:)``.
package struct ClaimCache {
    /// Reads the latest ``ClaimRules/compared`` cubes in use that claim something of a thing, the
    /// earliest first.
    package typealias Reader = (_ key: String) throws -> [Claimant]

    /// A cube whose end is not written yet.
    package struct StaleValidity {
        /// The cube.
        package var holder: ClaimHolder
        /// The cube that ends it; nil if it holds again.
        package var successor: ClaimHolder?
    }

    private var claimants: [String: [Claimant]] = [:]
    /// One value a cube, whichever claim it was read by.
    private var holders: [CubeID: ClaimHolder] = [:]
    /// The cube that was added and not looked at yet: it may have happened before all claims that
    /// are compared, and be in none of the lists.
    private var added: ClaimHolder?

    /// An empty cache.
    package init() {}

    /// Takes in a cube that was just added to the store, the last of all.
    package mutating func insert(_ cube: MemCube) {
        guard cube.state.isRecallable else { return }
        let holder = ClaimHolder(cube)
        holders[cube.id] = holder
        added = holder
        for (key, claim) in holder.claims {
            // What was not read yet will be read with this cube.
            guard let known = claimants[key] else { continue }
            let place = known.lastIndex { $0.holder.seconds <= holder.seconds }.map { $0 + 1 } ?? 0
            claimants[key]!.insert(Claimant(holder, claim), at: place)
            if known.count == ClaimRules.compared { claimants[key]!.removeFirst() }
        }
    }

    /// The event time of the latest cube in use that claims something of `key`, in seconds since 1970;
    /// nil if there is none.
    package mutating func latest(of key: String, read: Reader) throws -> Double? {
        try claimants(key, read).last?.holder.seconds
    }

    /// Drops what is known of a cube that was changed, and of what it claims.
    ///
    /// - Parameter keys: what it claims something of, before or after the change.
    package mutating func forget(_ id: CubeID, claiming keys: some Sequence<String>) {
        for key in holders.removeValue(forKey: id)?.claims.keys.map(\.self) ?? [] {
            claimants[key] = nil
        }
        if added?.id == id { added = nil }
        for key in keys { claimants[key] = nil }
    }

    /// Cubes whose end is another than they say, among all that claim something of `keys`.
    ///
    /// The result depends on what the cubes say and on when that was, not on the order in which
    /// they came.
    ///
    /// - Parameters:
    ///   - reaches: whether the request may change a cube.
    ///   - read: called once for each key that the cache does not know.
    /// - Complexity: for each of `keys`, the claims of at most ``ClaimRules/compared`` cubes.
    package mutating func staleValidities(
        _ keys: Set<String>, reaches: (ClaimHolder) -> Bool, read: Reader
    ) throws -> [StaleValidity] {
        var found: [StaleValidity] = []
        var seen: Set<ObjectIdentifier> = []
        func look(at holder: ClaimHolder) throws {
            guard seen.insert(ObjectIdentifier(holder)).inserted, reaches(holder), !holder.isFrozen
            else { return }
            let (successor, isFirst) = try successor(of: holder, read)
            // An end that was found among fewer claims is the right one.
            if successor != nil, !isFirst, holder.former != nil { return }
            if !ClaimRules.isUpToDate(holder, by: successor) {
                found.append(StaleValidity(holder: holder, successor: successor))
            }
        }
        for key in keys.sorted() {
            for claimant in try claimants(key, read) { try look(at: claimant.holder) }
        }
        if let holder = added {
            added = nil
            try look(at: holder)
        }
        return found
    }

    private mutating func claimants(_ key: String, _ read: Reader) throws -> [Claimant] {
        if let known = claimants[key] { return known }
        let found = try read(key).map { claimant in
            let holder = holders[claimant.holder.id] ?? claimant.holder
            holders[holder.id] = holder
            return Claimant(holder, claimant.claim)
        }
        claimants[key] = found
        return found
    }

    /// The cube that ends another as a whole, nil if it holds; and whether nobody can have done so
    /// before. One claim that holds decides: what is read already is asked first.
    private mutating func successor(of holder: ClaimHolder, _ read: Reader) throws -> (
        holder: ClaimHolder?, isFirst: Bool
    ) {
        var successors: [ClaimHolder] = []
        var isFirst = true
        var unread: [Claim] = []
        for (key, claim) in holder.claims {
            guard let known = claimants[key] else {
                unread.append(claim)
                continue
            }
            guard let end = ClaimRules.successor(of: claim, by: holder, among: known) else {
                return (nil, true)
            }
            successors.append(end.holder)
            isFirst = isFirst && end.isFirst
        }
        for claim in unread {
            let known = try claimants(claim.key, read)
            guard let end = ClaimRules.successor(of: claim, by: holder, among: known) else {
                return (nil, true)
            }
            successors.append(end.holder)
            isFirst = isFirst && end.isFirst
        }
        return (ClaimRules.last(of: successors), isFirst)
    }
}
