/// Figures of a cache.
public struct KVStatistics: Sendable, Equatable {
    /// Bytes of blocks in memory, of those that nobody reads now, and the most there may be.
    public var bytes = 0, idleBytes = 0, limit = 0
    /// Bytes that the system has given for them: less where blocks are not full.
    public var residentBytes = 0
    /// Tokens that requests asked for, and those found in memory and on disk.
    public var tokens = 0, tokensFromMemory = 0, tokensFromDisk = 0
    /// Blocks evicted, written to disk, read from disk, and refused because their files were
    /// damaged or foreign.
    public var evicted = 0, written = 0, read = 0, refused = 0
    /// Blocks that could not be written.
    public var unwritten = 0
    /// Of the remote tier: tokens found there, blocks received from it, sent to it, and those that
    /// could not be sent.
    public var tokensFromRemote = 0, received = 0, sent = 0, unsent = 0

    /// Figures that are all zero.
    public init() {}
}
