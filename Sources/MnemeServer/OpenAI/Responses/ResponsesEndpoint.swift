import Hummingbird
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeStore

/// `/v1/responses` as OpenAI's clients call it.
struct ResponsesEndpoint: Sendable {
    /// The language model that answers.
    let language: ServedLanguage
    /// The memory in which responses are kept.
    let memory: MemoryOS
    /// The request, whose caller may read.
    let request: WireRequest

    /// Answers what the request gives behind what it follows, and keeps the response.
    ///
    /// - Throws: `InputError` for what cannot be read, ``ClientError`` for a response or
    /// conversation that is not there, `EngineError`.
    func answer() async throws -> Response {
        let call = try ResponsesCall(request)
        let store = ResponseStore(memory, request.caller)
        let keeps = try keeps(call)
        var items: [JSONValue] = []
        if let previous = call.previous { items = try await store.items(upTo: previous) }
        if let conversation = call.conversation { items = try await store.items(of: conversation) }
        var messages = try ResponseItems.messages(items + call.input)
        guard !messages.isEmpty else { throw InputError("'input' is empty.") }
        // Instructions are for this response alone.
        if let instructions = call.instructions {
            messages.insert(ChatMessage(role: "system", content: instructions), at: 0)
        }
        let answer = try await language.answer(
            messages, tools: call.tools, call.generation, request.caller)
        var form = ResponsesForm(language.model, call.echo.merging(["store": .bool(keeps)]) { $1 })
        guard call.streams else {
            for try await event in answer { _ = form.take(event) }
            let response = try form.complete()
            if keeps { try await keep(response, call, store) }
            return try .json(response).noticing(call.generation.schema, call.tools)
                .noticing(leftOut: call.leftOut)
        }
        let begun = form
        return .namedEvents(
            failed: { error in
                let told = language.note(error, request.caller)
                return .members([
                    ("type", .string("error")), ("code", .string(told.errorCode)),
                    ("message", .string(told.message)), ("param", .null),
                    ("sequence_number", .number("0")),
                ])
            }
        ) { send in
            var form = begun
            for event in form.begin() { try await send(event) }
            for try await event in answer {
                for piece in form.take(event) { try await send(piece) }
            }
            let response = try form.complete()
            // Kept before it is said to be complete, so that the next request finds it.
            if keeps { try await keep(response, call, store) }
            try await send(form.end(response))
        }.noticing(call.generation.schema, call.tools)
            .noticing(leftOut: call.leftOut)
    }

    /// True if the response is kept: unless the request says otherwise, if the caller may.
    ///
    /// - Throws: ``MnemeStore/AccessError`` if the caller may not but asks for it.
    private func keeps(_ call: ResponsesCall) throws -> Bool {
        if call.store == false, call.conversation == nil { return false }
        if call.store == true || call.conversation != nil {
            try memory.authorize(
                .write, by: request.caller, advice: "Set store to false and name no conversation.")
            return true
        }
        return request.caller.principal.permissions.contains(.write)
    }

    /// Keeps the response with what it answered, in its conversation if it has one.
    private func keep(
        _ response: JSONValue, _ call: ResponsesCall, _ store: ResponseStore
    ) async throws {
        try await store.add(response, input: call.input, conversation: call.conversation)
    }
}
