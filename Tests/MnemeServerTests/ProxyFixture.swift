import Foundation
import HTTPTypes
import Hummingbird
import Logging
import MnemeBase
import MnemeCache
import MnemeServer
import MnemeStore
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// An OpenAI-compatible endpoint of a test: answers with how often it was asked.
final class ScriptedUpstream: Sendable {
    /// What was asked: bodies and keys.
    private let calls = NIOLockedValueBox<[(path: String, body: String, key: String)]>([])
    private let script = NIOLockedValueBox<(status: Int, gate: AsyncGate?)>((200, nil))
    var asked: [(path: String, body: String, key: String)] { calls.withLockedValue { $0 } }
    /// The status of further answers.
    func fail(with status: Int) { script.withLockedValue { $0.status = status } }
    /// Further answers wait for the gate.
    func wait(for gate: AsyncGate?) { script.withLockedValue { $0.gate = gate } }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.post("/v1/chat/completions") { request, _ in
            let body = String(buffer: try await request.body.collect(upTo: 1 << 20))
            let number = self.note(request, body)
            let (status, gate) = self.script.withLockedValue { $0 }
            await gate?.wait()
            guard status == 200 else {
                return Response(
                    status: .init(code: status), headers: [.contentType: "application/json"],
                    body: .init(byteBuffer: ByteBuffer(string: #"{"error":{"message":"scripted"}}"#)))
            }
            let isSmall = body.contains(#""model":"small""#)
            let isJudged = body.contains("Is this question easy?") && body.contains("Say yes")
            let text = isJudged ? "Yes" : "\(isSmall ? "small" : "large") \(number)"
            guard body.contains(#""stream":true"#) else {
                let sure = body.contains("sure")
                let logprobs =
                    body.contains("logprobs")
                    ? #","logprobs":{"content":[{"token":"a","logprob":\#(sure ? -0.01 : -2.0)}]}"# : ""
                return Response(
                    status: .ok, headers: [.contentType: "application/json"],
                    body: .init(
                        byteBuffer: ByteBuffer(
                            string:
                                #"{"id":"c\#(number)","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"\#(text)"},"finish_reason":"stop"\#(logprobs)}],"usage":{"total_tokens":3}}"#
                        )))
            }
            return Response(
                status: .ok, headers: [.contentType: "text/event-stream"],
                body: ResponseBody { writer in
                    nonisolated(unsafe) var output = writer
                    func event(_ json: String) async throws {
                        try await output.write(ByteBuffer(string: "data: \(json)\n\n"))
                    }
                    for piece in [text.prefix(3), text.dropFirst(3)] {
                        try await event(
                            #"{"id":"c\#(number)","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"\#(piece)"},"finish_reason":null}]}"#
                        )
                    }
                    try await event(#"{"id":"c\#(number)","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
                    try await event("[DONE]")
                    try await output.finish(nil)
                })
        }
        router.get("/v1/models") { request, _ in
            _ = self.note(request, "")
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(string: #"{"data":["\#(request.uri.query ?? "")"]}"#)))
        }
        return router
    }

    private func note(_ request: Request, _ body: String) -> Int {
        calls.withLockedValue { calls in
            calls.append((request.uri.path, body, request.headers[.authorization] ?? ""))
            return calls.count
        }
    }
}

/// Embeds as `ToyEmbedder` does, once it is let.
final class VectorHoldingEmbedder: TextEmbedder {
    private let toy = ToyEmbedder()
    private let asked = NIOLockedValueBox(false)
    private let held = DispatchSemaphore(value: 0)
    /// True once a vector is waited for.
    var isAsked: Bool { asked.withLockedValue { $0 } }
    /// Lets one call end.
    func answer() { held.signal() }

    var identifier: String { toy.identifier }
    var dimension: Int { toy.dimension }
    var maximumTokens: Int { toy.maximumTokens }
    func tokenCount(_ text: String) -> Int { toy.tokenCount(text) }
    func embed(_ texts: [String]) throws -> Embeddings {
        asked.withLockedValue { $0 = true }
        held.wait()
        return try toy.embed(texts)
    }
}

/// Lets tasks wait until it is opened.
actor AsyncGate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }
    func open() {
        isOpen = true
        for task in waiting { task.resume() }
        waiting = []
    }
}

/// A proxy on loopback before a scripted upstream, with a cache of its own; stopped at the end.
func withProxy(
    keys: [(String, String?)] = [], _ options: ProxyServer.Options = .init(),
    maximumRequests: Int = 64, embedder: any TextEmbedder = ToyEmbedder(),
    _ body: (_ base: URL, _ upstream: ScriptedUpstream, _ cache: AnswerCache, _ secrets: [String]) async throws
        -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "mneme-proxy-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let cache = try AnswerCache(path: folder + "/cache.db", embedder: embedder)
    let file = try KeyFile(path: folder + "/keys.json")
    let secrets = try keys.map {
        try file.create(name: $0.0, permissions: [.read], user: $0.1, tenant: nil, expires: nil).secret
    }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let upstream = ScriptedUpstream()
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
        router: upstream.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        var iterator = ports.makeAsyncIterator()
        let first = try #require(await iterator.next())
        var target = try Upstream(base: "http://127.0.0.1:\(first)/v1", key: "upstream-secret")
        target.maximumRequests = maximumRequests
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.keys = file
        let proxy = try ProxyServer(
            cache: cache, upstream: target, options: options, configuration: configuration, logger: logger)
        group.addTask { try await proxy.run { continuation.yield($0) } }
        let port = try #require(await iterator.next())
        do { try await body(URL(string: "http://127.0.0.1:\(port)")!, upstream, cache, secrets) } catch {
            group.cancelAll()
            throw error
        }
        group.cancelAll()
    }
}
