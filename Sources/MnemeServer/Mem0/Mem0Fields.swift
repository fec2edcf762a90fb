import Foundation
import Mneme

/// The fields of requests to mem0's routes.
enum Mem0Fields {
    /// Whose memories: a user of the key's own tenant; the key's own user if left out.
    static let user = RequestField<String>("user_id")
    /// The agent that memories belong to.
    static let agent = RequestField<String>("agent_id")
    /// The application that memories belong to; kept as a tag.
    static let app = RequestField<String>("app_id")
    /// The conversation that memories belong to: a session here.
    static let run = RequestField<String>("run_id")
    /// The question that memories are searched for.
    static let query = RequestField<String>("query", required: true)
    /// Memories answered at most; 10 if left out. `limit` is its name in the self-hosted server.
    static let topK = RequestField<Int>("top_k", in: 1...1000)
    /// The same as `top_k`, by its name in the self-hosted server.
    static let limit = RequestField<Int>("limit", in: 1...1000)
    /// The least score of an answer, on this server's own scale.
    static let threshold = RequestField<Double>("threshold")
    /// A memory's new text.
    static let text = RequestField<String>("text")
    /// The day from which a memory is not recalled any more, such as 2026-03-01.
    static let expiration = RequestField<String>("expiration_date")
    /// The page of a list, from 1.
    static let page = RequestField<Int>(text: "page", in: 1...1_000_000)
    /// Memories on a page; 100 if left out.
    static let pageSize = RequestField<Int>(text: "page_size", in: 1...1000)

    /// Seconds since 1970, to the year 9999.
    static let timestamp = RequestField<Int>("timestamp", in: 0...253_402_300_799)

    /// The caller's own values, of any JSON type.
    static let metadata = RequestField<[String: JSONValue]>(
        "metadata", schema: ["type": "object"]
    ) { request, name in
        guard let value = request[name] else { return nil }
        guard let members = value.object else { throw InputError("'\(name)' must be an object.") }
        return members
    }

    /// A text, a message, or a list of messages.
    static let messages = RequestField<[JSONValue]>(
        "messages",
        schema: [
            "oneOf": [
                ["type": "string"], ["type": "object"],
                ["type": "array", "items": ["type": "object"]],
            ]
        ],
        required: true
    ) { request, name in
        switch request[name] {
        case nil: return nil
        case .string(let text)?: return [["role": "user", "content": .string(text)]]
        case .object(let message)?: return [.object(message)]
        case .array(let list)?: return list
        default: throw InputError("'\(name)' must be a text or a list of messages.")
        }
    }

    /// Whose memories, and which: members of its own, an `AND` of such, or `"*"` for any.
    static let filters = RequestField<JSONValue>("filters", schema: ["type": "object"]) {
        request, name in
        guard let value = request[name] else { return nil }
        // In a query it stands as JSON.
        let filters = try value.string.map { try JSONValue(parsing: Array($0.utf8)) } ?? value
        guard filters.object != nil else { throw InputError("'\(name)' must be an object.") }
        return filters
    }

    /// Changes of several memories, each with its `memory_id`.
    static let batch = RequestField<[JSONFields]>(
        "memories",
        schema: [
            "type": "array", "maxItems": 1000,
            "items": [
                "type": "object", "required": ["memory_id"],
                "properties": ["memory_id": ["type": "string"], "text": ["type": "string"]],
            ],
        ],
        required: true
    ) { request, name in
        guard let list = try request.list(name) else { return nil }
        guard list.count <= 1000 else {
            throw InputError("'\(name)' must hold at most 1000 memories.")
        }
        return try list.enumerated().map { i, value in
            guard let members = value.object else {
                throw InputError("'\(name)[\(i)]' must be an object.")
            }
            return JSONFields(members, path: "\(name)[\(i)]")
        }
    }
    /// The id of one of several memories.
    static let memoryID = RequestField<String>("memory_id", required: true)

