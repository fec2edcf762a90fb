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
    /// Reads blocks into memory, the first layers of all of them before the next ones, so that
    /// computing can begin with those.
    ///
    /// What is told to have come is not checked yet: if fewer blocks turn out to be sound, what was
    /// computed with them is to be thrown away.
    ///
    /// - Returns: the number of blocks, from the first on, that are there and sound.
    func read(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int
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

extension KVTier {
    /// Reads one block after the other, whole: for tiers that cannot read parts of them.
    public func read(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int { readWhole(blocks, by: parts) }

    func readWhole(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int {
        for (i, block) in blocks.enumerated() {
            guard (try? read(block.request, into: block.memory)) != nil else { return i }
        }
        if let last = parts.layers.last { parts.arrived(last.upperBound) }
        return blocks.count
    }
}

/// A block that is asked for, and the memory that it goes to.
public struct KVBlockPlace: @unchecked Sendable {
    // Sendable: whoever reads writes the memory alone until all has come.
    /// What is asked for.
    public var request: KVBlockRequest
    /// Room for it, as its shape says; stays valid while it is read.
    public var memory: UnsafeMutableRawPointer

    /// Asks for a block to be put there.
    public init(_ request: KVBlockRequest, _ memory: UnsafeMutableRawPointer) {
        (self.request, self.memory) = (request, memory)
    }
}

/// The parts that layers come in, one after the other, and who is told of each.
public struct KVLayerParts: Sendable {
    /// Layers, in order, all of them together.
    public let layers: [Range<Int>]
    /// Called when the first so many layers of all blocks are in memory.
    public let arrived: @Sendable (Int) -> Void

    /// About `count` equal parts of a model's layers.
    public init(_ count: Int, of layers: Int, arrived: @escaping @Sendable (Int) -> Void = { _ in }) {
        let size = max(1, (layers + count - 1) / max(1, count))
        self.layers = stride(from: 0, to: layers, by: size).map { $0..<min($0 + size, layers) }
        self.arrived = arrived
    }
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
