import ArgumentParser
import Foundation
import Logging
import Mneme
import MnemeBase
import MnemeCache
import MnemeServer

/// `mneme proxy`: an OpenAI-compatible endpoint that answers from a cache what it can, and sends the
/// rest to another one. SIGTERM or Control-C ends it: requests that run are answered first.
///
/// The address goes to standard output once it listens. Exit code 2 for options that contradict each
/// other, 1 if the port is taken or the cache cannot be opened.
struct ProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy",
        abstract: "Stand before an OpenAI-compatible endpoint and answer what was asked before from a cache.",
        discussion: """
            Point clients at http://127.0.0.1:8421/v1. Chat completions are answered from the cache if the same question was answered in the same \
            context, or one that asks the same in other words; all else is sent on. The upstream's key is MNEME_UPSTREAM_KEY; what clients send as a key \
            is the proxy's own (mneme keys). Not cached: a temperature above --max-temperature, n above 1, images, recalled memories, errors, calls of tools. \
            Answers say how they came: X-Mneme-Cache (hit, similar, example, miss, bypass), X-Mneme-Cache-Similarity, Age. A client passes the cache by with \
            Cache-Control: no-store (or no-cache: it is only written), max-age=SECONDS, or X-Mneme-Cache: bypass. mneme cache shows and erases answers and sets \
            policies. Answers are never shared between keys, nor between the values of 'user' that one key sends.
            """)

    @Option(help: ArgumentHelp("The endpoint, such as https://api.openai.com/v1.", valueName: "URL"))
    var upstream: String
    @Option(help: "Address to listen on.") var host = Settings.current.text(.host) ?? "127.0.0.1"
    /// Another one than that of `mneme serve`, so that it can stand before it.
    @Option(help: "Port; 0 lets the system choose.") var port = 8421
    @OptionGroup var file: CacheFileOptions
    /// The setting `embedder` if left out.
    @Option(
        help: ArgumentHelp(
            "The embedding model that finds similar questions: minilm, a folder, http://HOST/v1#MODEL, or none for the same questions alone.",
            valueName: "name"))
    var embedder: String?
    /// Whoever asks for variety wants no answer twice.
    @Option(help: ArgumentHelp("Answers up to this temperature are cached.", valueName: "number"))
    var maxTemperature = 0.0
    @Option(
        help: ArgumentHelp(
            "A smaller model of the upstream: for categories set to 'example', and for --confidence.",
            valueName: "name"))
    var smallModel: String?
    @Option(
        help: ArgumentHelp(
            "Ask the small model first and take its answer if its tokens have this mean probability.",
            valueName: "0..1"))
    var confidence: Double?
    @Option(
        help: ArgumentHelp(
            "Say by question whether the small model is asked: similarity or classifier, which learn from --routes, or judge, which asks the model that was asked for whether the question is easy.",
            valueName: "router"))
    var route: String?
    @Option(
        help: ArgumentHelp(
            "What both models did with earlier questions, a JSON object a line, as mneme cache eval --route reads it.",
            valueName: "file"))
    var routes: String?
    @Option(
        help: ArgumentHelp(
            "With --route: how likely the small model's answer has to be good for it to be asked.", valueName: "0..1"))
    var threshold = 0.5
    /// Long answers of large models take minutes.
    @Option(help: ArgumentHelp("Seconds until an answer has to be there whole.", valueName: "seconds"))
    var timeout = 600
    /// Beyond it nobody waits in a queue that only grows.
    @Option(help: ArgumentHelp("Requests to the upstream at a time; more get status 429.", valueName: "count"))
    var maxUpstream = 64
    @Option(help: ArgumentHelp("Requests a minute for each key; 0 sets no limit.", valueName: "count"))
    var rateLimit = Settings.current.whole(.rateLimit) ?? 6000
    @Option(help: ArgumentHelp("The largest request, in MiB.", valueName: "MiB"))
    var maxBody = Settings.current.whole(.maxBody) ?? 16
    @Option(help: ArgumentHelp("Serve TLS with this certificate (PEM).", valueName: "file"))
    var certificate: String?
    @Option(help: ArgumentHelp("The certificate's private key (PEM).", valueName: "file"))
    var privateKey: String?

    /// Checks the options, opens the cache, listens, and closes it at a signal.
    func run() async throws {
        guard (0...65535).contains(port), rateLimit >= 0, (1...1024).contains(maxBody),
            (1...86_400).contains(timeout), maxUpstream > 0
        else {
            throw InputError(
                "The port lies between 0 and 65535, the largest request is 1 to 1024 MiB, the time 1 to 86400 seconds, and at least one request goes to the upstream."
            )
        }
        guard (certificate == nil) == (privateKey == nil) else {
            throw InputError("--certificate goes with --private-key.")
        }
        var configuration = ServerConfiguration()
        (configuration.host, configuration.port) = (host, port)
        configuration.requestsPerMinute = rateLimit
        configuration.maximumBody = maxBody << 20
        configuration.keys = try KeyFile(path: Home.keys)
        configuration.version = ProgramVersion.text
        if let certificate, let privateKey { configuration.certificate = (certificate, privateKey) }
        var target = try Upstream(
            base: upstream, key: ProcessInfo.processInfo.environment["MNEME_UPSTREAM_KEY"])
        (target.seconds, target.maximumRequests) = (timeout, maxUpstream)
        var options = ProxyServer.Options()
        options.maximumTemperature = maxTemperature
        (options.smallModel, options.confidence) = (smallModel, confidence)
        let name = embedder ?? Settings.current.text(.embedder) ?? "minilm"
        let model = name == "none" ? nil : try Home.embedder(name)
        (options.router, options.threshold) = (try router(model), threshold)
        let cache = try AnswerCache(path: file.path, key: Home.encryptionKey(), embedder: model)
        var logger = Logger(label: "mneme")
        logger.logLevel = .notice
        let proxy = try ProxyServer(
            cache: cache, upstream: target, options: options, configuration: configuration, logger: logger)
        let address = target.base.absoluteString
        let shown = host.contains(":") ? "[\(host)]" : host
        let scheme = certificate == nil ? "http" : "https"
        let keyed = configuration.requiresKey ? "keys required" : "no key needed on this machine"
        try await proxy.run { port in
            print("Mneme answers at \(scheme)://\(shown):\(port)/v1 before \(address)  (\(keyed))")
            fflush(nil)
        }
        try cache.close()
    }

    /// The router that was asked for, with what it has learned.
    private func router(_ embedder: (any TextEmbedder)?) throws -> (any ModelRouter)? {
        guard let route else {
            guard routes == nil else { throw InputError("--routes goes with --route.") }
            return nil
        }
        let kinds = RouterCatalog.all.filter { $0.stage != .after }
        guard let kind = kinds.first(where: { $0.name == route }) else {
            throw InputError(
                "There is no router '\(route.prefix(100))': \(kinds.map { $0.name }.joined(separator: ", ")). A cascade is --confidence."
            )
        }
        guard kind.stage == .before else { return kind.init(examples: []) }
        guard let routes, let embedder else {
            throw InputError("The router \(route) learns from --routes FILE, and needs an embedding model.")
        }
        guard let data = FileManager.default.contents(atPath: routes) else {
            throw InputError("\(routes) cannot be read.")
        }
        var examples = try RoutedQuestion.list(data)
        let vectors = try embedder.embed(examples.map(\.question), as: .document)
        for place in examples.indices { examples[place].vector = Array(vectors[place]) }
        return kind.init(examples: examples)
    }
}
