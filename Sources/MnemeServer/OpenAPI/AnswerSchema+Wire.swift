import Mneme

/// The answers of other APIs' routes, as far as this server writes them.
extension AnswerSchema {
    /// The answer of a route that is no stream.
    static func answer(of route: WireRoute) -> JSONValue {
        switch route.form {
        case .openAI: openAI(route.name)
        case .anthropic: anthropic(route.name)
        case .ollama: ollama(route.name)
        case .mem0: mem0(route)
        }
    }

    /// The content type of a route's answer piece by piece; nil if it has none.
    static func streamType(of route: WireRoute) -> String? {
        guard route.fields.contains(where: { $0.name == GenerationFields.stream.name }) else {
            return nil
        }
        return route.form == .ollama ? "application/x-ndjson" : "text/event-stream"
    }

    // MARK: OpenAI

    private static let kept = shape([
        "policy": text, "type": text, "kept_tokens": number, "bytes": count, "read_bytes": count,
    ])
    private static let tokens = shape([
        "prompt_tokens": count, "completion_tokens": count, "total_tokens": count,
        "prompt_tokens_details": shape(["cached_tokens": count]),
        "kv?": kept, "procedures?": list(text), "dropped_messages?": count,
    ])
    private static let model = shape([
        "id": text, "object": only("model"), "created": count, "owned_by": text,
        "type": only("model"), "display_name": text, "created_at": time,
    ])
    private static let conversation = shape([
        "id": text, "object": only("conversation"), "created_at": count, "metadata": object,
    ])
    private static let items = shape([
        "object": only("list"), "data": list(shape(["id": text, "type": text])),
        "first_id": optionalText, "last_id": optionalText, "has_more": flag,
    ])
    private static let message = shape([
        "role": only("assistant"), "content": optionalText,
        "tool_calls?": list(
            shape([
                "id": text, "type": only("function"),
                "function": shape(["name": text, "arguments": text]),
            ])),
    ])
    private static let response = shape([
        "id": text, "object": only("response"), "created_at": count,
        "status": oneOf("completed", "incomplete"), "model": text,
        "output": list(shape(["id": text, "type": text, "status": text])), "error": null,
        "incomplete_details": orNull(shape(["reason": text])), "store": flag,
        "usage": shape([
            "input_tokens": count, "output_tokens": count, "total_tokens": count, "kv?": kept,
            "procedures?": list(text),
        ]),
    ])

    private static func openAI(_ name: String) -> JSONValue {
        switch name {
        case "chat":
            completion(
                "chat.completion",
                ["message": message, "logprobs?": object],
                ["memories?": list(shape(["id": id, "text": text, "score": number]))])
        case "completions":
            completion("text_completion", ["text": text, "logprobs": orNull(object)], [:])
        case "embeddings":
            shape([
                "object": only("list"), "model": text,
                "data": list(
                    shape([
                        "object": only("embedding"), "index": count,
                        "embedding": ["anyOf": [list(number), text]],
                    ])),
                "usage": shape(["prompt_tokens": count, "total_tokens": count]),
            ])
        case "engine": shape(["engine": orNull(object)])
        case "kv": shape(["texts": list(object), "total": count])
        case "keys": shape(["keys": list(object)])
        case "revoke-key": shape(["revoked": text])
        case "servers":
            shape([
                "servers": list(
                    shape([
                        "id": text, "url": optionalText, "version": text, "started": time, "leaseSeconds": number,
                        "isThis": flag,
                    ])),
                "owner?": shape(["tenant": text, "user": text, "server": optionalText]),
            ])
        case "models":
            shape([
                "object": only("list"), "data": list(model), "has_more": flag,
                "first_id": optionalText, "last_id": optionalText,
            ])
        case "model": model
        case "responses", "response": response
        case "delete_response", "delete_conversation":
            shape(["id": text, "object": text, "deleted": only(true)])
        case "conversations", "conversation": conversation
        default: items
        }
    }

    /// A completion with its choices.
    private static func completion(
        _ object: String, _ choice: [String: JSONValue], _ members: [String: JSONValue]
    ) -> JSONValue {
        let ends: [String: JSONValue] = [
            "index": count, "finish_reason": oneOf("stop", "length", "tool_calls"),
        ]
        return shape(
            [
                "id": text, "object": only(.string(object)), "created": count, "model": text,
                "choices": list(shape(choice.merging(ends) { $1 })), "usage": tokens,
            ].merging(members) { $1 })
    }

