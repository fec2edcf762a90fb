public import Mneme
import MnemeEngine

/// The answer of a ``Conversation``, piece by piece. The turn is remembered before the last piece
/// comes, so that an answer that ended is in memory, and one that nobody read to its end is not.
/// A turn that ends with calls of tools goes on: it is remembered with the answer that follows
/// their results.
public struct ChatAnswer: AsyncSequence, Sendable {
    /// A piece of the answer.
    public typealias Element = ChatEvent
    /// Errors of the engine, and of the store that remembers the turn.
    public typealias Failure = any Error
    typealias Remember = @Sendable (_ answer: String) async throws -> Void

    /// Memories in the prompt besides the profile, the most relevant first.
    public let memories: [RecalledMemory]
    /// Messages that were left out of the prompt, see ``ChatTurn/dropsOldest``.
    public internal(set) var droppedMessages = 0
    private let events: AsyncThrowingStream<GenerationEvent, any Error>
    private let tools: ToolGrammar?
    private let remember: Remember?

    /// - Parameter tools: the calls that the answer may hold.
    init(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>, tools: ToolGrammar?,
        memories: [RecalledMemory], remember: Remember?
    ) {
        self.tools = tools
        self.events = events
        self.memories = memories
        self.remember = remember
    }

    /// The answer in one piece.
    ///
    /// - Throws: what ended the answer early, and what kept the turn from being remembered.
    public func whole() async throws -> ChatReply {
        var reply = ChatReply()
        var isComplete = false
        for try await event in self {
            reply.append(event)
            if case .finished = event { isComplete = true }
        }
        guard isComplete else { throw CancellationError() }
        return reply
    }

    /// An iterator over the pieces; an answer is read once.
    public func makeAsyncIterator() -> Iterator {
        var iterator = Iterator(events: events.makeAsyncIterator(), tools: tools, remember: remember)
        iterator.droppedMessages = droppedMessages
        return iterator
    }

    /// Reads the pieces of an answer.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var events: AsyncThrowingStream<GenerationEvent, any Error>.Iterator
        fileprivate let remember: Remember?
        fileprivate var droppedMessages = 0
        private var reader: ToolCallReader?
        /// Pieces that were read and not given yet, the next one last.
        private var pieces: [ChatEvent]
        private var text = ""

        fileprivate init(
            events: AsyncThrowingStream<GenerationEvent, any Error>.Iterator, tools: ToolGrammar?,
            remember: Remember?
        ) {
            self.events = events
            self.remember = remember
            reader = tools.map { ToolCallReader($0) }
            pieces = reader?.begin().reversed() ?? []
        }

        /// The next piece; nil after the last.
        ///
        /// - Throws: what ended the answer early, and what kept the turn from being remembered.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws
            -> ChatEvent?
        {
            while true {
                if let piece = pieces.popLast() {
                    if case .text(let more, _) = piece { text += more }
                    if case .finished(let reason, _) = piece, reason != .toolCalls {
                        try await remember?(text)
                    }
                    return piece
                }
                guard let event = try await events.next(isolation: actor) else { return nil }
                pieces = read(event).reversed()
            }
        }

        private mutating func read(_ event: GenerationEvent) -> [ChatEvent] {
            switch event {
            case .token(let piece, let id, let probability, let alternatives):
                let token = SampledToken(
                    id: id, logProbability: probability, alternatives: alternatives)
                return reader?.read(piece, token) ?? [.text(piece, tokens: [token])]
            case .finished(let reason, var usage):
                usage.droppedMessages = droppedMessages
                return reader?.finish(reason, usage) ?? [.finished(reason, usage)]
            }
        }

        /// The next piece; nil after the last.
        public mutating func next() async throws -> ChatEvent? {
            try await next(isolation: nil)
        }
    }
}
