/// Where an index stands in a store's journal and among its vectors: what it has taken in.
///
/// A journal can go back: a standby that takes over without the last commits, or a backup that was put
/// in place of the store. Other changes get the same positions then. So a position carries a mark of
/// the entry that stood there; a store whose journal has another one says that the index is to begin
/// anew (``IndexChanges/isReset``).
public struct FeedPosition: Sendable, Equatable {
    /// The position in the journal; 0 before the first change.
    public var journal: Int64
    /// The same for vectors, which are counted by themselves; `Int64.max` wants none.
    public var vectors: Int64
    /// What ``IndexFeed/journalMark(at:owner:)`` says of the entry there; nil is not compared.
    public var mark: String?

    /// A position.
    public init(_ journal: Int64, vectors: Int64 = 0, mark: String? = nil) {
        (self.journal, self.vectors, self.mark) = (journal, vectors, mark)
    }

    /// Before all changes.
    public static let start = FeedPosition(0)

    /// Where a store begins that was asked for the changes since this position.
    ///
    /// - Parameters:
    ///   - mark: that of the store's entry at ``journal``; nil if there is none.
    ///   - counted: the last vector's position in the store.
    /// - Returns: this position; the start if it is of another history than the store's.
    package func found(_ mark: String?, vectors counted: Int64) -> (since: FeedPosition, isReset: Bool) {
        let isKnown = self.mark == nil || self.mark == mark
        guard isKnown, vectors == .max || vectors <= counted else {
            return (FeedPosition(0, vectors: vectors == .max ? .max : 0), true)
        }
        return (self, false)
    }
}
