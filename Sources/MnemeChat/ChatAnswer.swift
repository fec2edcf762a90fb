public import Mneme
import MnemeEngine

/// The answer of a ``Conversation``, piece by piece. The turn is remembered before the last piece
/// comes, so that an answer that ended is in memory, and one that nobody read to its end is not.
public struct ChatAnswer: AsyncSequence, Sendable {
    public typealias Element = ChatEvent
    public typealias Failure = any Error
    typealias Remember = @Sendable (_ answer: String) async throws -> Void

    /// Memories in the prompt besides the profile, the most relevant first.
    public let memories: [RecalledMemory]
    private let events: AsyncThrowingStream<GenerationEvent, any Error>
    private let remember: Remember?

    init(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>, memories: [RecalledMemory],
        remember: Remember?
    ) {
        self.events = events
        self.memories = memories
        self.remember = remember
    }

    /// The answer in one piece.
    ///
    /// - Throws: what ended the answer early, and what kept the turn from being remembered.
    public func whole() async throws -> ChatReply {
        var reply = ChatReply(), isComplete = false
        for try await event in self {
            reply.append(event)
            if case .finished = event { isComplete = true }
        }
        guard isComplete else { throw CancellationError() }
        return reply
    }

    /// An iterator over the pieces; an answer is read once.
    public func makeAsyncIterator() -> Iterator {
        Iterator(events: events.makeAsyncIterator(), remember: remember)
    }

    /// Reads the pieces of an answer.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var events: AsyncThrowingStream<GenerationEvent, any Error>.Iterator
        fileprivate let remember: Remember?
        private var text = ""

        fileprivate init(
            events: AsyncThrowingStream<GenerationEvent, any Error>.Iterator, remember: Remember?
        ) {
            self.events = events
            self.remember = remember
        }

        /// The next piece; nil after the last.
        ///
        /// - Throws: what ended the answer early, and what kept the turn from being remembered.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws
            -> ChatEvent?
        {
            switch try await events.next(isolation: actor) {
            case .token(let piece, let id, let probability, let alternatives):
                text += piece
                let token = SampledToken(
                    id: id, logProbability: probability, alternatives: alternatives)
                return .text(piece, tokens: [token])
            case .finished(let reason, let usage):
                try await remember?(text)
                return .finished(reason, usage)
            case nil: return nil
            }
        }

        /// The next piece; nil after the last.
        public mutating func next() async throws -> ChatEvent? {
            try await next(isolation: nil)
        }
    }
}
