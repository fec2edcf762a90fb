import Foundation
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// Admission: which requests an engine takes. Whatever cannot be carried out is refused here,
/// before it waits.
extension Engine {
    /// Generates an answer: puts the request in line and returns at once.
    ///
    /// Ending or dropping the stream, or cancelling the task that reads it, ends the request before
    /// the next step. Its memory is freed then, what was computed stays in the cache.
    ///
    /// - Returns: pieces of text as they are sampled, and ``GenerationEvent/finished(_:_:)`` at the
    ///   end.
    /// - Throws: ``EngineError`` at once for requests that cannot be carried out, `AdapterError` for
    ///   an adapter that cannot be used; the stream throws what comes up later.
    public func generate(_ request: GenerationRequest) throws -> AsyncThrowingStream<
        GenerationEvent, any Error
    > {
        try request.sampling.check(vocabulary: decoder.configuration.vocabularySize)
        if let most = request.maxTokens, most < 1 {
            throw EngineError(.invalidRequest, "At least one token must be asked for.")
        }
        let compression = try compression(request, most: request.maxTokens)
        try check(
            prompt: request.prompt, alternatives: request.alternatives,
            isStream: compression?.policy.movesTogether ?? false)
        var most = try maximumCompletionTokens(request, compression)
        // Texts are ranges of the prompt, in order, without overlap.
        var end = 0
        for text in request.texts {
            guard text.lowerBound >= end, text.upperBound <= request.prompt.count, !text.isEmpty
            else {
                throw EngineError(
                    .invalidRequest, "Texts of a prompt stand in it, one behind the other.")
            }
            end = text.upperBound
        }
        // Made here, on the caller's thread: the first takes a while.
        let constraint: (any TokenConstraint)? =
            if let tools = request.tools {
                ToolConstraint(tools, schema: request.schema, vocabulary())
            } else {
                request.schema.map { SchemaConstraint($0, vocabulary()) }
            }
        // Read here as well, if it is not in memory.
        let adapter = try adapter(request.adapter)
        if let procedures = adapter?.weights.procedures {
            guard compression == nil else {
                throw EngineError(
                    .invalidRequest,
                    "Adapters of procedures are used with all keys and values. Leave the KV policy out.")
            }
            most = room(for: procedures, behind: request.prompt.count, most)
        }
        let (stream, continuation) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
        let now = ContinuousClock().now
        // Counted and put in line under one lock, so that the limit holds whoever comes at the same
        // time.
        try shared.withLockedValue { [most] shared in
            guard !shared.closed else { throw EngineError(.closed, "The engine is shut down.") }
            guard shared.statistics.waiting < limits.waiting else {
                throw EngineError(.overloaded, "Too many requests wait already. Try again later.")
            }
            let id = shared.nextID
            shared.nextID += 1
            shared.statistics.waiting += 1
            continuation.onTermination = { [weak self] reason in
                guard case .cancelled = reason, let self else { return }
                self.shared.withLockedValue { _ = $0.cancelled.insert(id) }
                wake.signal()
            }
            shared.arrived.append(
                EngineSequence(
                    id: id, request: request, adapter: adapter, maxTokens: most, arrival: now,
                    deadline: request.timeout.map { now + $0 },
                    continuation: continuation,
                    sampler: Sampler(request.sampling, prompt: request.prompt),
                    constraint: constraint,
                    // Drafts that do not hold would have to be taken back from compressed rows.
                    drafts: limits.draftTokens > 0 && compression == nil && adapter?.weights.procedures == nil
                        ? Drafts(request.prompt) : nil, compression: compression))
        }
        wake.signal()
        return stream
    }

    /// The most tokens of an answer: what the request asks for, else as many as fit.
    ///
    /// - Throws: ``EngineError`` if the prompt and they do not fit the memory.
    private func maximumCompletionTokens(_ request: GenerationRequest, _ compression: SequenceCompression?)
        throws -> Int
    {
        let prompt = request.prompt.count
        let capacity = cache.capacity
        let block = KVShape.blockTokens
        guard let compression else {
            let fits = max(1, capacity * block - prompt)
            let most = min(request.maxTokens ?? fits, context - prompt)
            guard KVShape.blocks(prompt + most) <= capacity else {
                throw EngineError.tooLong(
                    prompt + most, of: capacity * block,
                    "The engine's memory for keys and values holds no more.")
            }
            return most
        }
        // The prompt's blocks and what is kept of them are there together once; then the rows of
        // the answer come to what was kept.
        let room = (capacity - compression.blocks - Self.spareBlocks) * block
        let isStream = compression.policy.movesTogether
        guard KVShape.blocks(compression.exactTokens + 1) + compression.blocks <= capacity, room > 0
        else {
            throw EngineError.tooLong(
                prompt, of: max(0, (capacity - compression.blocks) * block),
                "The engine's memory for keys and values holds no more beside what is kept of them.")
        }
        if isStream { return request.maxTokens ?? context }
        let most = min(request.maxTokens ?? room, context - prompt)
        guard most <= room else {
            throw EngineError.tooLong(
                prompt + most, of: prompt + room,
                "The engine's memory for keys and values holds no more.")
        }
        return most
    }

    /// Blocks that a compressed sequence may take beyond its rows: of either kind of pages.
    private static let spareBlocks = 3

    /// Refuses prompts that the model cannot take.
    ///
    /// - Parameters:
    ///   - alternatives: told with each token; nil if none are asked for.
    ///   - isStream: whether the sequence goes on beyond the model's context.
    /// - Throws: ``EngineError``.
    func check(prompt: [Int32], alternatives: Int?, isStream: Bool = false) throws {
        guard !prompt.isEmpty else { throw EngineError(.invalidRequest, "The prompt is empty.") }
        let ids = 0..<Int32(decoder.configuration.vocabularySize)
        guard prompt.allSatisfy({ ids.contains($0) }) else {
            throw EngineError(
                .invalidRequest, "The prompt holds tokens that the model does not have.")
        }
        guard prompt.count < context || isStream else {
            throw EngineError.tooLong(prompt.count, of: context)
        }
        if let count = alternatives, !(0...20).contains(count) {
            throw EngineError(.invalidRequest, "0 to 20 alternatives can be reported.")
        }
    }

    /// The vocabulary as schemas want it; made when the first is asked for.
    func vocabulary() -> SchemaVocabulary {
        sorted.withLockedValue { sorted in
            if let sorted { return sorted }
            let made = SchemaVocabulary(tokenizer)
            sorted = made
            return made
        }
    }
}
