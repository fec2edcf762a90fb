import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Mneme
import MnemeBase
import MnemeCache
import MnemeHub
import NIOCore

/// One chat completion on its way through the proxy: from the cache, from another request that asks
/// the same just now, or from the upstream.
///
/// The order is that of cost: what the client forbids, what cannot be reused, the cache, a request
/// under way, the small model, the model that was asked for. A cache that fails is passed by.
struct ProxiedChat: Sendable {
    let proxy: ProxyServer
    let request: Request
    let context: ConnectionContext
    let scope: CacheKey.Scope
    /// Where the upstream is asked, and the request's body.
    let path: String, body: Data

    /// Answers.
    ///
    /// - Throws: ``ClientError`` if the upstream cannot be asked.
    func answer() async throws -> Response {
        let control = CacheDirectives(
            request.headers[values: .cacheControl].joined(separator: ","),
            own: request.headers[.mnemeCache])
        // What the cache cannot read is the upstream's to refuse.
        guard let chat = try? ChatRequest(body, maximumTemperature: proxy.options.maximumTemperature)
        else { return try await bypassed("unreadable") }
        if let obstacle = chat.obstacle { return try await bypassed(obstacle.rawValue) }
        guard control.reads || control.writes else { return try await bypassed("client") }
        let key = chat.key(for: scope)
        var finding = try await find(key, control)
        if let reply = reply(finding, chat) { return reply }
        if control.isOnlyCached {
            throw ClientError(.timeout, code: "not_cached", "There is no kept answer to this question.")
        }
        if let finding, let entry = finding.entry, finding.match == .example, let small = proxy.options.smallModel {
            var response = try await example(entry, chat, small)
            response.headers[.mnemeSimilarity] = String(format: "%.3f", finding.similarity)
            return response
        }
        let isJoining = control.reads && control.writes
        var isFirst = false
        if isJoining {
            isFirst = await proxy.flights.isFirst(key.exact)
            if !isFirst {
                let kept = try await context.whileConnected { await proxy.flights.wait(for: key.exact) }
                try Task.checkCancellation()
                if kept {
                    finding = try await find(key, control)
                    if let reply = reply(finding, chat) { return reply }
                }
            }
        }
        return try await asked(
            chat, key, Keeping(vector: finding?.vector, writes: control.writes, isFirst: isFirst))
    }

    /// How an upstream's answer is kept.
    private struct Keeping: Sendable {
        var vector: [Float]?, writes: Bool, isFirst: Bool
    }

    /// What the cache has. A cache that fails must not keep anybody from an answer: it is logged.
    private func find(_ key: CacheKey, _ control: CacheDirectives) async throws -> CacheFinding? {
        do {
            return try await proxy.queue.run { try proxy.cache.find(key, control) }
        } catch is CancellationError { throw CancellationError() } catch {
            proxy.logger.error("the cache cannot be read", metadata: ["cause": "\(error)"])
            return nil
        }
    }

    // MARK: From the cache

    /// The kept answer in the form that the client wants; nil if there is none.
    private func reply(_ finding: CacheFinding?, _ chat: ChatRequest) -> Response? {
        guard let finding, let entry = finding.entry, finding.match != .example,
            let answer = ChatAnswer(whole: Data(entry.answer.utf8))
        else { return nil }
        var response = delivered(answer, chat)
        response.headers[.mnemeCache] = finding.match.rawValue
        response.headers[.mnemeSimilarity] = String(format: "%.3f", finding.similarity)
        response.headers[.age] = String(Int(entry.age()))
        response.headers[.mnemeEntry] = String(entry.id)
        return response
    }

