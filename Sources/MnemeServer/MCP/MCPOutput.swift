import Mneme
import MnemeStore

extension JSONValue {
    /// The schema of an object.
    ///
    /// - Parameters:
    ///   - properties: schemas of members, by their names.
    ///   - required: members that are always there; nil if none is.
    static func objectSchema(properties: [String: JSONValue], required: [String]?) -> JSONValue {
        var schema: [String: JSONValue] = [
            "type": "object", "properties": .object(properties),
        ]
        schema["required"] = required.map { .array($0.map { .string($0) }) }
        return .object(schema)
    }

    /// The schema of a list.
    ///
    /// - Parameter items: the schema of each.
    static func listSchema(of items: JSONValue) -> JSONValue { ["type": "array", "items": items] }
}

/// Structured answers of tools, and their schemas.
///
/// It is what HTTP answers, without what analysis found in texts and what is as it always is: many
/// hosts put the structure before their model, not the text. `get` has the whole memory.
enum MCPOutput {
    // MARK: Schemas

    /// The schema of a text.
    private static let text: JSONValue = ["type": "string"]
    /// The schema of a whole number.
    private static let count: JSONValue = ["type": "integer"]
    /// The schema of a memory: what each has. There may be more: speaker, type, tags, metadata,
    /// session, validUntil, expires, state, as HTTP has them.
    private static let memory: JSONValue = .objectSchema(
        properties: ["id": text, "text": text, "eventTime": text],
        required: ["id", "text", "eventTime"])
    /// The schema of a link between two memories.
    private static let link: JSONValue = .objectSchema(
        properties: ["source": text, "target": text, "kind": text, "time": text],
        required: ["source", "target", "kind"])
    /// The schema of a grant.
    private static let grant: JSONValue = .objectSchema(
        properties: ["id": count, "grantee": text, "permissions": .listSchema(of: text), "upTo": text],
        required: ["id", "grantee", "permissions"])
    /// The schema of counts by name.
    private static let counts: JSONValue = ["type": "object", "additionalProperties": count]

    /// The schema of what a tool answers.
    ///
    /// Objects are open: a client that validates takes members that are not named here.
    static func schema(of operation: String) -> JSONValue {
        switch operation {
        case "remember":
            one(
                "memories",
                .listSchema(
                    of: .objectSchema(
                        properties: [
                            "id": text, "duplicate": ["type": "boolean"], "memory": memory,
                        ],
                        required: ["id", "duplicate", "memory"])))
        case "recall":
            one(
                "memories",
                .listSchema(
                    of: .objectSchema(
                        properties: ["memory": memory, "score": ["type": "number"]],
                        required: ["memory", "score"])))
        case "ask":
            .objectSchema(
                properties: [
                    "answer": text, "certain": ["type": "boolean"], "reasons": .listSchema(of: text),
                    "memories": .listSchema(of: memory),
                ], required: ["answer", "certain", "memories"])
        case "learn":
            .objectSchema(
                properties: ["memory": memory, "changed": .listSchema(of: text), "procedure": memory],
                required: ["memory", "changed"])
        case "task":
            .objectSchema(
                properties: [
                    "task": text, "step": text, "active": text, "prompt": text,
                    "files": .listSchema(
                        of: .objectSchema(
                            properties: ["path": text, "outline": text, "text": text], required: ["path", "outline"])),
                ], required: ["task", "step", "prompt"])
        case "profile":
            .objectSchema(
                properties: [
                    "of": text,
                    "lines": .listSchema(
                        of: .objectSchema(
                            properties: ["attribute": text, "value": text, "memories": .listSchema(of: text)],
                            required: ["attribute", "value", "memories"])),
                ], required: ["of", "lines"])
        case "list":
            .objectSchema(
                properties: ["memories": .listSchema(of: memory), "next": text], required: ["memories"])
        case "erase": one("erased", text)
        case "history":
            one(
                "history",
                .listSchema(
                    of: .objectSchema(
                        properties: [
                            "version": count, "operation": text, "time": text, "principal": text,
                            "snapshot": memory,
                        ], required: ["version", "operation", "time", "principal"])))
        case "link": one("links", .listSchema(of: link))
        case "share": one("grant", grant)
        case "unshare": one("unshared", count)
        case "grants":
            .objectSchema(
                properties: ["grants": .listSchema(of: grant), "received": .listSchema(of: grant)],
                required: ["grants", "received"])
        case "stats":
            .objectSchema(
                properties: ["memories": count, "byState": counts, "byType": counts],
                required: ["memories"])
        case "tiers":
            .objectSchema(
                properties: [
                    "counts": counts, "profile": .listSchema(of: ["type": "object"]),
                    "topics": .listSchema(of: ["type": "object"]),
                ], required: ["counts", "profile", "topics"])
        // All that change or show one memory.
        default: one("memory", memory)
        }
    }

    /// The schema of an object with one member.
    private static func one(_ name: String, _ schema: JSONValue) -> JSONValue {
        .objectSchema(properties: [name: schema], required: [name])
    }

    // MARK: Values

    /// An operation's answer as it is sent.
    ///
    /// - Parameter home: whose memories are meant where nobody is named.
    static func structure(_ value: JSONValue, of operation: String, home: Owner) -> JSONValue {
        operation == "get" ? value : compact(value, home: home)
    }

    /// An answer without the texts of quarantined memories: whoever reads it is a model, and they
    /// read like instructions to one. People look at them with `mneme get`.
    static func withholding(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(withholding))
        case .object(var members):
            members = members.mapValues(withholding)
            if members["state"] == "quarantined", members["text"] != nil {
                members["text"] = "(quarantined until a person releases it; `mneme get` shows it)"
                for name in ["claims", "entities", "keywords"] { members[name] = [] }
                // The parts of a case or step say what its text says.
                if members["metadata"] != nil { members["metadata"] = [:] }
            }
            return .object(members)
        default: return value
        }
    }

    /// Members that analysis and bookkeeping add to a memory, left out of lean answers.
    private static let derived: Set<String> = [
        "claims", "dates", "entities", "keywords", "provenance", "usage", "recordedTime",
        "updatedTime", "utcOffset", "topic", "explanation", "matched",
    ]
    /// Members' usual values, which an answer does not repeat.
    static let defaults: [String: JSONValue] = [
        "state": "activated", "version": 1, "sensitivity": "internal", "priority": 0,
    ]

    /// A value without what analysis added and without what is empty or usual.
    private static func compact(_ value: JSONValue, home: Owner) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map { compact($0, home: home) })
        case .object(let members):
            // Elsewhere the same names are what was asked for.
            guard members["scope"] != nil || members["explanation"] != nil else {
                return .object(members.mapValues { compact($0, home: home) })
            }
            var kept: [String: JSONValue] = [:]
            for (name, member) in members
            where !derived.contains(name) && defaults[name] != member && !isEmpty(member) {
                kept[name] = compact(member, home: home)
            }
            kept["scope"] = members["scope"].flatMap { scope($0, home: home) }
            return .object(kept)
        default: return value
        }
    }

    /// A scope without the owner's name where it is the caller's own.
    ///
    /// - Returns: nil where nothing is left of it.
    private static func scope(_ scope: JSONValue, home: Owner) -> JSONValue? {
        var members = scope.object ?? [:]
        if members["tenant"] == .string(home.tenant) { members["tenant"] = nil }
        if members["user"] == .string(home.user) { members["user"] = nil }
        return members.isEmpty ? nil : .object(members)
    }

    /// True if a member says nothing.
    private static func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .null: true
        case .array(let elements): elements.isEmpty
        case .object(let members): members.isEmpty
        default: false
        }
    }
}
