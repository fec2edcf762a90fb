import MnemeCube

/// Claims of one thing, as SQL.
package enum ClaimQuery {
    /// The latest cubes in use that claim something, the last one first; arguments: owner, key.
    ///
    /// `CROSS JOIN` has claims looked up first. Else SQLite goes through the owner's cubes in the order
    /// of their times and asks of each whether it claims this: all of them, where few do.
    package static let claimants = """
        SELECT cube.seq, cube.id, cube.event_time, cube.valid_until, cube.sensitivity, cube.agent, cube.state,
            claim.subject, claim.attribute, claim.value, claim.denied
        FROM claim CROSS JOIN cube ON cube.seq = claim.cube AND cube.owner = claim.owner
        WHERE claim.owner = ? AND claim.key = ? AND cube.state IN (\(states))
        ORDER BY cube.event_time DESC, cube.seq DESC LIMIT \(ClaimRules.compared)
        """

    /// States of cubes in use.
    private static let states = LifecycleState.allCases.filter(\.isRecallable)
        .map { "'\($0.rawValue)'" }.joined(separator: ", ")
}
