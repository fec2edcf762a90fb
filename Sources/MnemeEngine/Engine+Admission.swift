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
    /// - Throws: ``EngineError`` at once for requests that cannot be carried out; the stream throws
    ///   what comes up later.
    public func generate(_ request: GenerationRequest) throws -> AsyncThrowingStream<
        GenerationEvent, any Error
    > {
        try request.sampling.check(vocabulary: decoder.configuration.vocabularySize)
        try check(prompt: request.prompt, alternatives: request.alternatives)
        if let most = request.maxTokens, most < 1 {
            throw EngineError(.invalidRequest, "At least one token must be asked for.")
        }
        // Where nothing was said, the answer may be as long as the context and memory let it.
        let room = context - request.prompt.count,
            fits = max(1, cache.capacity * KVShape.blockTokens - request.prompt.count)
        let most = min(request.maxTokens ?? fits, room)
        guard KVShape.blocks(request.prompt.count + most) <= cache.capacity else {
            throw EngineError.tooLong(
                request.prompt.count + most, of: cache.capacity * KVShape.blockTokens,
                "The engine's memory for keys and values holds no more.")
        }
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
        let (stream, continuation) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
        let now = ContinuousClock().now
        // Counted and put in line under one lock, so that the limit holds whoever comes at the same
        // time.
        try shared.withLockedValue { shared in
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
                    id: id, request: request, maxTokens: most, arrival: now,
                    deadline: request.timeout.map { now + $0 },
                    continuation: continuation,
                    sampler: Sampler(request.sampling, prompt: request.prompt),
                    constraint: constraint,
                    drafts: limits.draftTokens > 0 ? Drafts(request.prompt) : nil))
        }
        wake.signal()
        return stream
    }

    /// Refuses prompts that the model cannot take.
    ///
    /// - Parameter alternatives: told with each token; nil if none are asked for.
    /// - Throws: ``EngineError``.
    func check(prompt: [Int32], alternatives: Int?) throws {
        guard !prompt.isEmpty else { throw EngineError(.invalidRequest, "The prompt is empty.") }
        let ids = 0..<Int32(decoder.configuration.vocabularySize)
        guard prompt.allSatisfy({ ids.contains($0) }) else {
            throw EngineError(
                .invalidRequest, "The prompt holds tokens that the model does not have.")
        }
        guard prompt.count < context else {
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
