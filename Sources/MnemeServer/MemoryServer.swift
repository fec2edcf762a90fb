import HTTPTypes
import Hummingbird
public import Logging
public import Mneme
import MnemeChat
public import MnemeEngine
import MnemeModels
import MnemeStore

/// Mneme over HTTP: the operation table, OpenAI-compatible embeddings, MCP, health and metrics.
public struct MemoryServer: Sendable {
    /// The memory that is served.
    let memory: MemoryOS
    /// The language model, if the server runs one.
    let language: ServedLanguage?
    /// Names of the models that requests may use.
    let models: ServedModels
    /// Address, keys and limits.
    let configuration: ServerConfiguration
    /// Counters since the server was made.
    let metrics = ServerMetrics()
    /// Request rates by caller.
    let limiter: RateLimiter
    /// The same on all servers together, where they share a store.
    let sharedLimiter: SharedRateLimiter?
    /// The servers that share the store; nil where it is in a file.
    let peers: PeerTable?
    /// Told of failures that are the server's own.
    let logger: Logger

    /// A server that is ready to run; nothing is listened on yet.
    ///
    /// - Parameters:
    ///   - memory: what is served.
    ///   - configuration: address, limits, keys and certificates.
    ///   - logger: what the server says of itself.
    ///   - language: a model and the engine that runs it, for the chat and completions endpoints;
    ///     the caller closes the engine.
    /// - Throws: `InputError` if the address is open to others and there is no key.
    public init(
        memory: MemoryOS, language: (model: LanguageModel, engine: Engine)? = nil,
        configuration: ServerConfiguration,
        logger: Logger = Logger(label: "mneme.server")
    ) throws {
        if !configuration.isLoopback, !configuration.hasKeys {
            throw InputError(
                "Listening on \(configuration.host) needs a key, for others can reach it. Make one: mneme keys create NAME"
            )
        }
        self.memory = memory
        models = ServedModels(
            language: language?.model.name, alias: configuration.modelAlias,
            embedder: memory.embedder?.identifier)
        self.language = language.map {
            ServedLanguage(
                model: $0.model, engine: $0.engine, memory: memory, logger: logger)
        }
        if let language { memory.attach(EngineMemory(language.engine)) }
        self.configuration = configuration
        self.logger = logger
        limiter = RateLimiter(perMinute: configuration.requestsPerMinute)
        let shared = memory.shared
        peers = shared.map { shared in PeerTable { try await memory.run { try shared.servers() } } }
        sharedLimiter = shared.map { shared in
            SharedRateLimiter(perMinute: configuration.requestsPerMinute) { caller, rate in
                try await memory.run { try shared.takeRequests(of: caller, rate) }
            }
        }
    }

    /// Counts a request of a caller: nil if their rate allows it, else the seconds to wait.
    func wait(for caller: IdentifiedCaller) async -> Double? {
        let (name, own) = (caller.principal.name, caller.requestsPerMinute)
        guard let sharedLimiter else { return limiter.wait(for: name, own: own) }
        return await sharedLimiter.wait(for: name, own: own)
    }

    /// Serves until the process is told to stop. Requests that run then have
    /// ``ConnectionLimits/grace``; what a model still computes for them ends with it.
    ///
    /// - Parameter onReady: called with the port that is listened on.
    public func run(onReady: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        let application = Application(
            router: router(), server: try configuration.transport(),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "mneme"),
            onServerRunning: { onReady($0.localAddress?.port ?? 0) }, logger: logger)
        try await application.runService()
    }
}
