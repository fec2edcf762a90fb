import Foundation
import Mneme
import MnemeBase
import MnemeCache
import MnemeServer
import Testing

@Suite struct ProxyTests {
    private func ask(
        _ base: URL, _ question: String, key: String? = nil, members: [String: JSONValue] = [:],
        headers: [String: String] = [:]
    ) async throws -> (status: Int, text: String, cache: String, data: Data) {
        let body: JSONValue = .object(
            ["model": "m", "messages": [["role": "user", "content": .string(question)]]]
                .merging(members) { $1 })
        let answer = try await send(
            "POST", base.appendingPathComponent("v1/chat/completions"), try json(body), key: key,
            headers: headers)
        let cache = answer.headers["X-Mneme-Cache"] as? String ?? answer.headers["x-mneme-cache"] as? String
        return (
            answer.status, answer.json["choices"]?[0]?["message"]?["content"]?.string ?? "", cache ?? "",
            answer.data
        )
    }

    @Test func `the same question and one in other words cost one call`() async throws {
        try await withProxy { base, upstream, _, _ in
            let first = try await ask(base, "What is the capital of Austria?")
            #expect(first.status == 200 && first.text == "large 1" && first.cache == "miss")
            let second = try await ask(base, "What is the capital of Austria?")
            #expect(second.text == "large 1" && second.cache == "hit")
            let third = try await ask(base, "what's the capital of Austria")
            #expect(third.text == "large 1" && third.cache == "similar")
            let other = try await ask(base, "What is the capital of Australia?")
            #expect(other.text == "large 2" && other.cache == "miss")
            #expect(upstream.asked.count == 2)
            // The upstream sees its own key, never a client's.
            #expect(upstream.asked.allSatisfy { $0.key == "Bearer upstream-secret" })
        }
    }

    @Test func `keys, and users of one key, never get each other's answers`() async throws {
        try await withProxy(keys: [("ana", "ana"), ("ben", "ben")]) { base, upstream, _, secrets in
            let question = "What is the capital of Austria?"
            #expect(try await ask(base, question).status == 401)
            #expect(try await ask(base, question, key: "mn_wrong").status == 401)
            #expect(try await ask(base, question, key: secrets[0]).cache == "miss")
            #expect(try await ask(base, question, key: secrets[1]).cache == "miss")
            #expect(try await ask(base, "what's the capital of Austria", key: secrets[1]).text == "large 2")
            let first = try await ask(base, question, key: secrets[0], members: ["user": "u1"])
            let second = try await ask(base, question, key: secrets[0], members: ["user": "u2"])
            let again = try await ask(base, question, key: secrets[0], members: ["user": "u1"])
            #expect(first.cache == "miss" && second.cache == "miss")
            #expect(again.cache == "hit" && again.text == "large 3")
            #expect(upstream.asked.count == 4)
            #expect(upstream.asked.allSatisfy { $0.key == "Bearer upstream-secret" })
        }
    }

    @Test func `a stream is kept and given again as a stream or whole`() async throws {
        try await withProxy { base, upstream, _, _ in
            let first = try await ask(base, "Who wrote Hamlet?", members: ["stream": true])
            #expect(first.cache == "miss")
            #expect(String(decoding: first.data, as: UTF8.self).hasSuffix("data: [DONE]\n\n"))
            let whole = try await ask(base, "Who wrote Hamlet?")
            #expect(whole.text == "large 1" && whole.cache == "hit")
            let again = try await ask(base, "who wrote hamlet", members: ["stream": true])
            #expect(again.cache == "similar")
            let answer = try #require(ChatAnswer(stream: again.data))
            #expect(answer.text == "large 1")
            #expect(upstream.asked.count == 1)
        }
    }

