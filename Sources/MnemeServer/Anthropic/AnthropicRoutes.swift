import Hummingbird
import Mneme
import MnemeEngine
import MnemeStore

extension WireRoute {
    /// `/v1/messages`: https://platform.claude.com/docs/en/api/messages
    ///
    /// ```json
    /// {"model": "smollm2", "max_tokens": 40, "system": "Be brief.",
    ///  "messages": [{"role": "user", "content": "Hello!"}]}
    /// ```
    static let messages = WireRoute(
        .post, "/v1/messages", .anthropic, "messages",
        "An answer in a conversation, as Anthropic's clients ask for it.",
        permission: .read, fields: MessagesFields.all, isComputed: true)
    /// `/v1/messages/count_tokens`.
    static let countTokens = WireRoute(
        .post, "/v1/messages/count_tokens", .anthropic, "count_tokens",
        "The tokens that a conversation's prompt has.",
        permission: .read, fields: MessagesFields.prompt)
    /// The memory tool's commands, carried out.
    ///
    /// A client hands it the `input` of a `tool_use` block, with `user` if it serves several, and puts what it answers
    /// into the `tool_result`:
    ///
    /// ```json
    /// {"command": "create", "path": "/memories/trip.txt", "file_text": "The boat lies in Bergen."}
    /// {"content": "File created successfully at: /memories/trip.txt", "is_error": false}
    /// ```
    static let memoryTool = WireRoute(
        .post, "/v1/memory_tool", .anthropic, "memory_tool",
        "Carries out a command of Anthropic's memory tool (`memory_20250818`) over memories.",
        permission: .read, fields: MemoryToolFields.all)

    /// Anthropic's routes.
    static let anthropic = [messages, countTokens, memoryTool]
}

extension MemoryServer {
    /// Anthropic's routes, answered.
    func anthropicEndpoints() -> [Endpoint] {
        [
            endpoint(.messages) { request in
                let language = try await language(for: request)
                let call = try MessagesCall(request)
                let answer = try await language.answer(
                    call.prompt.messages, tools: call.prompt.tools, call.generation, request.caller)
                let form = MessagesForm(model: language.model.name)
                let schema = call.generation.schema
                let tools = call.prompt.tools
                guard call.streams else {
                    return try .json(try await form.whole(answer)).noticing(schema, tools)
                        .noticing(leftOut: call.prompt.leftOut)
                }
                return .namedEvents(
                    failed: { WireForm.anthropic.body(of: language.note($0, request.caller)) }
                ) { send in try await form.stream(answer, send) }.noticing(schema, tools)
                    .noticing(leftOut: call.prompt.leftOut)
            },
            endpoint(.countTokens) { request in
                let language = try await language(for: request)
                let prompt = try MessagesPrompt(request)
                let tokens = try language.model.tokens(
                    of: prompt.messages, tools: prompt.tools?.callable ?? [])
                return try .json(["input_tokens": .number(Double(tokens.count))])
            },
            endpoint(.memoryTool) { request in
                let folder = try MemoryFolder(memory, request)
                return try .json(try await folder.run(MemoryCommand(request.fields)))
            },
        ]
    }
}
