import Mneme
import MnemeStore

/// The OpenAPI 3.1 document of the HTTP interface, made from the operation table.
enum OpenAPI {
    /// What the endpoints of the language model take.
    private static func generation(required field: String, _ schema: JSONValue, isChat: Bool) -> JSONValue {
        var properties: [String: JSONValue] = [
            field: schema, "model": ["type": "string"], "max_tokens": ["type": "integer"],
            "temperature": ["type": "number"], "top_p": ["type": "number"],
            "top_k": ["type": "integer"], "min_p": ["type": "number"], "repetition_penalty": ["type": "number"],
            "presence_penalty": ["type": "number"],
            "frequency_penalty": ["type": "number"], "logit_bias": ["type": "object"], "seed": ["type": "integer"],
            "stop": ["oneOf": [["type": "string"], ["type": "array", "items": ["type": "string"]]]],
            "stream": ["type": "boolean"],
            "stream_options": ["type": "object"], "response_format": ["type": "object"],
        ]
        if isChat {
            properties["logprobs"] = ["type": "boolean"]
            properties["top_logprobs"] = ["type": "integer"]
            properties["max_completion_tokens"] = ["type": "integer"]
            properties["memory"] = [
                "description": "Recall before the answer, remember after it.",
                "oneOf": [
                    ["type": "boolean"],
                    [
                        "type": "object",
                        "properties": [
                            "user": ["type": "string"], "tenant": ["type": "string"], "session": ["type": "string"],
                            "limit": ["type": "integer", "minimum": 1, "maximum": 50],
                            "also": ["type": "array", "items": ["type": "string"]],
                            "remember": ["type": "boolean"],
                        ],
                    ],
                ],
            ]
        }
        return ["type": "object", "required": [.string(field)], "properties": .object(properties)]
    }

    static func document(version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for operation in OperationTable.all {
            guard let route = operation.route, operation.surfaces.contains(.http) else { continue }
            var methods = paths[route.path]?.object ?? [:]
            methods[route.method.rawValue.lowercased()] = description(operation, route)
            paths[route.path] = .object(methods)
        }
        paths["/v1/embeddings"] = [
            "post": [
                "operationId": "embeddings", "summary": "Vectors of texts (OpenAI-compatible).",
                "requestBody": [
                    "required": true,
                    "content": [
                        "application/json": [
                            "schema": [
                                "type": "object", "required": ["input"],
                                "properties": [
                                    "input": [
                                        "oneOf": [["type": "string"], ["type": "array", "items": ["type": "string"]]]
                                    ], "model": ["type": "string"],
                                    "encoding_format": ["type": "string", "enum": ["float", "base64"]],
                                    "dimensions": ["type": "integer"],
                                ],
                            ]
                        ]
                    ],
                ],
                "responses": responses,
            ]
        ]
        for (path, name, summary, field, schema) in [
            (
                "/v1/chat/completions", "chat",
                "An answer in a conversation (OpenAI-compatible), with `memory` if asked for.", "messages",
                [
                    "type": "array",
                    "items": [
                        "type": "object", "required": ["role"],
                        "properties": [
                            "role": ["type": "string", "enum": ["system", "developer", "user", "assistant", "tool"]],
                            "content": ["type": "string"],
                        ],
                    ],
                ]
            ),
            (
                "/v1/completions", "completions", "The continuation of a text (OpenAI-compatible).", "prompt",
                ["type": "string"]
            ),
        ] as [(String, String, String, String, JSONValue)] {
            paths[path] = [
                "post": [
                    "operationId": .string(name), "summary": .string(summary),
                    "requestBody": [
                        "required": true,
                        "content": [
                            "application/json": ["schema": generation(required: field, schema, isChat: name == "chat")]
                        ],
                    ],
                    "responses": responses,
                ]
            ]
        }
        paths["/v1/models"] = [
            "get": ["operationId": "models", "summary": "The models that are served.", "responses": responses]
        ]
        paths["/v1/models/{id}"] = [
            "get": [
                "operationId": "model", "summary": "One model that is served.", "responses": responses,
                "parameters": [["name": "id", "in": "path", "required": true, "schema": ["type": "string"]]],
            ]
        ]
        paths["/healthz"] = [
            "get": [
                "operationId": "health", "summary": "Whether the server answers.", "security": [],
                "responses": ["200": ["description": "It does."]],
            ]
        ]
        paths["/metrics"] = [
            "get": [
                "operationId": "metrics", "summary": "Prometheus text.",
                "responses": ["200": ["description": "Metrics."]],
            ]
        ]
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Mneme", "version": .string(version), "description": "Memory for language models.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "paths": .object(paths),
            "security": [["key": []]],
            "components": [
                "securitySchemes": ["key": ["type": "http", "scheme": "bearer"]],
                "schemas": [
                    "Error": [
                        "type": "object", "required": ["error"],
                        "properties": [
                            "error": [
                                "type": "object", "required": ["type", "message"],
                                "properties": [
                                    "type": ["type": "string"], "code": ["type": "string"],
                                    "message": ["type": "string"],
                                ],
                            ]
                        ],
                    ]
                ],
            ],
        ]
    }

    private static let responses: JSONValue = [
        "200": ["description": "Done.", "content": ["application/json": ["schema": ["type": "object"]]]],
        "default": [
            "description": "Refused or failed.",
            "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
        ],
    ]

    private static func description(_ operation: any Mneme.Operation.Type, _ route: Route) -> JSONValue {
        let offered = operation.parameters.filter { $0.surfaces.contains(.http) }
        let inPath = offered.filter { route.path.contains("{\($0.name)}") },
            rest = offered.filter { !route.path.contains("{\($0.name)}") }
        func parameter(_ p: any AnyParameter, _ place: String) -> JSONValue {
            var schema = p.schema.object ?? [:]
            schema["description"] = nil
            return [
                "name": .string(p.name), "in": .string(place), "required": .bool(place == "path" || p.isRequired),
                "description": .string(p.help),
                "schema": .object(schema),
            ]
        }
        var result: [String: JSONValue] = [
            "operationId": .string(operation.name), "summary": .string(operation.summary), "responses": responses,
            "x-permission": .string(operation.permission.rawValue),
        ]
        if !operation.discussion.isEmpty { result["description"] = .string(operation.discussion) }
        if route.method == .get || route.method == .delete {
            result["parameters"] = .array(inPath.map { parameter($0, "path") } + rest.map { parameter($0, "query") })
        } else {
            result["parameters"] = .array(inPath.map { parameter($0, "path") })
            result["requestBody"] = [
                "required": .bool(rest.contains(where: \.isRequired)),
                "content": [
                    "application/json": [
                        "schema": [
                            "type": "object", "additionalProperties": false,
                            "required": .array(rest.filter(\.isRequired).map { .string($0.name) }),
                            "properties": .object(Dictionary(uniqueKeysWithValues: rest.map { ($0.name, $0.schema) })),
                        ]
                    ]
                ],
            ]
        }
        return .object(result)
    }
}