    @Test func `a stream ends when its answer is kept`() async throws {
        let embedder = VectorHoldingEmbedder()
        try await withProxy(embedder: embedder) { base, upstream, cache, _ in
            let connection = try RawConnection(port: UInt16(base.port ?? 0))
            let body = #"{"model":"m","stream":true,"messages":[{"role":"user","content":"Who wrote Hamlet?"}]}"#
            // Without a look into the cache the vector is made when the answer is kept.
            connection.put(
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nCache-Control: no-cache\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            )
            while !embedder.isAsked { try await Task.sleep(for: .milliseconds(1)) }
            var before = ""
            for _ in 0..<300 where !before.contains("lar") { before += await connection.received(within: 0.1) }
            before += await connection.received(within: 0.3)
            #expect(before.contains(#""content":"lar""#) && !before.contains("[DONE]"))
            #expect(try cache.entries().isEmpty)
            embedder.answer()
            #expect(await connection.received(within: 30).contains("data: [DONE]"))
            #expect(try cache.entries().count == 1)
        }
    }

    @Test func `errors are passed on and never kept`() async throws {
        try await withProxy { base, upstream, cache, _ in
            for status in [400, 401, 429, 500, 503] {
                upstream.fail(with: status)
                let answer = try await ask(base, "Who wrote Hamlet?")
                #expect(answer.status == status)
                #expect(String(decoding: answer.data, as: UTF8.self).contains("scripted"))
            }
            #expect(try cache.entries().isEmpty)
            upstream.fail(with: 200)
            #expect(try await ask(base, "Who wrote Hamlet?").cache == "miss")
            #expect(try await ask(base, "Who wrote Hamlet?").cache == "hit")
        }
    }

    @Test func `clients pass the cache by, refresh it, or take nothing else`() async throws {
        try await withProxy { base, upstream, cache, _ in
            let question = "Who wrote Hamlet?"
            let alone = try await ask(base, question, headers: ["Cache-Control": "only-if-cached"])
            #expect(alone.status == 504 && upstream.asked.isEmpty)
            for headers in [["Cache-Control": "no-store"], ["X-Mneme-Cache": "bypass"]] {
                let answer = try await ask(base, question, headers: headers)
                #expect(answer.cache == "bypass")
            }
            #expect(try cache.entries().isEmpty)
            let written = try await ask(base, question, headers: ["Cache-Control": "no-cache"])
            #expect(written.cache == "miss")
            #expect(try await ask(base, question).text == "large 3")
            let refreshed = try await ask(base, question, headers: ["X-Mneme-Cache": "refresh"])
            #expect(refreshed.text == "large 4")
            let kept = try await ask(base, question, headers: ["Cache-Control": "only-if-cached"])
            #expect(kept.text == "large 4" && kept.cache == "hit")
            let warm = try await ask(base, question, members: ["temperature": .number(0.7)])
            #expect(warm.cache == "bypass")
        }
    }

    @Test func `the same question at once is one call`() async throws {
        try await withProxy { base, upstream, _, _ in
            let gate = AsyncGate()
            upstream.wait(for: gate)
            let tasks = (0..<8).map { _ in Task { try await ask(base, "Who wrote Hamlet?") } }
            while upstream.asked.isEmpty { await Task.yield() }
            await gate.open()
            for task in tasks {
                let answer = try await task.value
                #expect(answer.text == "large 1")
            }
            #expect(upstream.asked.count == 1)
        }
    }

    @Test func `an answer is kept though its client has gone away`() async throws {
        try await withProxy { base, upstream, cache, _ in
            let gate = AsyncGate()
            upstream.wait(for: gate)
            let connection = try RawConnection(port: UInt16(base.port ?? 0))
            let body = #"{"model":"m","messages":[{"role":"user","content":"Who wrote Hamlet?"}]}"#
            connection.put(
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            )
            while upstream.asked.isEmpty { await Task.yield() }
            connection.end()
            await gate.open()
            let next = try await ask(base, "Who wrote Hamlet?")
            #expect(next.text == "large 1" && next.cache == "hit")
            #expect(try cache.entries().count == 1 && upstream.asked.count == 1)
        }
    }

