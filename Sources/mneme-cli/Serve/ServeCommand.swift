import ArgumentParser
import Foundation
import Logging
import Mneme
import MnemeChat
import MnemeEngine
import MnemeServer
import Tracing

/// `mneme serve`: the HTTP server, and the background work of the store. SIGTERM or Control-C ends
/// it: requests that run are answered, then the store is closed.
///
/// Exit code 2 for options that contradict each other, 1 if the port is taken or the store cannot
/// be opened.
///
/// The address goes to standard output once it listens, log lines to standard error. It reads
/// `$MNEME_HOME/keys.json` and the store; it writes the store, its indexes and the KV cache.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract:
            "Serve memory (and a language model) over HTTP: OpenAPI, MCP, OpenAI's endpoints, metrics.",
        discussion: """
            On this machine's own address no key is needed until one is made. Any other address needs a key (mneme keys create NAME), or --jwks. \
            The viewer is at / in a browser; GET /openapi.json describes every endpoint.
            """,
        subcommands: [Replay.self])

    @OptionGroup var store: StoreOptions
    /// Servers of one database that run on one machine share the folder: one builds an index, the others
    /// map its files.
    @Option(
        help: ArgumentHelp(
            "Folder of index files, where the store is a database; $MNEME_HOME/index if left out.",
            valueName: "folder"))
    var indexFolder: String?
    /// The language model for the chat endpoints and for jobs; without one memory alone is served.
    @Option(
        help:
            "Also serve this language model: its name, a GGUF file, or a folder as the hub has it.")
    var model: String?
    @Option(
        help: ArgumentHelp(
            "Tokens of a prompt and its answer together, if not the model's.", valueName: "tokens"))
    var context: Int?
    @OptionGroup var kv: KVOptions
    @OptionGroup var oracle: OracleOptions
    /// An address other than the machine's own needs a key or `--jwks`.
    @Option(help: "Address to listen on.") var host = Settings.current.text(.host) ?? "127.0.0.1"
    @Option(help: "Port; 0 lets the system choose.") var port = Settings.current.whole(.port) ?? 8420
    /// Where answers are long beside the memory, `mneme serve replay` tells which is best.
    @Option(
        help: ArgumentHelp(
            "Which requests of the model start beside those that run: \(AdmissionCatalog.names.joined(separator: ", ")).",
            valueName: "name"))
    var admission: String?
    /// A new file; it holds neither texts nor tokens.
    @Option(
        help: ArgumentHelp(
            "Write a line for each answer of the model to this new file, without its text, for `mneme serve replay`.",
            valueName: "file"))
    var record: String?
    /// Default for keys without a limit of their own.
    @Option(
        help: ArgumentHelp("Requests a minute for each key; 0 sets no limit.", valueName: "count"))
    var rateLimit = Settings.current.whole(.rateLimit) ?? 6000
    /// Puts the server's address into the table of those that share its database.
    @Option(
        help: ArgumentHelp(
            "The address that clients reach this server by, such as http://10.0.0.2:8420, where several share a database.",
            valueName: "address"))
    var advertise: String?
    /// Bytes of a request's body; a larger one is refused with status 413.
    @Option(help: ArgumentHelp("The largest request, in MiB.", valueName: "MiB"))
    var maxBody = Settings.current.whole(.maxBody) ?? 16
    /// Origins whose pages a browser lets read the answers (CORS).
    @Option(
        help: ArgumentHelp(
            "Serve pages of this address, too, such as https://chat.example.org; may be given several times.",
            valueName: "address"))
    var allowOrigin: [String] = Settings.current.list(.allowOrigin)

    /// The certificate chain; goes with `--private-key`.
    @Option(
        help: ArgumentHelp(
            "Serve TLS with this certificate (PEM, with those that lead to it).", valueName: "file")
    )
    var certificate: String?
    /// The key's file, which only the server's user should be able to read.
    @Option(help: ArgumentHelp("The certificate's private key (PEM).", valueName: "file"))
    var privateKey: String?
    /// The key set that tokens are verified with; goes with `--issuer`.
    @Option(
        help: ArgumentHelp(
            "Take tokens (JWT) signed by keys of this set (JWKS) besides API keys.",
            valueName: "file"))
    var jwks: String?
    /// The collector or file that spans go to; without it none are recorded.
    @Option(
        help: ArgumentHelp(
            "Send traces (OpenTelemetry, JSON) to a collector, such as http://localhost:4318, or write them to a file; OTEL_EXPORTER_OTLP_ENDPOINT and others are followed, too.",
            valueName: "address"))
    var traces: String?
    /// Must equal the claim `iss`; goes with `--jwks`.
    @Option(help: "What a token's issuer must be.") var issuer: String?
    /// Must be among the claim `aud`, so that tokens for other services are refused.
    @Option(help: "What a token's audience must hold.") var audience = Settings.current.text(.audience) ?? "mneme"

    /// Checks the options, opens store and model, listens, and closes everything in order at a
    /// signal.
    func run() async throws {
        guard (0...65535).contains(port), rateLimit >= 0, (1...1024).contains(maxBody) else {
            throw InputError(
                "The port lies between 0 and 65535, the rate limit is at least 0, and the largest request 1 to 1024 MiB."
            )
        }
        // What can be wrong with the options is found before anything is opened.
        var configuration = ServerConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.requestsPerMinute = rateLimit
        configuration.maximumBody = maxBody << 20
        configuration.keys = try KeyFile(path: Home.keys)
        let settings = Settings.current
        let certificate = certificate ?? settings.text(.certificate)
        let privateKey = privateKey ?? settings.text(.privateKey)
        let jwks = jwks ?? settings.text(.jwks)
        let issuer = issuer ?? settings.text(.issuer)
        let traces = traces ?? settings.text(.traces)
        let model = model ?? settings.text(.model)
        let address = try (advertise ?? settings.text(.advertise)).map(SharingServers.address)
        guard (certificate == nil) == (privateKey == nil), (jwks == nil) == (issuer == nil) else {
            throw InputError("--certificate goes with --private-key, and --jwks with --issuer.")
        }
        if let certificate, let privateKey { configuration.certificate = (certificate, privateKey) }
        if let jwks, let issuer {
            configuration.tokens = try await TokenVerifier(
                keySet: jwks, issuer: issuer, audience: audience)
        }
        configuration.version = MnemeCommand.version
        configuration.origins = Set(allowOrigin)
        configuration.modelAlias = model
        if let admission { _ = try AdmissionCatalog.policy(admission) }
        let keyed = configuration.requiresKey
        let isSecure = certificate != nil
        // Traces are set up before the first request could be one.
        let exporter = try TraceSettings(
            target: traces, version: MnemeCommand.version,
            environment: ProcessInfo.processInfo.environment
        ).map { try TraceExporter($0) }
        if let exporter { InstrumentationSystem.bootstrap(TraceRecorder(exporter: exporter)) }
        defer { exporter?.flush() }
        let memory = try store.open(indexes: indexFolder)
        // What an earlier process left pending goes on.
        memory.resume()
        let sharing = try SharingServers(of: memory, address: address)
        configuration.identity = sharing?.identity
        var logger = Logger(label: "mneme")
        logger.logLevel = .notice
        let language = try model.map { name in
            let model = try Home.languageModel(
                name, context: context ?? settings.whole(.context))
            return (model: model, engine: try kv.engine(model, admission: admission, record: record))
        }
        defer { language?.engine.close() }
        // Jobs ask the model on another server if one is named, else the one that runs here.
        if let asked = try oracle.remote() ?? language.map({ try oracle.local($0.model, $0.engine) }) {
            memory.attach(oracle: asked)
        }
        if let language {
            let keys = configuration.keys
            memory.attach(
                promoter: ProfilePromoter(language.model, language.engine) {
                    keys?.principals ?? []
                })
            memory.attach(
                learner: Home.learner(language.model, named: model ?? "", store: store.file.path))
            memory.attach(
                adapters: Home.served(
                    language.model, language.engine, named: model ?? "", store: store.file.path))
        }
        // From here on requests are answered until a signal ends it.
        let server = try MemoryServer(
            memory: memory, language: language, configuration: configuration, logger: logger)
        let host = host
        let jobs = JobRunner(memory) {
            language.map { $0.engine.statistics.running + $0.engine.statistics.waiting > 0 }
                ?? false
        }
        // What is behind the answers ends with them.
        let work = Task { await jobs.run() }
        defer { work.cancel() }
        try await server.run { port in
            let shown = host.contains(":") ? "[\(host)]" : host
            print(
                "Mneme listens on \(isSecure ? "https" : "http")://\(shown):\(port)  (\(keyed ? "keys required" : "no key needed on this machine"); viewer at /, MCP at /mcp, description at /openapi.json)"
            )
            if let sharing { print(sharing.announce()) }
            fflush(nil)
        }
        // Jobs first, then the store: what they committed stays, the rest waits in the queue.
        work.cancel()
        await work.value
        await memory.close()
    }
}
