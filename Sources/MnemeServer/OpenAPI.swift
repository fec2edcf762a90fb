import Mneme
import MnemeStore

/// The OpenAPI 3.1 document of the HTTP interface, made from the operation table and
/// ``ModelRoute/all``.
enum OpenAPI {
    static func document(version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for operation in OperationTable.all {
            guard let route = operation.route, operation.surfaces.contains(.http) else { continue }
            var methods = paths[route.path]?.object ?? [:]
            methods[route.method.rawValue.lowercased()] = description(operation, route)
            paths[route.path] = .object(methods)
        }
        for route in ModelRoute.all {
            paths[route.route.path] = [route.route.method.rawValue.lowercased(): description(route)]
        }
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
                "title": "Mneme", "version": .string(version),
                "description": "Memory for language models.",
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
                                "type": "object", "required": ["type", "code", "message"],
                                "properties": [
                                    "type": [
                                        "type": "string", "description": "The same as the code.",
                                    ],
                                    "code": ["type": "string", "description": .string(codes)],
                                    "message": ["type": "string"],
                                ],
                            ]
                        ],
                    ]
                ],
            ],
        ]
    }

    private static var codes: String {
        let known = ErrorClass.allCases.map(\.rawValue).joined(separator: ", ")
        return
            "One of \(known), or a finer name such as context_length_exceeded, model_not_found or quota_reached."
    }

    private static let responses: JSONValue = [
        "200": [
            "description": "Done.", "content": ["application/json": ["schema": ["type": "object"]]],
        ],
        "default": [
            "description": "Refused or failed.",
            "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
        ],
    ]

    private static func description(_ route: ModelRoute) -> JSONValue {
        var result: [String: JSONValue] = [
            "operationId": .string(route.name), "summary": .string(route.summary),
            "responses": responses,
        ]
        if let permission = route.permission {
            result["x-permission"] = .string(permission.rawValue)
        }
        if route.route.path.contains("{id}") {
            result["parameters"] = [
                ["name": "id", "in": "path", "required": true, "schema": ["type": "string"]]
            ]
        }
        if !route.fields.isEmpty {
            result["requestBody"] = [
                "required": true,
                "content": ["application/json": ["schema": .schema(of: route.fields)]],
            ]
        }
        return .object(result)
    }

    private static func description(_ operation: any Mneme.Operation.Type, _ route: Route)
        -> JSONValue
    {
        let offered = operation.parameters.filter { $0.surfaces.contains(.http) }
        let inPath = offered.filter { route.path.contains("{\($0.name)}") },
            rest = offered.filter { !route.path.contains("{\($0.name)}") }
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
            "responses": responses,
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
