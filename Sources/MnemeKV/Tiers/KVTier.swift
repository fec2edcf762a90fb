/// A place beyond memory where blocks are kept by their names: a folder of this machine, a server
/// that several machines share.
///
/// What it hands out was checked: a block that is damaged, cut off or another's is refused with an
/// error, and computed again.
public protocol KVTier: Sendable {
    /// How many of these blocks are there, from the first on without a gap.
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

/// What a block must be to be used.
public struct KVBlockRequest: Sendable {
    /// The model, see ``KVHash/model(_:_:codec:)``, and the block before.
    public var model: KVHash, parent: KVHash
    /// How it is kept.
    public var codec: KVCodec
    /// Its tokens.
    public var tokens: [Int32]
    /// How it lies in memory.
    public var shape: KVShape

    /// All values.
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
