import Mneme

/// What the OpenAPI document says of the server's own routes.
extension OpenAPI {
    /// The viewer.
    static let viewer: JSONValue = [
        "operationId": "viewer", "summary": "The viewer, for a browser.", "security": [],
        "responses": responses(.openAI, ["text/html": AnswerSchema.text]),
    ]
    /// Health.
    static let health: JSONValue = [
        "operationId": "health", "summary": "Whether the server answers.", "security": [],
        "responses": responses(
            .openAI,
            [
                json: AnswerSchema.shape([
                    "status": AnswerSchema.only("ok"), "version": AnswerSchema.text,
                ])
            ]),
    ]
    /// The document itself.
    static let openAPI: JSONValue = [
        "operationId": "openapi", "summary": "This document.", "security": [],
        "responses": responses(
            .openAI,
            [
                json: AnswerSchema.shape([
                    "openapi": AnswerSchema.text, "info": AnswerSchema.object,
                    "paths": AnswerSchema.object,
                ])
            ]),
    ]
    /// Metrics.
    static let metrics: JSONValue = [
        "operationId": "metrics", "summary": "Prometheus text.",
        "responses": responses(.openAI, ["text/plain": AnswerSchema.text]),
    ]
    /// MCP.
    static let mcp: JSONValue = [
        "operationId": "mcp",
        "summary": "The Model Context Protocol: one JSON-RPC 2.0 message, or a batch.",
        "requestBody": [
            "required": true,
            "content": [
                json: [
                    "schema": [
                        "type": "object", "required": ["jsonrpc", "method"],
                        "properties": [
                            "jsonrpc": ["type": "string", "enum": ["2.0"]],
                            "id": ["type": ["string", "number"]],
                            "method": ["type": "string"],
                            "params": ["type": "object"],
                        ],
                    ]
                ]
            ],
        ],
        "responses": [
            "200": [
                "description": "The answer, also where the call failed.",
                "content": [
                    json: ["schema": ["anyOf": [answer, AnswerSchema.list(answer)]]],
                    "text/event-stream": ["schema": AnswerSchema.text],
                ],
            ],
            "202": ["description": "Taken; a notification has no answer."],
            "default": [
                "description": "Refused, or no message of JSON-RPC.",
                "content": [json: ["schema": ["anyOf": [answer, error]]]],
            ],
        ],
    ]

    /// An answer of JSON-RPC.
    private static let answer = AnswerSchema.shape([
        "jsonrpc": AnswerSchema.only("2.0"), "id": ["type": ["string", "number", "null"]],
        "result?": AnswerSchema.object,
        "error?": AnswerSchema.shape(["code": ["type": "integer"], "message": AnswerSchema.text]),
    ])
}
