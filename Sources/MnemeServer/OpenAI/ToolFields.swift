import Mneme
import MnemeBase
import MnemeEngine

/// The fields of a request to chat that are about tools.
enum ToolFields {
    /// The functions that the model may call, with the schemas of their arguments.
    static let tools = RequestField<[JSONValue]>(
        "tools",
        schema: [
            "type": "array", "maxItems": .number(Double(ToolSet.maximumTools)),
            "items": [
                "type": "object", "required": ["type", "function"],
                "properties": [
                    "type": ["const": "function"],
                    "function": .schema(of: Function.all),
                ],
            ],
        ]
    ) { try $0.list($1) }

    /// The choice between text and calls: `auto` if left out.
    static let choice = RequestField<ToolChoice>(
        "tool_choice",
        schema: [
            "oneOf": [
                ["type": "string", "enum": ["auto", "none", "required"]],
                [
                    "type": "object", "required": ["type", "function"],
                    "properties": [
                        "type": ["const": "function"],
                        "function": [
                            "type": "object", "required": ["name"],
                            "properties": ["name": ["type": "string"]],
                        ],
                    ],
                ],
                [
                    "type": "object", "required": ["type", "allowed_tools"],
                    "properties": [
                        "type": ["const": "allowed_tools"], "allowed_tools": allowedSchema,
                    ],
                ],
            ]
        ]
    ) { request, name in
        guard let value = request[name] else { return nil }
        switch value.string {
        case "auto": return .auto
        case "none": return ToolChoice.none
        case "required": return .required
        default: break
        }
        if value["type"]?.string == "allowed_tools", let allowed = value["allowed_tools"] {
            return try Self.allowed(allowed, name) { $0["function"]?["name"]?.string }
        }
        guard value["type"]?.string == "function", let tool = value["function"]?["name"]?.string
        else {
            throw InputError(
                "'\(name)' must be auto, none, required, {\"type\": \"function\", \"function\": {\"name\": …}} or allowed_tools."
            )
        }
        return .named(tool)
    }

    /// Some of the tools, and whether one of them must be called.
    static let allowedSchema: JSONValue = [
        "type": "object", "required": ["mode", "tools"],
        "properties": [
            "mode": ["type": "string", "enum": ["auto", "required"]],
            "tools": ["type": "array", "minItems": 1, "items": ["type": "object"]],
        ],
    ]

    /// Reads ``allowedSchema``.
    ///
    /// - Parameter tool: the name of a tool of the list; nil if it has none.
    /// - Throws: `InputError`.
    static func allowed(
        _ value: JSONValue, _ name: String, _ tool: (JSONValue) -> String?
    ) throws -> ToolChoice {
        let tools = value["tools"]?.array ?? []
        let names = tools.compactMap(tool)
        guard let mode = value["mode"]?.string, ["auto", "required"].contains(mode),
            !names.isEmpty, names.count == tools.count
        else {
            throw InputError(
                "'\(name)' of allowed_tools must have a 'mode', auto or required, and the functions as 'tools'.")
        }
        return .among(names, isRequired: mode == "required")
    }

    /// True if one answer may hold several calls; true if left out.
    static let parallel = RequestField<Bool>("parallel_tool_calls")

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] = [tools, choice, parallel]

    /// The fields of a tool's `function`.
    private enum Function {
        /// The function's name, by which the model calls it.
        static let name = RequestField<String>("name")
        /// The function's purpose, in words for the model.
        static let description = RequestField<String>("description")
        /// JSON schema of the arguments, to which every token of a call is held.
        static let parameters = RequestField<JSONFields>("parameters", schema: ["type": "object"]) {
            try $0.fields($1)
        }
        /// True refuses a schema with keywords that cannot be kept while a call is written.
        static let strict = RequestField<Bool>("strict")
        /// Every field of `function`.
        static let all: [any AnyRequestField] = [name, description, parameters, strict]
    }

    /// The tools of a request; nil if it has none.
    ///
    /// - Parameter body: the request as it was sent: a schema's members keep their order.
    /// - Throws: `InputError`, `EngineError`.
    static func set(_ request: JSONFields, body: String) throws -> ToolSet? {
        let choice = try choice.read(request) ?? .auto
        let isParallel = try parallel.read(request) ?? true
        guard let list = try tools.read(request), !list.isEmpty else {
            // Whoever demands a call and offers nothing hears of it.
            _ = try ToolSet([], choice: choice, allowsParallel: isParallel)
            return nil
        }
        guard list.count <= ToolSet.maximumTools else {
            throw InputError("'\(tools.name)' may hold \(ToolSet.maximumTools) tools at most.")
        }
        let written = try OrderedJSON(body)[tools.name] ?? .null
        let definitions = try list.enumerated().map { i, tool in
            try definition(tool, written: written[i] ?? .null, i)
        }
        return try ToolSet(definitions, choice: choice, allowsParallel: isParallel)
    }

    /// A tool of the list.
    ///
    /// - Parameter written: the tool with its members in their order.
    /// - Throws: `InputError`, `EngineError`.
    private static func definition(_ tool: JSONValue, written: OrderedJSON, _ index: Int) throws
        -> ToolDefinition
    {
        let path = "\(tools.name)[\(index)]"
        guard tool["type"]?.string == "function", let members = tool["function"]?.object else {
            throw InputError("'\(path)' must have the type 'function' and a 'function'.")
        }
        return try FunctionTool.definition(
            .object(members), written: written["function"] ?? .null, path + ".function")
    }

    // MARK: Messages

    /// The calls that a message of the assistant in a history holds.
    static func calls(of message: JSONValue) throws -> [ToolCall] {
        switch message["tool_calls"] {
        case nil, .null: return []
        case .array(let list)?: return try list.map(call)
        default: throw InputError("A message's 'tool_calls' must be a list.")
        }
    }

    /// A call in a history. Its arguments are the text of a JSON object, as a model wrote it.
    private static func call(_ json: JSONValue) throws -> ToolCall {
        guard let id = json["id"]?.string, let function = json["function"],
            let name = function["name"]?.string, let given = function["arguments"],
            // Some clients leave it the object that it was.
            let arguments = try given.string ?? given.object.map({ try OperationTable.encode(JSONValue.object($0)) })
        else {
            throw InputError(
                "Each of 'tool_calls' must have an 'id' and a 'function' with 'name' and 'arguments' as texts."
            )
        }
        guard arguments.isEmpty || (try? OrderedJSON(arguments))?.members != nil else {
            throw InputError("The arguments of the tool call '\(id.prefix(60))' are no JSON object.")
        }
        return ToolCall(id: id, name: name, arguments: arguments.isEmpty ? "{}" : arguments)
    }
}
