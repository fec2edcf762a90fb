import HTTPTypes
import Mneme
import MnemeStore

/// The OpenAPI 3.1 document of the HTTP interface, made from ``ServedRoute/all``.
enum OpenAPI {
    /// The whole document. Made anew for each request: it is asked for once, by tools that write
    /// clients.
    ///
    /// - Parameter version: the program's own, as the document's.
    static func document(version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for route in ServedRoute.all {
            guard let description = route.description else { continue }
            var methods = paths[route.path]?.object ?? [:]
            methods[route.method.rawValue.lowercased()] = description
            paths[route.path] = .object(methods)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Mneme", "version": .string(version),
                "description": "Memory for language models.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "paths": .object(paths),
            "security": [["key": []]],
            "components": [
                "securitySchemes": ["key": ["type": "http", "scheme": "bearer"]],
                "schemas": .object(errors),
            ],
        ]
    }

    /// The schema of this server's own errors.
    static let error: JSONValue = [
        "$ref": .string("#/components/schemas/\(WireForm.openAI.schemaName)")
    ]

    /// A schema for each API's errors.
    private static var errors: [String: JSONValue] {
        let text: JSONValue = ["type": "string"]
        func object(_ members: [String: JSONValue]) -> JSONValue {
            [
                "type": "object", "properties": .object(members),
                "required": .array(members.keys.sorted().map { .string($0) }),
            ]
        }
        return [
            WireForm.openAI.schemaName: object([
                "error": object([
                    "type": ["type": "string", "description": "The same as the code."],
                    "code": ["type": "string", "description": .string(codes)], "message": text,
                ])
            ]),
            WireForm.anthropic.schemaName: object([
                "type": text, "error": object(["type": text, "message": text]),
            ]),
            WireForm.ollama.schemaName: object(["error": text]),
            WireForm.mem0.schemaName: object(["detail": text, "code": text]),
        ]
    }

    /// Values of an error's `code`. The classes are all; finer names are told where clients act
    /// on them.
    private static var codes: String {
        let known = ErrorClass.allCases.map(\.rawValue).joined(separator: ", ")
        return
            "One of \(known), or a finer name such as context_length_exceeded, model_not_found or quota_reached."
    }

    /// True if an answer can be held to a schema.
    private static func holdsSchema(_ route: WireRoute) -> Bool {
        route.fields.contains { $0.name == GenerationFields.responseFormat.name }
    }

    /// Done, or refused in the form of the API that a route belongs to.
    ///
    /// - Parameter answers: schemas of what is answered, by its content types.
    static func responses(
        _ form: WireForm, _ answers: [String: JSONValue], headers: JSONValue? = nil
    ) -> JSONValue {
        var done: [String: JSONValue] = [
            "description": "Done.", "content": .object(answers.mapValues { ["schema": $0] }),
        ]
        done["headers"] = headers
        return ["200": .object(done), "default": refused(form)]
    }

    /// An answer in the form of an API's errors.
    private static func refused(_ form: WireForm) -> JSONValue {
        [
            "description": "Refused or failed.",
            "content": [
                json: ["schema": ["$ref": .string("#/components/schemas/\(form.schemaName)")]]
            ],
        ]
    }

    static let json = "application/json"
    private static let lines = "application/x-ndjson"

    /// The answers of a route, by their content types.
    private static func answers(of route: WireRoute) -> [String: JSONValue] {
        var answers = [json: AnswerSchema.answer(of: route)]
        if let type = AnswerSchema.streamType(of: route) {
            // Each event, or line, is JSON; the whole is not.
            answers[type] = AnswerSchema.text
        }
        return answers
    }

    /// Headers that tell what of a request was not done.
    private static func headers(of route: WireRoute) -> JSONValue? {
        guard holdsSchema(route) else { return nil }
        var headers = SchemaNotice.description.object ?? [:]
        if [WireRoute.createResponse.name, WireRoute.messages.name].contains(route.name) {
            headers.merge(ToolNotice.description.object ?? [:]) { $1 }
        }
        return .object(headers)
    }

    /// A route of another API: its fields in the query where the method has no body, else in the
    /// body. What a form takes besides and ignores is not listed.
    static func description(_ route: WireRoute) -> JSONValue {
        var result: [String: JSONValue] = [
            "operationId": .string(route.name), "summary": .string(route.summary),
            "responses": responses(
                route.form, answers(of: route),
                headers: headers(of: route)),
        ]
        if let permission = route.permission {
            result["x-permission"] = .string(permission.rawValue)
        }
        var parameters = route.placeholders.map { name -> JSONValue in
            ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]]
        }
        if route.readsQuery {
            parameters += route.fields.map { field in
                [
                    "name": .string(field.name), "in": "query",
                    "required": .bool(field.isRequired), "schema": field.schema,
                ]
            }
        }
        if !parameters.isEmpty { result["parameters"] = .array(parameters) }
        if !route.readsQuery, !route.fields.isEmpty {
            result["requestBody"] = [
                "required": true,
                "content": ["application/json": ["schema": .schema(of: route.fields)]],
            ]
        }
        return .object(result)
    }

    /// An operation of the table, by the parameters that HTTP offers: those in braces in the path,
    /// the others in the query or the body.
    static func description(_ operation: any Mneme.Operation.Type, _ route: Route)
        -> JSONValue
    {
        let offered = operation.parameters.filter { $0.surfaces.contains(.http) }
        let inPath = offered.filter { route.path.contains("{\($0.name)}") }
        let rest = offered.filter { !route.path.contains("{\($0.name)}") }
        func parameter(_ p: any AnyParameter, _ place: String) -> JSONValue {
            var schema = p.schema.object ?? [:]
            schema["description"] = nil
            return [
                "name": .string(p.name), "in": .string(place),
                "required": .bool(place == "path" || p.isRequired),
                "description": .string(p.help),
                "schema": .object(schema),
            ]
        }
        var result: [String: JSONValue] = [
            "operationId": .string(operation.name), "summary": .string(operation.summary),
            "responses": responses(
                .openAI,
                operation.answersLines
                    ? [lines: AnswerSchema.text] : [json: AnswerSchema.answer(of: operation.name)]),
            "x-permission": .string(operation.permission.rawValue),
        ]
        if !operation.discussion.isEmpty { result["description"] = .string(operation.discussion) }
        if route.method == .get || route.method == .delete {
            result["parameters"] = .array(
                inPath.map { parameter($0, "path") } + rest.map { parameter($0, "query") })
        } else {
            result["parameters"] = .array(inPath.map { parameter($0, "path") })
            result["requestBody"] = [
                "required": .bool(rest.contains(where: \.isRequired)),
                "content": [
                    "application/json": [
                        "schema": [
                            "type": "object", "additionalProperties": false,
                            "required": .array(rest.filter(\.isRequired).map { .string($0.name) }),
                            "properties": .object(
                                Dictionary(uniqueKeysWithValues: rest.map { ($0.name, $0.schema) })),
                        ]
                    ]
                ],
            ]
        }
        return .object(result)
    }
}

extension WireForm {
    /// The name of the schema of its errors in the OpenAPI document.
    fileprivate var schemaName: String {
        switch self {
        case .openAI: "Error"
        case .anthropic: "AnthropicError"
        case .ollama: "OllamaError"
        case .mem0: "Mem0Error"
        }
    }
}