    /// The fields that say whose memories are meant.
    static let scope: [any AnyRequestField] = [user, agent, app, run, filters]
    /// The fields of a request to remember.
    static let add: [any AnyRequestField] = scope + [messages, metadata, timestamp, expiration]
    /// The fields of a search.
    static let search: [any AnyRequestField] = scope + [query, topK, limit, threshold]
    /// The fields of a list.
    static let list: [any AnyRequestField] = scope + [page, pageSize]
    /// The fields of a change.
    static let update: [any AnyRequestField] = [text, metadata, timestamp, expiration]
}

extension RequestField<Int> {
    /// A whole number that a query carries as text.
    init(text name: String, in range: ClosedRange<Int>) {
        self.init(
            name,
            schema: [
                "type": "integer", "minimum": .number(Double(range.lowerBound)),
                "maximum": .number(Double(range.upperBound)),
            ]
        ) { request, name in
            guard let value = request[name] else { return nil }
            guard let number = value.int ?? value.string.flatMap({ Int($0) }),
                range.contains(number)
            else {
                throw InputError(
                    "'\(name)' must be a whole number between \(range.lowerBound) and \(range.upperBound)."
                )
            }
            return number
        }
    }
}

/// The memories that a request to mem0's routes means. A user is a user here, too; an agent is an
/// agent, a run a session, and an app a tag.
struct Mem0Scope: Sendable {
    /// Names of a user, agent, app and run; nil for any.
    private(set) var user: String?
    private(set) var agent: String?
    private(set) var app: String?
    private(set) var run: String?
    /// Members that a memory's metadata must have.
    private(set) var metadata: [String: JSONValue] = [:]

    /// The tag of memories of an app.
    static func tag(_ app: String) -> String { "app:" + app }

    /// True if nobody and nothing is named, which means all of the caller's memories.
    var isEmpty: Bool { user == nil && agent == nil && app == nil && run == nil }

    /// Reads the names beside `filters`, then those within, which go first.
    ///
    /// - Throws: `InputError` for filters that are not known.
    init(_ fields: JSONFields) throws {
        user = try Mem0Fields.user.read(fields)
        agent = try Mem0Fields.agent.read(fields)
        app = try Mem0Fields.app.read(fields)
        run = try Mem0Fields.run.read(fields)
        if let filters = try Mem0Fields.filters.read(fields) { try take(filters, depth: 0) }
    }

    /// An entity of a type: user, agent, app or run.
    ///
    /// - Throws: `InputError` for another type.
    init(type: String, name: String) throws {
        switch type {
        case "user": user = name
        case "agent": agent = name
        case "app": app = name
        case "run": run = name
        default: throw InputError("'\(type.prefix(40))' must be user, agent, app or run.")
        }
    }

    /// Takes an object of filters: each member narrows what is meant.
    private mutating func take(_ filters: JSONValue, depth: Int) throws {
        guard let members = filters.object, depth < 8 else {
            throw InputError("'filters' must be objects, at most 8 deep.")
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "AND":
                guard let list = value.array else {
                    throw InputError("'filters.AND' must be a list.")
                }
                for part in list { try take(part, depth: depth + 1) }
            case "user_id": user = try Self.name(value, name) ?? user
            case "agent_id": agent = try Self.name(value, name) ?? agent
            case "app_id": app = try Self.name(value, name) ?? app
            case "run_id": run = try Self.name(value, name) ?? run
            case "metadata":
                guard let wanted = value.object else {
                    throw InputError("'filters.metadata' must be an object.")
                }
                metadata.merge(wanted) { $1 }
            default:
                throw InputError(
                    "'filters.\(name.prefix(40))' is not known here: user_id, agent_id, app_id, run_id, metadata and AND are."
                )
            }
        }
    }

    /// A name that must be met; nil for any.
    private static func name(_ value: JSONValue, _ field: String) throws -> String? {
        switch value {
        case .null, .string("*"): return nil
        case .string(let text) where !text.utf8.contains(0): return text
        default:
            if let only = value["in"]?.array, only.count == 1 { return try name(only[0], field) }
            throw InputError("'filters.\(field)' must be one name.")
        }
    }

    /// The same as arguments of operations.
    var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        arguments["user"] = user.map { .string($0) }
        arguments["agent"] = agent.map { .string($0) }
        arguments["session"] = run.map { .string($0) }
        arguments["tag"] = app.map { .string(Self.tag($0)) }
        return arguments
    }
}