    /// An answer that is there whole, as one piece or as a stream.
    private func delivered(_ answer: ChatAnswer, _ chat: ChatRequest) -> Response {
        guard chat.streams else { return .json(text: answer.body) }
        let events = answer.events(includesUsage: chat.includesUsage)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                nonisolated(unsafe) var output = writer
                for event in events { try await output.write(ByteBuffer(string: event)) }
                try await output.finish(nil)
            })
    }

    // MARK: From the upstream

    /// Past the cache, with the reason.
    private func bypassed(_ reason: String) async throws -> Response {
        var response = try await proxy.passed(request, context, path: path, body: body)
        response.headers[.mnemeCache] = "bypass"
        response.headers[.mnemeReason] = reason
        return response
    }

    /// The small model's answer, with a kept one as an example. It is not kept: what a model says
    /// after another's example is no answer of the model that was asked for.
    private func example(_ entry: CacheEntry, _ chat: ChatRequest, _ small: String) async throws -> Response {
        let text = ChatAnswer(whole: Data(entry.answer.utf8))?.text ?? ""
        let body = chat.sent(to: small, example: (entry.question, text))
        var response = try await proxy.passed(request, context, path: path, body: body)
        response.headers[.mnemeCache] = "example"
        response.headers[.mnemeEntry] = String(entry.id)
        return response
    }

    /// The upstream's answer, kept if it may be. It is read to its end even if the client goes away.
    private func asked(_ chat: ChatRequest, _ key: CacheKey, _ keeping: Keeping) async throws -> Response {
        let call: OutgoingHTTP.Call
        do {
            if let response = try await cascaded(chat, key, keeping) { return response }
            call = try proxy.upstream.call(request, path: path, body: body)
        } catch {
            if keeping.isFirst { await proxy.flights.finish(key.exact, kept: false) }
            throw error
        }
        let relayed = RelayedAnswer(proxy.upstream, call) { whole in
            var isKept = false
            if let whole, whole.status == 200, keeping.writes {
                let isStream = whole.type.lowercased().hasPrefix("text/event-stream")
                let answer = isStream ? ChatAnswer(stream: whole.body) : ChatAnswer(whole: whole.body)
                if let answer { isKept = await keep(answer, key, keeping) }
            }
            if keeping.isFirst { await proxy.flights.finish(key.exact, kept: isKept) }
        }
        let response = try await context.whileConnected { try await relayed.response() }
        var marked = context.endingWithClient(response)
        marked.headers[.mnemeCache] = "miss"
        return marked
    }

    /// The small model's answer, where the router has it asked, and it is sure of it where a confidence is wanted (Kinnas et
    /// al., dual complementary networks with a memory, 2024: identical inputs first, then a cascade by confidence). Nil if
    /// the model that was asked for has to answer.
    private func cascaded(_ chat: ChatRequest, _ key: CacheKey, _ keeping: Keeping) async throws
        -> Response?
    {
        let options = proxy.options
        guard let small = options.smallModel, options.confidence != nil || options.router != nil else { return nil }
        if let router = options.router {
            // Where a router cannot tell, the large model is asked.
            let share = router.share(try await routed(chat, key, keeping, by: type(of: router).stage)) ?? 0
            guard share >= options.threshold else { return nil }
        }
        let call = try proxy.upstream.call(
            request, path: path,
            body: chat.sent(to: small, withConfidence: options.confidence != nil, inOnePiece: true))
        guard let answer = try? await whole(call), options.confidence.map({ answer.confidence ?? 0 >= $0 }) ?? true
        else { return nil }
        let isKept = keeping.writes ? await keep(answer, key, keeping) : false
        if keeping.isFirst { await proxy.flights.finish(key.exact, kept: isKept) }
        var response = delivered(answer, chat)
        response.headers[.mnemeCache] = "miss"
        response.headers[.mnemeModel] = small
        return response
    }

    /// The question with what a router goes by; what cannot be found out is left open.
    private func routed(
        _ chat: ChatRequest, _ key: CacheKey, _ keeping: Keeping, by stage: RouterStage
    ) async throws -> RoutedQuestion {
        var question = RoutedQuestion(key.question, small: false, large: false)
        switch stage {
        case .judged:
            let body = RouteJudgement.request(for: key.question, to: chat.model)
            if let answer = try? await bytes(of: proxy.upstream.call(request, path: path, body: body)) {
                question.judged = RouteJudgement.share(in: answer)
            }
        case .before:
            question.vector = keeping.vector
            if question.vector == nil, let embedder = proxy.cache.embedder {
                question.vector = try? await proxy.queue.run {
                    Array(try embedder.embed([key.question], as: .document)[0])
                }
            }
        case .after: break
        }
        try Task.checkCancellation()
        return question
    }

    /// A call's answer, if it may be kept.
    private func whole(_ call: OutgoingHTTP.Call) async throws -> ChatAnswer? {
        try await bytes(of: call).flatMap { ChatAnswer(whole: $0) }
    }

    /// The bytes of a call's answer; nil unless its status is 200.
    private func bytes(of call: OutgoingHTTP.Call) async throws -> Data? {
        let opened = try await proxy.upstream.open(call)
        guard opened.answer.status == 200 else { return nil }
        var body = Data()
        for try await piece in opened.answer.body where body.count <= AnswerCache.longestAnswer { body += piece }
        withExtendedLifetime(opened.place) {}
        return body
    }

    /// Keeps an answer; false if it was not, which is logged where it should have been.
    private func keep(_ answer: ChatAnswer, _ key: CacheKey, _ keeping: Keeping) async -> Bool {
        do {
            return try await proxy.queue.run {
                try proxy.cache.store(answer.body, for: key, vector: keeping.vector)
            }
        } catch {
            proxy.logger.error("an answer cannot be kept", metadata: ["cause": "\(error)"])
            return false
        }
    }
}

extension HTTPField.Name {
    /// How the cache answered: `hit`, `similar`, `example`, `miss`, `bypass`.
    static let mnemeCache = Self("X-Mneme-Cache")!
    /// Why the cache was passed by.
    static let mnemeReason = Self("X-Mneme-Cache-Reason")!
    /// The similarity of the question that was answered before.
    static let mnemeSimilarity = Self("X-Mneme-Cache-Similarity")!
    /// The number of the entry, for `mneme cache show`.
    static let mnemeEntry = Self("X-Mneme-Cache-Entry")!
    /// The smaller model that answered.
    static let mnemeModel = Self("X-Mneme-Model")!
}
