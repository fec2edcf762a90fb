import Mneme

/// The forms of answers in the OpenAPI document.
///
/// Objects are open: a client that validates takes members that are not named here.
/// `Tests/clients/described.py` compares answers with them.
enum AnswerSchema {
    /// A text.
    static let text: JSONValue = ["type": "string"]
    /// A text that may be null.
    static let optionalText: JSONValue = ["type": ["string", "null"]]
    /// A whole number.
    static let count: JSONValue = ["type": "integer", "minimum": 0]
    /// A number.
    static let number: JSONValue = ["type": "number"]
    /// True or false.
    static let flag: JSONValue = ["type": "boolean"]
    /// A moment.
    static let time: JSONValue = ["type": "string", "format": "date-time"]
    /// A memory's id.
    static let id: JSONValue = ["type": "string", "format": "uuid"]
    /// Any object.
    static let object: JSONValue = ["type": "object"]
    /// Counts by name.
    static let counts: JSONValue = ["type": "object", "additionalProperties": count]
    /// Numbers by name.
    static let numbers: JSONValue = ["type": "object", "additionalProperties": number]
    /// Always null.
    static let null: JSONValue = ["type": "null"]

    /// An object with these members; those whose name ends in `?` may be missing.
    static func shape(_ members: [String: JSONValue]) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        var required: [String] = []
        for (name, schema) in members {
            let isOptional = name.hasSuffix("?")
            let name = isOptional ? String(name.dropLast()) : name
            properties[name] = schema
            if !isOptional { required.append(name) }
        }
        return .objectSchema(
            properties: properties, required: required.isEmpty ? nil : required.sorted())
    }

    /// A list of such values.
    static func list(_ items: JSONValue) -> JSONValue { .listSchema(of: items) }

    /// The one text that a member always has.
    static func only(_ value: JSONValue) -> JSONValue { ["const": value] }

    /// One of these texts.
    static func oneOf(_ values: JSONValue...) -> JSONValue { ["enum": .array(values)] }

    /// A value that may be null.
    static func orNull(_ schema: JSONValue) -> JSONValue { ["anyOf": [schema, null]] }

    // MARK: Mneme's own operations

    /// A memory. There may be more: what analysis found, and what holds only for some.
    static let memory = shape([
        "id": id, "text": text, "type": text, "state": text, "version": count, "scope": scope,
        "eventTime": time, "recordedTime": time, "updatedTime": time, "tags": list(text),
        "metadata": ["type": "object", "additionalProperties": text],
        "entities": list(text), "keywords": list(text), "priority": number,
        "provenance": shape(["source": text, "reference?": text]), "speaker?": text,
        "sensitivity?": text, "validUntil?": time, "expires?": time, "tier?": text,
        "dates": list(shape(["text": text, "start": time, "end": time])),
        "claims?": list(
            shape(["subject": text, "attribute": text, "value": text, "isDenied": flag])),
    ])
    /// Whose memory, and of which agent and conversation.
    private static let scope = shape([
        "tenant": text, "user": text, "agent?": text, "session?": text,
    ])
    private static let link = shape(["source": id, "target": id, "kind": text, "time": time])
    private static let grant = shape([
        "id": count, "grantee": text, "permissions": list(text), "upTo": text, "created": time,
        "grantor": text, "expires?": time,
    ])
    private static let one = shape(["memory": memory, "links?": list(link)])

    /// The answer of an operation of the table.
    static func answer(of operation: String) -> JSONValue {
        switch operation {
        case "remember":
            shape([
                "memories": list(
                    shape([
                        "id": id, "type": text, "duplicate": flag, "nearDuplicateOf?": id,
                        "memory": memory,
                    ]))
            ])
        case "recall":
            shape([
                "memories": list(
                    shape([
                        "memory": memory, "score": number, "explanation": numbers,
                        "matched": list(text), "duplicates": list(id), "disputedBy?": list(id),
                    ])),
                "considered": count, "tokens": count, "milliseconds": number,
                "pendingEmbeddings": count, "held": count, "warning?": text, "source?": text,
            ])
        case "ask":
            shape([
                "answer": text, "certain": flag, "reasons": list(text), "value?": number,
                "unit?": text, "time?": time, "truth?": flag,
                "items": list(
                    shape(["label": text, "amount?": text, "time?": time, "memories": list(id)])),
                "memories": list(memory), "recalled": flag, "model?": text, "considered": count,
            ])
        case "learn":
            shape(["memory": memory, "changed": list(id), "procedure?": memory])
        case "task":
            shape([
                "task": id, "step": id, "active?": id, "prompt": text, "tokens": count,
                "steps": list(
                    shape(["id": id, "text": text, "status": text, "depth": count, "result?": text])),
                "files?": list(shape(["path": text, "outline": text, "tokens": count, "text?": text])),
            ])
        case "profile":
            shape([
                "of": text, "considered": count,
                "lines": list(
                    shape(["attribute": text, "value": text, "since": time, "memories": list(id)])),
            ])
        case "list": shape(["memories": list(memory), "next?": id])
        case "erase":
            shape([
                "erased": id, "report?": text, "filesSearched?": count, "filesHolding?": list(text),
                "unsearched?": text, "elsewhere?": list(object), "copies?": list(object), "adapters?": list(text),
            ])
        case "history":
            shape([
                "history": list(
                    shape([
                        "cube": id, "position": count, "time": time, "operation": text,
                        "principal": text, "version": count, "snapshot?": memory, "reason?": text,
                    ]))
            ])
        case "link": shape(["links": list(link)])
        case "share": shape(["grant": grant])
        case "unshare": shape(["unshared": count])
        case "grants": shape(["grants": list(grant), "received": list(grant)])
        case "feedback": shape(["verdict": text, "memory": memory])
        case "policy", "set-policy":
            shape([
                "tenant?": text, "protection": text, "redaction": list(text),
                "keepsOriginals": flag,
            ])
        case "import":
            shape([
                "files": count, "read": count, "stored": count, "duplicates": count,
                "skipped": count, "held": count, "links": count, "undated": count,
                "seconds": number, "leftOut": counts,
                "users": list(shape(["user": text, "stored": count, "duplicates": count])),
                "problems": list(shape(["file": text, "line?": count, "reason": text])),
            ])
        case "stats":
            shape([
                "memories": count, "byState": counts, "byType": counts, "owners": count,
                "sessions": count, "links": count, "journalEntries": count, "vectors": count,
                "pendingEmbeddings": count, "bytesOnDisk": count,
            ])
        case "tiers":
            shape(["counts": counts, "profile": list(object), "topics": list(object)])
        case "doctor":
            shape([
                "sound": flag,
                "findings": list(
                    shape(["check": text, "detail": text, "sound": flag, "repaired": flag])),
            ])
        default: looking(operation) ?? one
        }
    }

    // MARK: Looking at a store

    private static let job = shape([
        "id": count, "kind": text, "arguments": object, "priority": number, "state": text,
        "attempts": count, "maximumAttempts": count, "created": time, "due": time,
    ])

    private static let adapter = shape([
        "name": text, "model": text, "kind?": text, "parameters": count, "sources": count,
        "uses": count, "serves": flag, "memory": id, "made": time,
        "figures": ["type": "object", "additionalProperties": text],
    ])
    private static let figures = shape([
        "right": count, "answerLoss": number, "procedures?": count, "perplexity?": number,
    ])

    /// The answer of an operation that people look at a store with; nil for those that change or
    /// show one memory.
    private static func looking(_ operation: String) -> JSONValue? {
        switch operation {
        case "whoami":
            shape([
                "name": text, "permissions": list(text), "tenant?": text, "user?": text,
                "agent?": text, "roles": list(text), "clearance": text, "quota?": count,
                "reachesAll": flag,
            ])
        case "links": shape(["memories": list(memory), "links": list(link), "hasMore": flag])
        case "vaults":
            shape([
                "vaults": list(
                    shape([
                        "vault": shape(["tenant": text, "user": text]), "memories?": count,
                        "grants?": count, "shared": flag,
                    ])), "total": count,
            ])
        case "adapters": shape(["adapters": list(adapter)])
        case "import-adapter": shape(["adapter": adapter])
        case "show-adapter":
            shape([
                "adapter": adapter,
                "details": shape([
                    "hash": text, "lowestRank": count, "highestRank": count, "matrices": list(text),
                    "procedures?": list(text),
                ]),
            ])
        case "export-adapter": shape(["name": text, "config": text, "weights": text])
        case "eval-adapter":
            shape(["questions": count, "textTokens": count, "without": figures, "with": figures])
        case "erase-adapter": shape(["erased": id])
        case "jobs": shape(["jobs": list(job), "counts": counts, "kinds": list(text)])
        case "add-job", "retry-job", "cancel-job": shape(["job": job])
        case "schedules": shape(["schedules": list(shape(["schedule": object, "next?": time]))])
        case "audit":
            shape([
                "entries": list(
                    shape([
                        "position": count, "time": time, "principal": text, "operation": text,
                        "outcome": text, "cubes": list(id), "count": count, "hash": text,
                    ])), "next?": count,
            ])
        case "verify-audit":
            shape([
                "entries": count, "position": count, "head": text, "begin": count,
                "checkpoints": count, "unsigned": count, "unaudited": count,
                "findings": list(text),
            ])
        default: nil
        }
    }
}
