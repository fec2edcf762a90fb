/// A place beyond memory where blocks are kept by their names: a folder of this machine (the local
/// tier), a server that several machines share (the remote tier).
///
/// Every block is checked before it is handed out: one that is damaged, cut off or another's is
/// refused with an error, and computed again. A tier may forget blocks at any time, except that it
/// must not keep what it was told to erase.
public protocol KVTier: Sendable {
    /// The number of these blocks that are there, from the first on without a gap.
    func count(of hashes: [KVHash]) -> Int
    /// Reads a block into memory, if it is sound and is what is asked for.
    ///
    /// - Throws: ``KVError``. The memory may have been written in part then.
    func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws
    /// Writes a block whole or not at all; one that is there may be left as it is.
    ///
    /// - Throws: ``KVError``.
    func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws
    /// Forgets one block; one that is not there is forgotten already.
    ///
    /// - Throws: ``KVError`` if it may be left.
    func remove(_ hash: KVHash) throws
    /// Forgets all blocks that were made with one of these memories in the text.
    ///
    /// - Throws: ``KVError`` if some may be left.
    func erase(sources: Set<String>) throws
}

/// The block that is asked for: its model, its tokens, the block before it, and the layout that it
/// must have. A file that differs in any of them is refused.
public struct KVBlockRequest: Sendable {
    /// The model, see ``KVHash/model(_:_:codec:)``, and the block before.
    public var model: KVHash, parent: KVHash
    /// The codec that encoded it.
    public var codec: KVCodec
    /// Its tokens.
    public var tokens: [Int32]
    /// The layout in memory that its rows go to.
    public var shape: KVShape

    /// A request for the block with these tokens behind `parent`.
    public init(model: KVHash, parent: KVHash, codec: KVCodec, tokens: [Int32], shape: KVShape) {
        self.model = model
        self.parent = parent
        self.codec = codec
        self.tokens = tokens
        self.shape = shape
    }

    /// Its name.
    public var hash: KVHash { parent.next(tokens) }
}
