package import MnemeModels
import NIOConcurrencyHelpers

/// Sequences that keep a part of their rows, in the arena's memory: counted, given and taken back
/// as blocks of ordinary ones are.
extension KVCache {
    /// An empty sequence, with memory for what it will take of one of `rows` rows.
    ///
    /// - Parameters:
    ///   - most: rows that a head may have at any time.
    ///   - needed: pages to have at once, see ``CompressedSequence/pagesKept(of:)``.
    /// - Throws: ``KVError`` without memory, or if the parts do not go together.
    package func compressed(
        _ configuration: DecoderConfiguration, _ policy: KVPolicy, budget: Int, codec: KVCodec,
        rows most: Int, taking rows: Int
    ) throws -> CompressedSequence {
        let bits = codec.isPaged ? codec.bits : 0
        let pages = KVPages(
            arena, bits: bits,
            take: { [self] count in state.withLockedValue { allocate(&$0, count, after: nil) } },
            give: { [self] blocks in
                state.withLockedValue { _ in for block in blocks { arena.free(block) } }
            })
        let sequence = try CompressedSequence(
            configuration, policy, budget: budget, rows: most, codec: codec, pages: pages)
        let needed = sequence.pagesKept(of: rows)
        pages.holdsBlocks = true
        guard pages.reserve(needed.halves, .halves), pages.reserve(needed.codes, .codes) else {
            throw KVError(
                .outOfMemory,
                "There is no memory for the keys and values of \(rows) tokens. End other requests, or ask for fewer tokens."
            )
        }
        return sequence
    }
}

extension CompressedSequence {
    /// Blocks of this shape that a sequence takes of one of `rows` rows, and to grow by some
    /// tokens.
    ///
    /// - Throws: ``KVError`` if the parts do not go together.
    package static func blocks(
        _ configuration: DecoderConfiguration, _ policy: KVPolicy, budget: Int, codec: KVCodec,
        rows: Int
    ) throws -> Int {
        try check(configuration, policy, codec)
        let needed = pagesKept(of: rows, configuration, policy, budget: budget, codec: codec, residual: 0)
        let bits = codec.isPaged ? codec.bits : 0
        let shape = KVShape(configuration)
        return KVPages.blocks(needed.halves, .halves, shape, bits: bits)
            + KVPages.blocks(needed.codes, .codes, shape, bits: bits)
    }
}
