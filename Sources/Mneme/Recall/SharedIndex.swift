import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers

/// An owner's index that many questions read at once. Before each use it catches up with the store,
/// so that other processes' writes are seen, too.
final class SharedIndex: @unchecked Sendable {
    // Sendable: `index` is read and changed behind `lock`.
    private var index: OwnerIndex
    /// Makes an empty index, for a store that went back.
    private let makeEmpty: @Sendable () throws -> OwnerIndex
    /// Guards `index`: many questions read at once, a change waits for them.
    private let lock = ReadWriteLock()
    /// The position up to which nothing is left to apply; nil before the first use. Moved on by who
    /// holds `lock` to write, and by who finds that nothing of the owner's has changed.
    private let reached = NIOLockedValueBox<FeedPosition?>(nil)
    /// When somebody asked it last, or wrote with its help.
    private let used = NIOLockedValueBox(ContinuousClock.now)

    /// Removes files from before an erasure.
    private let removeErased: @Sendable () -> Void

    /// Shares an index, which is loaded at its first use.
    ///
    /// - Parameters:
    ///   - makeEmpty: makes it, and once more where the store's journal went back.
    ///   - removeErased: removes files from before an erasure. It is done by the time that anybody is
    ///     answered from an index that knows of the erasure.
    init(
        _ makeEmpty: @escaping @Sendable () throws -> OwnerIndex, removeErased: @escaping @Sendable () -> Void
    ) throws {
        index = try makeEmpty()
        self.makeEmpty = makeEmpty
        self.removeErased = removeErased
    }

    /// When somebody asked it last, or wrote with its help.
    var lastUse: ContinuousClock.Instant { used.withLockedValue(\.self) }

    /// Notes a use.
    func use() { used.withLockedValue { $0 = .now } }

    /// Reads the index as it stands.
    func read<R>(_ body: (OwnerIndex) throws -> R) rethrows -> R {
        try lock.read { try body(index) }
    }

    /// What came of taking in what has happened.
    struct CaughtUp {
        /// Analyses that were made again, see ``OwnerIndex/apply(_:from:)``.
        var rebuilt: [(CubeID, [UInt8])] = []
        /// True if files are missing or may be: memories were erased, or the index was made from the
        /// store.
        var isUnsaved = false
    }

    /// Takes in what has happened.
    ///
    /// - Complexity: one question to the store; readers are kept out only where there is something
    ///   to apply.
    func catchUp(_ source: OwnerIndex.Source) throws -> CaughtUp {
        guard let since = reached.withLockedValue(\.self) else {
            return try lock.write {
                // Of several first ones, one loads.
                if let since = reached.withLockedValue(\.self) {
                    return try apply(source.changes(since: since), source)
                }
                let rebuilt = try index.load(source)
                // Files may be older than an erasure, those of other embedders among them.
                removeErased()
                reached.withLockedValue { $0 = index.reached }
                return CaughtUp(rebuilt: rebuilt, isUnsaved: true)
            }
        }
        let changes = try source.changes(since: since)
        if changes.isEmpty {
            reached.withLockedValue { if $0 == since { $0 = changes.reached } }
            return CaughtUp()
        }
        return try lock.write {
            // Somebody else may have applied them meanwhile.
            let present = reached.withLockedValue { $0! }
            return try apply(present == since ? changes : source.changes(since: present), source)
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
            guard reached.withLockedValue(\.self) != nil else { return false }
            // One look at the store for both: while others write, two would come to different ends.
            let changes = try source.changes(
                since: FeedPosition(
                    filed.position, vectors: index.reached.vectors, mark: filed.reached.mark))
            guard !changes.isReset else { return false }
            _ = try apply(changes, source)
            guard try filed.catchUpTables(changes, with: index, from: source) else { return false }
            index = filed
            reached.withLockedValue { $0 = index.reached }
            return true
        }
    }

    /// Puts the vectors of a file in place of those in memory, with what has come since.
    ///
    /// Questions wait only for what has come while it was opened.
    ///
    /// - Parameters:
    ///   - file: that another process has written of the same owner's vectors, or this one.
    ///   - saved: the position that it has reached.
    /// - Returns: whether it was done.
    /// - Throws: `IndexError`, `StoreError`; the index is as it was.
    func adoptVectors(of file: String, at saved: Int64, _ source: OwnerIndex.Source) throws -> Bool {
        guard let since = reached.withLockedValue(\.self), saved <= since.vectors else { return false }
        let opened = try lock.read { try index.openVectors(file) }
        // What the index had by then and the file has not.
        let older = try source.changes(
            since: FeedPosition(since.journal, vectors: saved, mark: since.mark))
        guard !older.isReset else { return false }
        try opened.apply(lock.read { index.vectorChanges(older) })
        return try lock.write {
            guard let present = reached.withLockedValue(\.self) else { return false }
            // And what has come since, to both.
            let newer = try source.changes(
                since: FeedPosition(present.journal, vectors: since.vectors, mark: present.mark))
            guard !newer.isReset else { return false }
            _ = try apply(newer, source)
            try opened.apply(index.vectorChanges(newer))
            try index.adopt(opened, filed: saved)
            return true
        }
    }

    /// Applies changes; `lock` is held to write. Where the journal went back, the index begins anew.
    private func apply(_ changes: IndexChanges, _ source: OwnerIndex.Source) throws -> CaughtUp {
        if changes.isReset {
            // Whoever comes next loads, should this fail.
            reached.withLockedValue { $0 = nil }
            index = try makeEmpty()
        }
        let rebuilt = try index.apply(changes, from: source)
        let hasErased = changes.isReset || !changes.erased.isEmpty
        if hasErased { removeErased() }
        reached.withLockedValue { $0 = changes.reached }
        return CaughtUp(rebuilt: rebuilt, isUnsaved: hasErased)
    }
}
