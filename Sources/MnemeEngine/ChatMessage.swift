/// One message of a conversation with a model.
public struct ChatMessage: Sendable, Equatable {
    /// `system`, `user`, `assistant` or `tool`.
    public var role: String
    /// The message's text; of a `tool`, the call's result.
    public var content: String
    /// Of an `assistant`: the tools that it called behind the text.
    public var toolCalls: [ToolCall]
    /// Of a `tool`: the ``ToolCall/id`` of the call that it answers.
    public var toolCallID: String?

    /// A message with its role, text, calls, and the id of the call that it answers.
    public init(
        role: String, content: String, toolCalls: [ToolCall] = [], toolCallID: String? = nil
    ) {
        self.role = role
        self.content = content
        self.toolCalls = toolCalls
        self.toolCallID = toolCallID
    }
}
