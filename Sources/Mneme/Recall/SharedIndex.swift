import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers

/// An owner's index that many questions read at once. Before each use it catches up with the store,
/// so that other processes' writes are seen, too.
final class SharedIndex: @unchecked Sendable {
    // Sendable: `index` is read and changed behind `lock`.
    private var index: OwnerIndex
    /// Guards `index`: many questions read at once, a change waits for them.
    private let lock = ReadWriteLock()
    /// Positions of the journal and of vectors up to which nothing is left to apply; nil before the
    /// first use. Moved on by who holds `lock` to write, and by who finds that nothing of the
    /// owner's has changed.
    private let reached = NIOLockedValueBox<SyncPosition?>(nil)

    /// Positions of the journal and of vectors.
    private struct SyncPosition: Equatable {
        var position: Int64, vectorPosition: Int64
        /// The positions after some changes.
        init(_ changes: IndexChanges) {
            (position, vectorPosition) = (changes.position, changes.vectorPosition)
        }
        /// The positions that an index has reached.
        init(_ index: OwnerIndex) {
            (position, vectorPosition) = (index.position, index.vectorPosition)
        }
        /// The changes since these positions.
        func changes(_ source: OwnerIndex.Source) throws -> IndexChanges {
            try source.changes(since: position, vectorsSince: vectorPosition)
        }
    }

    /// Shares an index, which may be empty: it is loaded at its first use.
    init(_ index: OwnerIndex) { self.index = index }

    /// Reads the index as it stands.
    func read<R>(_ body: (OwnerIndex) throws -> R) rethrows -> R {
        try lock.read { try body(index) }
    }

    /// Takes in what has happened.
    ///
    /// - Returns: analyses that were made again, see ``OwnerIndex/apply(_:from:)``.
    /// - Complexity: one question to the store; readers are kept out only where there is something
    ///   to apply.
    func catchUp(_ source: OwnerIndex.Source) throws -> [(CubeID, [UInt8])] {
        guard let since = reached.withLockedValue(\.self) else {
            return try lock.write {
                // Of several first ones, one loads.
                if let since = reached.withLockedValue(\.self) {
                    return try apply(since.changes(source), source)
                }
                let rebuilt = try index.load(source)
                reached.withLockedValue { $0 = SyncPosition(index) }
                return rebuilt
            }
        }
        let changes = try since.changes(source)
        if changes.isEmpty {
            reached.withLockedValue { if $0 == since { $0 = SyncPosition(changes) } }
            return []
        }
        return try lock.write {
            // Somebody else may have applied them meanwhile.
            let present = reached.withLockedValue { $0! }
            return try apply(present == since ? changes : present.changes(source), source)
        }
    }

    /// Puts tables in place of those in memory that a file holds now, with what has happened since.
    ///
    /// Vectors stay: they are numbered as documents are, so that it is not done unless every document
    /// has its number, as where one was erased that the file does not know.
    ///
    /// - Parameter filed: read from the file; it is used up.
    /// - Returns: whether it was done.
    func renew(from filed: inout OwnerIndex, _ source: OwnerIndex.Source) throws -> Bool {
        try lock.write {
            guard let since = reached.withLockedValue(\.self) else { return false }
            _ = try apply(since.changes(source), source)
            guard try filed.catchUpTables(with: index, from: source) else { return false }
            index = filed
            reached.withLockedValue { $0 = SyncPosition(index) }
            return true
        }
    }

    /// Applies changes; `lock` is held to write.
    private func apply(_ changes: IndexChanges, _ source: OwnerIndex.Source) throws -> [(
        CubeID, [UInt8]
    )] {
        let rebuilt = try index.apply(changes, from: source)
        reached.withLockedValue { $0 = SyncPosition(changes) }
        return rebuilt
    }
}