    // MARK: Anthropic

    private static func anthropic(_ name: String) -> JSONValue {
        switch name {
        case "messages":
            shape([
                "id": text, "type": only("message"), "role": only("assistant"), "model": text,
                "content": list(shape(["type": oneOf("text", "tool_use")])),
                "stop_reason": oneOf("end_turn", "max_tokens", "stop_sequence", "tool_use"),
                "stop_sequence": optionalText,
                "usage": shape([
                    "input_tokens": count, "output_tokens": count,
                    "cache_read_input_tokens": count, "cache_creation_input_tokens": count,
                    "kv?": kept, "procedures?": list(text),
                ]),
            ])
        case "count_tokens": shape(["input_tokens": count])
        default: shape(["content": text, "is_error": flag])
        }
    }

    // MARK: Ollama

    private static let details = shape(["format": text, "family": text, "families?": list(text)])
    private static let entry = shape([
        "name": text, "model": text, "details": details, "size?": count, "modified_at?": time,
    ])
    private static let timings: [String: JSONValue] = [
        "model": text, "created_at": time, "done": flag, "done_reason?": text,
        "total_duration?": count, "load_duration?": count, "prompt_eval_count?": count,
        "prompt_eval_duration?": count, "eval_count?": count, "eval_duration?": count, "kv?": kept,
        "procedures?": list(text),
    ]

    private static func ollama(_ name: String) -> JSONValue {
        switch name {
        case "ollama_chat":
            shape(
                timings.merging([
                    "message": shape([
                        "role": only("assistant"), "content": text, "tool_calls?": list(object),
                    ])
                ]) { $1 })
        case "ollama_generate": shape(timings.merging(["response": text]) { $1 })
        case "ollama_embed":
            shape([
                "model": text, "embeddings": list(list(number)), "total_duration": count,
                "load_duration": count, "prompt_eval_count": count,
            ])
        case "ollama_embeddings": shape(["embedding": list(number)])
        case "ollama_show":
            shape([
                "details": details, "capabilities": list(text), "model_info": object,
                "template?": text, "parameters?": text, "modified_at?": time,
            ])
        case "ollama_version": shape(["version": text])
        default: shape(["models": list(entry)])
        }
    }

    // MARK: mem0

    private static let mem0Memory = shape([
        "id": id, "memory": text, "user_id": optionalText, "agent_id": optionalText,
        "app_id": optionalText, "run_id": optionalText, "metadata": object,
        "categories": list(text), "created_at": time, "updated_at": time, "score?": number,
        "expiration_date?": text,
    ])
    private static let page: [String: JSONValue] = [
        "count": count, "next": optionalText, "previous": optionalText,
    ]

    private static func mem0(_ route: WireRoute) -> JSONValue {
        let isFirst = route.path.hasPrefix("/v1/memories/")
        return switch route.operation {
        case "ping":
            shape(["status": text, "org_id": text, "project_id": text, "user_email": text])
        case "remember":
            shape(["results": list(shape(["id": id, "memory": text, "event": oneOf("ADD", "NONE")]))])
        // The first version answers with bare lists.
        case "recall" where isFirst, "list" where isFirst: list(mem0Memory)
        case "recall": shape(["results": list(mem0Memory)])
        case "list" where route.name == WireRoute.mem0Entities.name:
            shape(
                page.merging([
                    "results": list(
                        shape(["id": text, "name": text, "type": text, "total_memories": count]))
                ]) { $1 })
        case "list": shape(page.merging(["results": list(mem0Memory)]) { $1 })
        case "history":
            list(
                shape([
                    "id": text, "memory_id": id, "old_memory": optionalText,
                    "new_memory": optionalText, "event": oneOf("ADD", "UPDATE", "DELETE"),
                    "created_at": time, "updated_at": time, "user_id": optionalText,
                    "metadata": orNull(object),
                ]))
        case "update" where route.name == WireRoute.mem0BatchUpdate.name: shape(["message": text])
        case "get", "update": mem0Memory
        default: shape(["message": text])
        }
    }
}