    @Test func `requests beyond the upstream's number are refused`() async throws {
        try await withProxy(maximumRequests: 1) { base, upstream, _, _ in
            let gate = AsyncGate()
            upstream.wait(for: gate)
            let first = Task { try await ask(base, "Who wrote Hamlet?") }
            while upstream.asked.isEmpty { await Task.yield() }
            let second = try await ask(base, "Who wrote Macbeth?")
            #expect(second.status == 429)
            await gate.open()
            let answered = try await first.value
            #expect(answered.status == 200)
            upstream.wait(for: nil)
            #expect(try await ask(base, "Who wrote Macbeth?").status == 200)
        }
    }

    @Test func `other routes are passed through, and none besides`() async throws {
        try await withProxy { base, upstream, _, _ in
            let url = try #require(URL(string: "\(base)/v1/models?limit=3"))
            let models = try await send("GET", url)
            #expect(models.status == 200 && models.json["data"]?[0]?.string == "limit=3")
            #expect(try await send("GET", base.appendingPathComponent("admin")).status == 404)
            #expect(try await send("GET", base.appendingPathComponent("health")).status == 200)
            let page = try await send("GET", url, headers: ["Origin": "https://evil.example"])
            #expect(page.status == 403)
            #expect(upstream.asked.count == 1)
            // What is no chat completion is the upstream's to judge.
            let odd = try await send(
                "POST", base.appendingPathComponent("v1/chat/completions"), Data("{".utf8))
            #expect(odd.status == 200 && upstream.asked.count == 2)
        }
    }

    @Test func `a kept answer is a smaller model's example where the policy says so`() async throws {
        var options = ProxyServer.Options()
        options.smallModel = "small"
        try await withProxy(options) { base, upstream, cache, _ in
            var policy = CachePolicy.standard(.fact)
            (policy.reuse, policy.threshold) = (.example, 0)
            try cache.set(policy, for: .fact)
            _ = try await ask(base, "Who wrote Hamlet?")
            let near = try await ask(base, "Who wrote Hamlets?")
            #expect(near.cache == "example" && near.text == "small 2")
            let sent = try #require(upstream.asked.last?.body)
            #expect(sent.contains("Who wrote Hamlet?") && sent.contains("large 1"))
            #expect(try cache.entries().count == 1)
        }
    }

    @Test func `a cascade takes the small model's answer if it is sure`() async throws {
        var options = ProxyServer.Options()
        (options.smallModel, options.confidence) = ("small", 0.9)
        try await withProxy(options) { base, upstream, _, _ in
            let sure = try await ask(base, "Is this sure?")
            #expect(sure.text == "small 1" && upstream.asked.count == 1)
            #expect(try await ask(base, "Is this sure?").cache == "hit")
            let unsure = try await ask(base, "Is this doubtful?")
            #expect(unsure.text == "large 3" && upstream.asked.count == 3)
        }
    }

    @Test func `a router has the small model asked where it did well on like questions`() async throws {
        /// Tells proofs from other questions.
        struct ProofEmbedder: TextEmbedder {
            let identifier = "proofs", dimension = 2, maximumTokens = 100
            func tokenCount(_ text: String) -> Int { text.utf8.count }
            func embed(_ texts: [String]) throws -> Embeddings {
                Embeddings(dimension: 2, values: texts.flatMap { $0.contains("Prove") ? [0, 1] : [1, 0] })
            }
        }
        let known = [
            ("Who wrote Hamlet?", true), ("Who wrote Macbeth?", true), ("Who wrote Faust?", true),
            ("Prove that pi is irrational.", false), ("Prove that e is irrational.", false),
            ("Prove that the root of two is irrational.", false),
        ]
        let examples = try known.map { text, isGood in
            var question = RoutedQuestion(text, small: isGood, large: true)
            question.vector = Array(try ProofEmbedder().embed([text], as: .document)[0])
            return question
        }
        for router in [SimilarityRouter(examples: examples) as any ModelRouter, ClassifierRouter(examples: examples)] {
            var options = ProxyServer.Options()
            (options.smallModel, options.router) = ("small", router)
            try await withProxy(options, embedder: ProofEmbedder()) { base, upstream, _, _ in
                let easy = try await ask(base, "Who wrote Ulysses?")
                #expect(easy.text == "small 1" && easy.cache == "miss" && upstream.asked.count == 1)
                #expect(try await ask(base, "Who wrote Ulysses?").cache == "hit")
                let streamed = try await ask(base, "Who wrote Medea?", members: ["stream": true])
                #expect(ChatAnswer(stream: streamed.data)?.text == "small 2")
                #expect(try await ask(base, "Prove that the root of three is irrational.").text == "large 3")
                #expect(upstream.asked.count == 3)
                // A small model that fails costs a call, and no answer.
                upstream.fail(with: 500)
                #expect(try await ask(base, "Who wrote Emma?").status == 500)
                #expect(upstream.asked.suffix(2).map { $0.body.contains(#""model":"small""#) } == [true, false])
            }
        }
    }

