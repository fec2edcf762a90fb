import Foundation

/// Reads the graph of MCP's reference memory server: `memory.jsonl`, one entity or relation a line,
/// and what `read_graph` answers.
enum KnowledgeGraph {
    /// True for an entity or a relation.
    static func holds(_ json: JSONValue) -> Bool {
        switch json["type"]?.string {
        case "entity": json["name"] != nil
        case "relation": json["from"] != nil && json["to"] != nil
        default: false
        }
    }

    /// All entities and relations.
    static func read(_ graph: JSONValue) -> ImportedDocument {
        var document = ImportedDocument.each(graph["entities"]?.array ?? [], "entity") { part, _ in
            try entity(part)
        }
        document.append(
            ImportedDocument.each(graph["relations"]?.array ?? [], "relation") { part, _ in
                try relation(part)
            })
        return document
    }

    /// An entity or relation of a line.
    ///
    /// - Throws: `InputError`.
    static func one(_ json: JSONValue) throws -> ImportedDocument {
        try json["type"]?.string == "relation" ? relation(json) : entity(json)
    }

    /// One memory for each observation; one that names it, if there is none.
    private static func entity(_ json: JSONValue) throws -> ImportedDocument {
        guard let name = json["name"]?.string, name.contains(where: { !$0.isWhitespace }) else {
            throw InputError("the entity has no 'name'")
        }
        let kind = json["entityType"]?.string ?? ""
        let observed = (json["observations"]?.array ?? []).compactMap {
            $0.string ?? $0["content"]?.string ?? $0["text"]?.string
        }
        let texts = observed.filter { $0.contains { !$0.isWhitespace } }.map {
            $0.contains(name) ? $0 : "\(name): \($0)"
        }
        var document = ImportedDocument()
        for (i, text) in (texts.isEmpty ? [kind.isEmpty ? name : "\(name) (\(kind))"] : texts)
            .enumerated()
        {
            var input = MemoryInput(
                text, eventTime: ImportTime.date(json["createdAt"] ?? json["created_at"]))
            (input.source, input.reference) = ("mcp", "\(name)#\(i)")
            input.metadata["entity"] = name
            if !kind.isEmpty { input.metadata["entityType"] = kind }
            document.entries.append(ImportEntry(input: input, names: [name]))
        }
        return document
    }

    /// A sentence, linked to what it is about.
    private static func relation(_ json: JSONValue) throws -> ImportedDocument {
        guard let source = json["from"]?.string, let target = json["to"]?.string,
            let kind = json["relationType"]?.string,
            !source.isEmpty, !target.isEmpty, !kind.isEmpty
        else { throw InputError("the relation has no 'from', 'to' and 'relationType'") }
        var input = MemoryInput(
            "\(source) \(kind.replacingOccurrences(of: "_", with: " ")) \(target)")
        (input.source, input.reference) = ("mcp", "\(source)/\(kind)/\(target)")
        input.metadata = ["from": source, "to": target, "relation": kind]
        return ImportedDocument(
            entries: [
                ImportEntry(
                    input: input,
                    links: [source, target].map { .init(kind: "related", target: $0) })
            ])
    }
}
