public import MnemeEngine

/// One turn of a ``Conversation``: what was said, and how it is answered.
public struct ChatTurn: Sendable {
    /// All messages so far; the user's last one is answered.
    public var messages: [ChatMessage]
    /// The tools that the model may call in its answer.
    public var tools: ToolSet?
    /// The parameters of the answer's generation. Its prompt, texts and sources are filled in by
    /// the conversation.
    public var generation = GenerationRequest(prompt: [])
    /// True if the oldest turns are left out where all do not fit the model; else the engine refuses
    /// what is too long. `GenerationUsage.droppedMessages` tells how many.
    public var dropsOldest = false
    /// True if a conversation with memory remembers the turn.
    public var remembers = true

    /// A turn that is answered with the defaults: greedy, and remembered.
    public init(_ messages: [ChatMessage]) { self.messages = messages }
}
