import Foundation

/// Validity of memories, where several claim something of the same.
extension CommitPlanner {
    /// Writes down what a cube claims, in place of what it claimed before.
    ///
    /// - Returns: all that it claims something of, now or before.
    func saveClaims(_ cube: MemCube) throws -> Set<String> {
        let old = try rows.claimedKeys(of: cube.id)
        let keys = old.union(cube.claims.map(\.key))
        if !keys.isEmpty { try rows.replaceClaims(of: cube) }
        return keys
    }

    /// Puts what a new cube claims at the request's time behind what was claimed of the same before,
    /// see ``ClaimRules/eventTime(_:after:)``.
    func orderClaims(of cube: inout MemCube) throws {
        guard cube.eventTime == caller.time else { return }
        let latest = try cube.claims.compactMap { try claims.latest(of: $0.key, read: rows.claimants) }
        let seconds = cube.eventTime.timeIntervalSince1970
        let ordered = ClaimRules.eventTime(seconds, after: latest.max())
        if ordered != seconds { cube.eventTime = Date(timeIntervalSince1970: ordered) }
    }

    /// Writes down what a cube that was just inserted claims, and who ends whom since.
    ///
    /// - Returns: the cube as it is then.
    func updateValidityOfNew(_ cube: MemCube) throws -> MemCube {
        guard !cube.claims.isEmpty else { return cube }
        let keys = try saveClaims(cube)
        claims.insert(cube)
        return try updateValidity(keys)[cube.id] ?? cube
    }

    /// Works out anew which of the cubes that claim something of `keys` hold, and since when others
    /// do not.
    ///
    /// - Returns: the cubes that were changed.
    /// - Complexity: one reading of claimants for each thing that the request has not read yet, and
    ///   a few rows for each cube that is changed; see ``ClaimCache``.
    @discardableResult
    func updateValidity(_ keys: Set<String>) throws -> [CubeID: MemCube] {
        let staleValidities = try claims.staleValidities(keys, reaches: reaches, read: rows.claimants)
        var changed: [CubeID: MemCube] = [:]
        for found in staleValidities {
            guard let cube = try rows.cube(found.holder.id) else { continue }
            let validityChange = ClaimRules.validityChange(
                of: cube, former: found.holder.former, successor: found.successor, at: caller.time)
            if let link = validityChange.removed {
                _ = try rows.remove(link)
                try record(.unlink, link)
            }
            changed[cube.id] = try write(validityChange.change)
            if let link = validityChange.added {
                try rows.insert(link)
                try record(.link, link)
            }
            found.holder.recordEnd(by: found.successor)
        }
        return changed
    }
}
