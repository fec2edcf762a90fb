import Logging
public import MnemeBase
public import MnemeStore

extension MemoryOS {
    /// The text that is embedded: who said it, and what.
    package static func embeddingText(_ text: String, speaker: String?) -> String {
        guard let speaker, !speaker.isEmpty else { return text }
        return "\(speaker): \(text)"
    }

    /// Memories that are embedded at once.
    static let embeddingBatch = 256

    /// Embeds one batch of memories that have no vector; with `replacing` also of those whose vector
    /// is of another embedder.
    ///
    /// - Parameter isOwn: what other servers have written is left to them.
    /// - Returns: how many.
    func embedBatch(replacing: Bool = false, isOwn: Bool = false) throws -> Int {
        guard let embedder else { return 0 }
        let limit = Self.embeddingBatch
        let pending =
            try (isOwn ? shared?.ownPendingEmbeddings(limit: limit) : nil)
            ?? store.pendingEmbeddings(replacing: replacing ? embedder.identifier : nil, limit: limit)
        guard !pending.isEmpty else { return 0 }
        let vectors = try embedder.embed(
            pending.map { Self.embeddingText($0.text, speaker: $0.speaker) }, as: .document)
        try store.saveVectors(
            pending.enumerated().map { ($1.id, $1.version, vectors[$0]) },
            embedder: embedder.identifier)
        return pending.count
    }

    /// Embeds memories that have no vector, until none is left or `deadline` has passed. Those that
    /// have one of another embedder keep it, see ``reembed(deadline:progress:)``.
    ///
    /// - Parameters:
    ///   - deadline: how long to go on; without end if nil.
    ///   - progress: called with done and total.
    /// - Returns: memories that are still pending.
    @discardableResult
    public func embedPending(
        deadline: Duration? = nil, progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
    ) async throws -> Int {
        try await embedAll(replacing: false, deadline: deadline, progress: progress)
    }

    /// As ``embedPending(deadline:progress:)``, but memories wait for their vectors if the embedder is
    /// not within reach: what was imported is there, is found by its words, and gets its vectors with
    /// the next write or the job `embed`.
    func embedPendingIfPossible(progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil)
        async throws
    {
        do { try await embedPending(progress: progress) } catch let error as ModelError
            where error.isOutOfReach
        {
            logger.warning(
                "memories wait for vectors, as the embedder is not within reach",
                metadata: ["error": "\(error)"])
        }
    }

    /// Makes the vectors of all memories with the present embedder that have none, or one of another
    /// embedder, as after a change of the embedder.
    ///
    /// A batch of 256 at a time is embedded and stored: what is done when this is cancelled, fails or
    /// the process ends, stays done, and the next call goes on. Until a memory has its new vector, the
    /// old one serves where the store was opened with the former embedder; else its words do.
    ///
    /// - Parameters:
    ///   - deadline: how long to go on; without end if nil.
    ///   - progress: called with done and total after each batch.
    /// - Returns: how many vectors were made.
    /// - Throws: `ModelError` if a text cannot be embedded, `StoreError`, `CancellationError`.
    @discardableResult
    public func reembed(
        deadline: Duration? = nil, progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
    ) async throws -> Int {
        guard let embedder else { throw InputError("There is no embedding model.") }
        let total = try await run { [store] in
            try store.pendingEmbeddingCount(replacing: embedder.identifier)
        }
        let left = try await embedAll(replacing: true, deadline: deadline, progress: progress)
        return max(0, total - left)
    }

    /// Embeds batch after batch.
    ///
    /// - Returns: memories that are still pending.
    private func embedAll(
        replacing: Bool, deadline: Duration?, progress: (@Sendable (Int, Int) -> Void)?
    ) async throws -> Int {
        guard let embedder else { return 0 }
        let counted = replacing ? embedder.identifier : nil
        let total = try await run { [store] in try store.pendingEmbeddingCount(replacing: counted) }
        guard total > 0 else { return 0 }
        let clock = ContinuousClock()
        let start = clock.now
        var done = 0
        while true {
            try Task.checkCancellation()
            let count = try await runEmbedding { [self] in try embedBatch(replacing: replacing) }
            if count == 0 { return 0 }
            done += count
            progress?(min(done, total), total)
            if let deadline, clock.now - start > deadline { break }
        }
        return try await run { [store] in try store.pendingEmbeddingCount(replacing: counted) }
    }
}

extension MemoryOS {
    /// Vectors of texts that are not remembered, and the tokens read.
    ///
    /// - Throws: `InputError` if there is no embedder, `CancellationError`.
    public func embed(_ texts: [String]) async throws -> (vectors: Embeddings, tokens: Int) {
        try await embed(texts) {
            try $0.embed($1)
        } count: {
            $0.tokenCount($1)
        }
    }

    /// Vectors of texts that are given as token ids of the embedding model, and the tokens read.
    ///
    /// - Throws: `InputError` if there is no embedder, or for ids that are not its own;
    ///   `CancellationError`.
    public func embed(tokens: [[Int32]]) async throws -> (vectors: Embeddings, tokens: Int) {
        try await embed(tokens) {
            try $0.embed(tokens: $1)
        } count: {
            $1.count
        }
    }

    /// Texts of one request that are embedded at once.
    private static let embeddedAtOnce = 128

    /// Embeds texts, in parts: so one who does not wait any more takes no more time, and others
    /// have their turn.
    private func embed<Text: Sendable>(
        _ texts: [Text],
        _ vectors: @escaping @Sendable (any TextEmbedder, [Text]) throws -> Embeddings,
        count: @escaping @Sendable (any TextEmbedder, Text) -> Int
    ) async throws -> (vectors: Embeddings, tokens: Int) {
        guard let embedder else { throw InputError("There is no embedding model.") }
        var values: [Float] = []
        var tokens = 0
        for start in stride(from: 0, to: texts.count, by: Self.embeddedAtOnce) {
            let part = Array(texts[start..<min(start + Self.embeddedAtOnce, texts.count)])
            let (made, read) = try await run {
                (
                    try vectors(embedder, part),
                    part.reduce(0) { $0 + min(embedder.maximumTokens, count(embedder, $1)) }
                )
            }
            values += made.values
            tokens += read
        }
        return (Embeddings(dimension: embedder.dimension, values: values), tokens)
    }

    /// Counts of the whole store.
    ///
    /// - Throws: `AccessError` unless the caller reaches everybody.
    public func statistics(by caller: Caller = .local) async throws -> StoreStatistics {
        try await run { [store] in try store.statistics(owner: nil, by: caller) }
    }
}