    @Test func `a judge is asked with one token whether the small model will do`() async throws {
        var options = ProxyServer.Options()
        (options.smallModel, options.router, options.threshold) = ("small", JudgeRouter(examples: []), 0.7)
        try await withProxy(options) { base, upstream, _, _ in
            // The scripted endpoint says neither yes nor no: the large model answers.
            #expect(try await ask(base, "What is love?").text == "large 2")
            let judging = try #require(upstream.asked.first?.body)
            #expect(judging.contains("What is love?") && judging.contains(#""max_tokens":1"#))
            #expect(judging.contains(#""model":"m""#))
            // And one that says yes has the small one asked.
            #expect(try await ask(base, "Say yes: what is 1 + 1?").text == "small 4")
        }
        func share(_ content: String, _ logprobs: String = "") -> Double? {
            RouteJudgement.share(
                in: Data(#"{"choices":[{"message":{"content":"\#(content)"}\#(logprobs)}]}"#.utf8))
        }
        #expect(share("Yes") == 1 && share("no.") == 0 && share("perhaps") == nil)
        let top = #"[{"token":" yes","logprob":-1},{"token":"No","logprob":-1}]"#
        let both = #","logprobs":{"content":[{"token":"Yes","logprob":-1,"top_logprobs":\#(top)}]}"#
        #expect(share("Yes", both) == 0.5)
        #expect(RouteJudgement.share(in: Data("nothing".utf8)) == nil)
    }

    @Test func `wrong addresses and options are refused`() throws {
        var options = ProxyServer.Options()
        options.router = JudgeRouter(examples: [])
        let cache = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: cache) }
        #expect(throws: InputError.self) {
            try ProxyServer(
                cache: AnswerCache(path: cache + "/cache.db"),
                upstream: Upstream(base: "http://127.0.0.1:1/v1", key: nil), options: options,
                configuration: ServerConfiguration())
        }
        #expect(throws: InputError.self) { try RoutedQuestion.list(Data("{}".utf8)) }
        for address in ["", "ftp://h/v1", "https://ana:secret@h/v1", "https://h/v1?key=1", "/v1"] {
            #expect(throws: InputError.self) { try Upstream(base: address, key: nil) }
        }
    }

    @Test func `an upstream that is not there is told of`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let cache = try AnswerCache(path: folder + "/cache.db")
        var configuration = ServerConfiguration()
        configuration.port = 0
        let proxy = try ProxyServer(
            cache: cache, upstream: try Upstream(base: "http://127.0.0.1:1/v1", key: nil),
            configuration: configuration)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run { continuation.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let answer = try await ask(URL(string: "http://127.0.0.1:\(port)")!, "Who wrote Hamlet?")
            #expect(answer.status == 502)
            #expect(String(decoding: answer.data, as: UTF8.self).contains("upstream_unreachable"))
            group.cancelAll()
        }
    }
}
