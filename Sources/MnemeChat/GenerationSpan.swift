public import MnemeEngine
import Tracing

extension Engine {
    /// Generates an answer, in a trace's span from now to the answer's end.
    ///
    /// - Throws: as ``MnemeEngine/Engine/generate(_:)``.
    public func generate(
        _ request: GenerationRequest, span name: String
    ) throws -> AsyncThrowingStream<GenerationEvent, any Error> {
        let events = try generate(request)
        let span = startSpan(name)
        guard span.isRecording else {
            span.end()
            return events
        }
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await Self.pass(events, to: continuation, noting: span)
                    continuation.finish()
                } catch {
                    span.recordError(error)
                    continuation.finish(throwing: error)
                }
                span.end()
            }
            // Whoever does not listen any more has the engine stop, too.
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static func pass(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>,
        to continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation,
        noting span: any Span
    ) async throws {
        var isFirst = true
        for try await event in events {
            if isFirst {
                span.addEvent(SpanEvent(name: "first token"))
                isFirst = false
            }
            if case .finished(_, let usage) = event {
                span.updateAttributes {
                    $0["gen_ai.usage.input_tokens"] = usage.promptTokens
                    $0["gen_ai.usage.output_tokens"] = usage.completionTokens
                    $0["mneme.cached_tokens"] = usage.cachedTokens
                }
            }
            continuation.yield(event)
        }
    }
}
