import Foundation
public import MnemeKV

/// A prefix that prompts begin with, computed ahead and kept on disk: a long system message, a
/// profile, a document that many questions are about.
public struct SavedPrefix: Sendable {
    /// The name of its last block, and of what the blocks depend on besides the tokens.
    public var end: KVHash, model: KVHash
    /// Its tokens, whole blocks, and the bytes on disk.
    public var tokens: Int, bytes: Int
}

extension Engine {
    /// Computes the keys and values of tokens with which prompts will begin, and keeps them on disk
    /// until ``release(_:)``.
    ///
    /// - Parameters:
    ///   - tokens: the prefix; its whole blocks of 32 are kept.
    ///   - scope: the requests that find them, see ``GenerationRequest/scope``.
    ///   - sources: names of the memories in them.
    /// - Returns: what is kept; nil if it is shorter than a block, or nothing is kept on disk.
    /// - Throws: ``EngineError``, `KVError` if they could not be written.
    /// - Complexity: a prefill of the tokens, the first time.
    public func keep(_ tokens: [Int32], scope: String = "", sources: Set<String> = []) async throws
        -> SavedPrefix?
    {
        let tokens = Array(tokens.prefix(tokens.count / KVShape.blockTokens * KVShape.blockTokens))
        guard let folder, !tokens.isEmpty, tokens.count < context else { return nil }
        let blocks = cache.blocks(of: tokens, scope: scope)
        if folder.count(of: blocks) < blocks.count {
            var request = GenerationRequest(prompt: tokens)
            (request.maxTokens, request.ignoresEnd, request.kv) = (1, true, KVCompression())
            (request.scope, request.sources, request.key) = (scope, sources, "keep")
            for try await _ in try generate(request) {}
            await withCheckedContinuation { done in
                DispatchQueue.global(qos: .utility).async { [cache] in
                    cache.flush()
                    done.resume()
                }
            }
        }
        let end = blocks[blocks.count - 1]
        try folder.setPinned(end, true)
        // Before it was pinned, it may have been trimmed.
        guard let bytes = folder.bytes(of: blocks) else { throw KVError.absent(end.description) }
        return SavedPrefix(end: end, model: cache.model, tokens: tokens.count, bytes: bytes)
    }

    /// Lets what ``keep(_:scope:sources:)`` kept go when there is no room.
    public func release(_ end: KVHash) throws {
        // A prefix that is not there any more need not be released.
        do { try folder?.setPinned(end, false) } catch let error as KVError
            where error.code == .notFound
        {}
    }
}
