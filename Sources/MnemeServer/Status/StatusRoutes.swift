import Hummingbird
import Mneme
import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeStore

/// Routes about the server rather than the store: its model, its KV cache, its keys. They are for
/// whoever looks after all of it.
extension WireRoute {
    /// `/v1/engine`.
    static let engine = WireRoute(
        .get, "/v1/engine", .openAI, "engine",
        "The language model that runs here, with figures of now; null if there is none.",
        permission: .admin)
    /// `/v1/kv`.
    static let keptTexts = WireRoute(
        .get, "/v1/kv", .openAI, "kv",
        "Texts whose KV cache is on disk, the last used first, without their words.",
        permission: .admin)
    /// `/v1/keys`.
    static let keys = WireRoute(
        .get, "/v1/keys", .openAI, "keys", "The keys of this server, without their secrets.",
        permission: .admin)
    /// `/v1/keys/{name}`.
    static let revokeKey = WireRoute(
        .delete, "/v1/keys/{name}", .openAI, "revoke-key", "Make a key useless at once.",
        permission: .admin)

    /// All of them.
    static let status = [engine, keptTexts, keys, revokeKey]
}

extension MemoryServer {
    /// The routes, answered.
    func statusEndpoints() -> [Endpoint] {
        [
            endpoint(.engine) { request in
                try requireAll(request.caller)
                return try .json(["engine": language.map { status(of: $0) } ?? .null])
            },
            endpoint(.keptTexts) { request in
                try requireAll(request.caller)
                let texts = try await memory.run { language?.engine.keptTexts() ?? [] }
                return .json(
                    text: try OperationTable.encode(
                        KeptTexts(texts: Array(texts.prefix(Self.mostTexts)), total: texts.count)))
            },
            endpoint(.keys) { request in
                try requireAll(request.caller)
                return .json(text: try OperationTable.encode(Keys(keys: listedKeys)))
            },
            endpoint(.revokeKey) { request in
                try requireAll(request.caller)
                guard let keys = configuration.keys else {
                    throw InputError("This server has no keys.")
                }
                let name = try request.part("name")
                try keys.revoke(name)
                return try .json(["revoked": .string(name)])
            },
        ]
    }

    /// Texts of the KV cache that are told of at once.
    private static let mostTexts = 200
    /// The answer to `/v1/kv`.
    private struct KeptTexts: Encodable { var texts: [KVFolder.Text], total: Int }
    /// The answer to `/v1/keys`.
    private struct Keys: Encodable { var keys: [APIKey.Listing] }

    private var listedKeys: [APIKey.Listing] { (configuration.keys?.keys ?? []).map(\.listing) }

    /// Refuses whoever reaches a part of the store only, and notes that in the audit log.
    func requireAll(_ caller: Caller) throws {
        guard caller.principal.reachesAll else {
            throw memory.store.refuse(
                "'\(caller.principal.name)' does not look after the whole server.", owner: nil,
                by: caller)
        }
    }

    /// Figures of the language model and its KV cache.
    private func status(of language: ServedLanguage) -> JSONValue {
        let figures = language.engine.statistics
        let kv = figures.kv
        func number(_ value: Int) -> JSONValue { .number(Double(value)) }
        func mean(_ times: Histogram) -> JSONValue {
            times.count > 0 ? .number(times.mean) : .null
        }
        return [
            "model": .string(language.model.name),
            "alias": configuration.modelAlias.map { .string($0) } ?? .null,
            "context": number(language.engine.context),
            "running": number(figures.running), "waiting": number(figures.waiting),
            "finished": number(figures.finished), "preempted": number(figures.preempted),
            "promptTokens": number(figures.promptTokens),
            "answerTokens": number(figures.completionTokens),
            "draftedTokens": number(figures.draftedTokens),
            "acceptedTokens": number(figures.acceptedTokens),
            "firstTokenSeconds": mean(figures.firstTokenTimes),
            "betweenTokensSeconds": mean(figures.betweenTokensTimes),
            "kv": [
                "bytes": number(kv.bytes), "idleBytes": number(kv.idleBytes),
                "limitBytes": number(kv.limit), "residentBytes": number(kv.residentBytes),
                "tokens": number(kv.tokens), "tokensFromMemory": number(kv.tokensFromMemory),
                "tokensFromDisk": number(kv.tokensFromDisk),
                "tokensFromRemote": number(kv.tokensFromRemote),
                "evictedBlocks": number(kv.evicted), "writtenBlocks": number(kv.written),
                "unwrittenBlocks": number(kv.unwritten), "refusedBlocks": number(kv.refused),
            ],
        ]
    }
}
