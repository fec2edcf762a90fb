import Hummingbird
import Mneme
import MnemeEngine
import MnemeStore

extension WireRoute {
    /// `/v1/responses`: https://platform.openai.com/docs/api-reference/responses
    ///
    /// A kept response can be followed by its id, or belongs to a conversation that holds all that
    /// was said:
    ///
    /// ```json
    /// {"model": "smollm2", "input": "And of Spain?", "previous_response_id": "resp_01a2…"}
    /// {"model": "smollm2", "input": "What is its name?", "conversation": "conv_01a2…"}
    /// ```
    static let createResponse = WireRoute(
        .post, "/v1/responses", .openAI, "responses",
        "An answer, as OpenAI's Responses API gives it; kept for 30 days unless `store` is false.",
        permission: .read, fields: ResponsesFields.all, isComputed: true)
    /// `GET /v1/responses/{id}`.
    static let response = WireRoute(
        .get, "/v1/responses/{id}", .openAI, "response", "A response that was kept.",
        permission: .read)
    /// `DELETE /v1/responses/{id}`.
    static let deleteResponse = WireRoute(
        .delete, "/v1/responses/{id}", .openAI, "delete_response",
        "Erases a response that was kept.", permission: .erase)
    /// `GET /v1/responses/{id}/input_items`.
    static let inputItems = WireRoute(
        .get, "/v1/responses/{id}/input_items", .openAI, "response_input_items",
        "What a kept response answered.", permission: .read)
    /// `POST /v1/conversations`.
    static let createConversation = WireRoute(
        .post, "/v1/conversations", .openAI, "conversations",
        "Begins a conversation that responses are kept in.", permission: .write,
        fields: ResponsesFields.conversation)
    /// `GET /v1/conversations/{id}`.
    static let conversation = WireRoute(
        .get, "/v1/conversations/{id}", .openAI, "conversation", "A conversation.",
        permission: .read)
    /// `DELETE /v1/conversations/{id}`.
    static let deleteConversation = WireRoute(
        .delete, "/v1/conversations/{id}", .openAI, "delete_conversation",
        "Erases a conversation and what was said in it.", permission: .erase)
    /// `GET /v1/conversations/{id}/items`.
    static let conversationItems = WireRoute(
        .get, "/v1/conversations/{id}/items", .openAI, "conversation_items",
        "What was said in a conversation.", permission: .read)
    /// `POST /v1/conversations/{id}/items`.
    static let addConversationItems = WireRoute(
        .post, "/v1/conversations/{id}/items", .openAI, "add_conversation_items",
        "Adds to a conversation.", permission: .write, fields: [ResponsesFields.items])

    /// The routes of OpenAI's Responses API.
    static let responses = [
        createResponse, response, deleteResponse, inputItems, createConversation, conversation,
        deleteConversation, conversationItems, addConversationItems,
    ]
}

extension MemoryServer {
    /// The routes of OpenAI's Responses API, answered.
    func responsesEndpoints() -> [Endpoint] {
        /// The store of the caller's responses.
        @Sendable func store(_ request: WireRequest) -> ResponseStore {
            ResponseStore(memory, request.caller)
        }
        return [
            endpoint(.createResponse) { request in
                try await ResponsesEndpoint(
                    language: language(for: request), memory: memory, request: request
                ).answer()
            },
            endpoint(.response) { request in
                try .json(try await store(request).response(try request.part("id")).json)
            },
            endpoint(.deleteResponse) { request in
                let id = try request.part("id")
                try await store(request).deleteResponse(id)
                return try .json(["id": .string(id), "object": "response", "deleted": true])
            },
            endpoint(.inputItems) { request in
                let kept = try await store(request).response(try request.part("id"))
                return try .json(ResponseItems.list(kept.input))
            },
            endpoint(.createConversation) { request in
                let fields = request.fields
                return try .json(
                    try await store(request).createConversation(
                        metadata: try ResponsesFields.metadata.read(fields) ?? [:],
                        items: try ResponsesFields.items.read(fields) ?? []))
            },
            endpoint(.conversation) { request in
                try .json(try await store(request).conversation(try request.part("id")))
            },
            endpoint(.deleteConversation) { request in
                let id = try request.part("id")
                try await store(request).deleteConversation(id)
                return try .json([
                    "id": .string(id), "object": "conversation.deleted", "deleted": true,
                ])
            },
            endpoint(.conversationItems) { request in
                try .json(
                    ResponseItems.list(
                        try await store(request).items(of: try request.part("id"))))
            },
            endpoint(.addConversationItems) { request in
                let items = try ResponsesFields.items.require(request.fields)
                return try .json(
                    ResponseItems.list(
                        try await store(request).add(items, to: try request.part("id"))))
            },
        ]
    }
}
