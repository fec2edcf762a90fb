import Foundation
public import MnemeStore

/// remember: records text or messages.
public enum RememberOperation: Operation {
    /// The command, the MCP tool and the `operationId`; one of the tools of the core.
    public static let name = "remember"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Remember a text or the messages of a conversation."
    /// When it returns, what is found by rule, and that repeating it changes nothing.
    public static let discussion = """
        Returns when the memory is on disk; no model is called. Kind, names and dates are found by rule. Saying the same thing \
        again changes nothing.
        """
    /// True: texts are embedded after they are acknowledged.
    public static let readsMeaning = true
    /// `write`; `trusted` takes `share` besides.
    public static let permission = Permission.write
    /// One text, messages, or both are in the body.
    public static let route: Route? = Route(.post, "/v1/memories")

    static let text = Parameter<String>("text", "What to remember.", positional: true)
    /// Objects have no form on a command line; there `import` takes files of messages.
    static let messages = Parameter<MessageList>(
        "messages",
        "Messages to remember, each an object with 'content' and optionally 'role', 'name', 'time'.",
        surfaces: [.http, .mcp])
    static let speaker = Parameter<String>("speaker", "Who said it.")
    static let time = Parameter<ZonedTime>(
        "time",
        "When it was said or happened; now if left out. With an offset, 'yesterday' is the speaker's."
    )
    static let type = Parameter<MemoryType>("type", "Kind of memory; found by rule if left out.")
    static let tag = Parameter<[String]>("tag", "Tags.")
    static let metadata = Parameter<[String: String]>(
        "metadata", "An object of text values to keep with it.", surfaces: [.http, .mcp])
    static let expires = Parameter<Date>("expires", "When it stops being recalled.")
    static let sensitivity = Parameter<Sensitivity>(
        "sensitivity",
        "The sensitivity label; 'internal' if left out. Who has a lower clearance never sees it.")
    static let trusted = Parameter<Bool>(
        "trusted",
        "The text may read like an instruction to a model, as a rule for an agent does: do not quarantine it. Takes the permission 'share'."
    )
    /// Names the request, for clients that repeat it when no answer came.
    static let key = Parameter<String>(
        "idempotency_key", "Repeating a request with the same key changes nothing.",
        surfaces: [.http, .mcp])

    /// `text` or `messages` is needed; the rest holds for each message without its own.
    public static let parameters: [any AnyParameter] =
        [text, messages, speaker, time, type, tag, metadata, expires, sensitivity, trusted, key]
        + ScopeParameters.all

    /// The memories that each input became, in order; a long text gives several.
    struct Output: Encodable, Sendable {
        var memories: [Remembered]
    }

    /// Records a text, or messages, or both, in one transaction. What the request says of speaker,
    /// time, tags and so on holds for each message that does not say it itself.
    ///
    /// - Throws: `InputError` that names the message by its place, `AccessError`, `StoreError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let scope = try ScopeParameters.scope(input, context)
        var template = MemoryInput("", speaker: input[speaker])
        template.setTime(input[time])
        template.type = input[type]
        template.tags = input[tag] ?? []
        template.expires = input[expires]
        template.isTrusted = input[trusted] ?? false
        template.sensitivity = input[sensitivity] ?? .internal
        template.metadata = input[metadata] ?? [:]
        var inputs: [MemoryInput] = []
        if let text = input[text] {
            var one = template
            one.text = text
            inputs.append(one)
        }
        if let list = input[messages] {
            for (i, message) in list.messages.enumerated() {
                do { inputs.append(try MessageReader.input(message, template: template)) } catch let
                    error as InputError
                {
                    throw InputError("messages[\(i)]: \(error)")
                }
            }
        }
        guard !inputs.isEmpty else { throw InputError("'text' or 'messages' is needed.") }
        return .value(
            Output(
                memories: try await context.memory.remember(
                    inputs, scope: scope, by: context.caller(self), idempotencyKey: input[key])))
    }
}
