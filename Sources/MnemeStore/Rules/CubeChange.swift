package import Foundation

/// The next version of a cube, and what the journal calls the change: what a rule decides and a
/// backend writes, both in one transaction.
///
/// Invariant: the version is one more than that of the cube which the rule saw, so that a change in
/// between is noticed.
package struct CubeChange: Sendable, Equatable {
    /// The change's name in the journal.
    package var operation: JournalEntry.Operation
    /// The cube after the change.
    package var cube: MemCube

    /// The next version of a cube with something of it changed.
    package init(
        _ operation: JournalEntry.Operation, of cube: MemCube, at time: Date,
        _ body: (inout MemCube) -> Void
    ) {
        var next = cube
        body(&next)
        next.version = cube.version + 1
        next.updatedTime = time
        self.operation = operation
        self.cube = next
    }
}
