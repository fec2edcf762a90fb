import Foundation
import Mneme
import MnemeBase
import MnemeEngine
import MnemeModels
import MnemeServer
import MnemeStore
import Testing

/// OpenAI's endpoints over HTTP with a tiny model, so that they are tested without a download.
@Suite(.serialized) struct ChatTests {
    private static let path = "v1/chat/completions"

    /// A question, answered greedily in a few tokens.
    private func question(_ text: String, _ more: [String: JSONValue] = [:]) -> [String: JSONValue] {
        let messages: JSONValue = [["role": "user", "content": .string(text)]]
        return ["messages": messages, "temperature": 0, "max_tokens": 12].merging(more) { $1 }
    }

    private func ask(
        _ base: URL, _ body: [String: JSONValue], path: String = path, key: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> (status: Int, json: JSONValue, data: Data) {
        let answer = try await send(
            "POST", base.appendingPathComponent(path), json(.object(body)), key: key,
            headers: headers)
        return (answer.status, answer.json, answer.data)
    }

    /// The events of a stream, without `data: `.
    private func events(_ data: Data) throws -> [String] {
        let frames = String(decoding: data, as: UTF8.self).components(separatedBy: "\n\n")
        #expect(frames.last == "", "the last event ends like the others")
        return try frames.dropLast().map { frame in
            try #require(frame.hasPrefix("data: ") && !frame.contains("\n"), "\(frame)")
            return String(frame.dropFirst(6))
        }
    }

    private func content(_ answer: JSONValue) -> String? {
        answer["choices"]?[0]?["message"]?["content"]?.string
    }

    private func withChat(
        keys: [(String, Set<Permission>, String?)] = [], limits: (inout APIKey) -> Void = { _ in },
        _ body: (_ base: URL, _ secrets: [String], _ memory: MemoryOS, _ model: LanguageModel)
            async throws -> Void
    ) async throws {
        try await TinyModel.with { model, engine in
            try await withServer(
                keys: keys, limits: limits, embedder: ToyEmbedder(), language: (model, engine),
                change: { $0.modelAlias = "small" }
            ) { base, secrets, memory in try await body(base, secrets, memory, model) }
        }
    }

    @Test func `a question is answered, and what it cost is told`() async throws {
        try await withChat { base, _, _, model in
            let text =
                "Who sails the Marigold to the island and back again before the winter storms?"
            let (status, answer, _) = try await ask(base, question(text, ["model": "small"]))
            #expect(
                status == 200 && answer["object"] == "chat.completion" && answer["model"] == "tiny")
            #expect(answer["choices"]?[0]?["message"]?["role"] == "assistant")
            #expect(
                content(answer)?.isEmpty == false
                    && answer["choices"]?[0]?["finish_reason"] == "length")
            #expect(answer["memories"] == nil, "memory was not asked for")
            let prompt = try model.tokens(of: [ChatMessage(role: "user", content: text)]).count
            let usage = answer["usage"]
            #expect(usage?["prompt_tokens"]?.int == prompt && usage?["completion_tokens"] == 12)
            #expect(usage?["total_tokens"]?.int == prompt + 12)
            #expect(usage?["prompt_tokens_details"]?["cached_tokens"] == 0)
            let again = try await ask(base, question(text)).json
            #expect(content(again) == content(answer), "greedy answers are repeatable")
            let cached = again["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.int ?? 0
            #expect(cached > 0 && cached < prompt)
        }
    }

    @Test func `a stream holds the same answer piece by piece`() async throws {
        try await withChat { base, _, _, _ in
            let whole = try await ask(base, question("Tell me of the sea.")).json
            let streamed = question(
                "Tell me of the sea.", ["stream": true, "stream_options": ["include_usage": true]])
            let events = try events(try await ask(base, streamed).data)
            #expect(events.last == "[DONE]")
            let chunks = try events.dropLast().map { try JSONValue(parsing: Array($0.utf8)) }
            #expect(
                chunks.allSatisfy {
                    $0["object"] == "chat.completion.chunk" && $0["id"] == chunks[0]["id"]
                })
            let deltas = chunks.compactMap { $0["choices"]?[0]?["delta"] }
            #expect(
                deltas.first?["role"] == "assistant"
                    && deltas.dropFirst().allSatisfy { $0["role"] == nil })
            #expect(deltas.compactMap { $0["content"]?.string }.joined() == content(whole))
            let reasons = chunks.compactMap { $0["choices"]?[0]?["finish_reason"] }
            #expect(reasons.last == "length" && reasons.dropLast().allSatisfy { $0 == .null })
            #expect(
                chunks.last?["choices"] == [] && chunks.last?["usage"]?["completion_tokens"] == 12)
            let plain = try await ask(base, question("Tell me of the sea.", ["stream": true]))
            #expect(
                !String(decoding: plain.data, as: UTF8.self).contains("prompt_tokens"),
                "nobody asked for it")
        }
    }

    @Test func `an answer ends before a stop string`() async throws {
        try await withChat { base, _, _, _ in
            let whole = try #require(content(try await ask(base, question("Count.")).json))
            let stop = String(whole.dropFirst(5).prefix(2))
            let end = try #require(whole.range(of: stop)).lowerBound
            for value in [JSONValue.string(stop), [.string(stop)], ["\u{1F40B}", .string(stop)]] {
                let answer = try await ask(base, question("Count.", ["stop": value])).json
                #expect(content(answer) == String(whole[..<end]), "\(value)")
                #expect(answer["choices"]?[0]?["finish_reason"] == "stop")
            }
            let streamed = try events(
                try await ask(base, question("Count.", ["stop": .string(stop), "stream": true]))
                    .data)
            let pieces = try streamed.dropLast().map { try JSONValue(parsing: Array($0.utf8)) }
            let text = pieces.compactMap { $0["choices"]?[0]?["delta"]?["content"]?.string }
                .joined()
            #expect(text == String(whole[..<end]))
        }
    }

    @Test func `memories come into the prompt, and the turn is remembered when the answer ends`()
        async throws
    {
        try await withChat { base, _, memory, _ in
            let scope = Scope(user: "ana")
            try await memory.remember([MemoryInput("The boat is called Marigold")], scope: scope)
            let text = "What is the boat called?"
            let bare = try await ask(base, question(text)).json
            let options: JSONValue = ["user": "ana", "session": "harbour", "remember": false]
            let read = try await ask(base, question(text, ["memory": options])).json
            #expect(read["memories"]?[0]?["text"] == "The boat is called Marigold")
            #expect(read["memories"]?[0]?["score"]?.double ?? 0 > 0)
            #expect(
                read["usage"]?["prompt_tokens"]?.int ?? 0
                    > (bare["usage"]?["prompt_tokens"]?.int ?? 0) + 27)
            #expect(try await memory.statistics().memories == 1, "remember was false")
            for streams in [false, true] {
                let said = streams ? "My dog is called Bruno." : "My cat is called Minka."
                let body = question(
                    said,
                    ["stream": .bool(streams), "memory": ["user": "ana", "session": "harbour"]])
                let answer = try await ask(base, body)
                #expect(answer.status == 200)
                if streams {
                    let last = try JSONValue(
                        parsing: Array(try #require(try events(answer.data).dropLast().last).utf8))
                    #expect(
                        last["memories"]?.array != nil
                            && last["choices"]?[0]?["finish_reason"] == "length")
                }
                let found = try await memory.recall(RecallRequest(said, owner: scope.owner))
                    .memories.map(\.memory)
                let turn = try #require(found.first { $0.text == said })
                #expect(
                    turn.speaker == "user" && turn.provenance.source == "chat"
                        && turn.scope.session == "harbour")
            }
            let next = try await ask(
                base, question("Which dog is called Bruno?", ["memory": ["user": "ana"]])
            ).json
            #expect(
                next["memories"]?.array?.contains { $0["text"] == "My dog is called Bruno." }
                    == true)
            let other = try await ask(
                base, question("Which dog is called Bruno?", ["memory": ["user": "bob"]])
            ).json
            #expect(other["memories"] == [], "memories are their owner's")
        }
    }

    @Test func `memory goes with the user's words alone`() async throws {
        try await withChat { base, _, memory, _ in
            for messages in [
                [["role": "system", "content": "x"]], [["role": "user", "content": "a\u{0}b"]],
            ]
                as [JSONValue]
            {
                let answer = try await ask(base, ["messages": messages, "memory": true])
                #expect(answer.status == 400 && answer.json["error"]?["code"] == "invalid_request")
            }
            #expect(try await memory.statistics().memories == 0)
        }
    }

    @Test func `an error that comes up in a stream is its last event`() async throws {
        try await withChat(keys: [("ana", [.read, .write], "ana")], limits: { $0.quota = 1 }) {
            base, secrets, memory, _ in
            try await memory.remember(
                [MemoryInput("The boat is called Marigold")], scope: Scope(user: "ana"))
            let body = question("My dog is called Bruno.", ["stream": true, "memory": true])
            let answer = try await ask(base, body, key: secrets[0])
            #expect(answer.status == 200, "the answer had begun")
            let events = try events(answer.data)
            let last = try JSONValue(parsing: Array(try #require(events.last).utf8))
            #expect(
                last["error"]?["code"] == "quota_reached"
                    && last["error"]?["message"]?.string?.isEmpty == false)
            #expect(
                events.count > 1 && !events.contains("[DONE]")
                    && !events.contains { $0.contains("length") })
            let whole = try await ask(
                base, question("My dog is called Bruno.", ["memory": true]), key: secrets[0])
            #expect(whole.status == 403 && whole.json["error"]?["code"] == "quota_reached")
        }
    }

    @Test func `refusals of every model route are in the audit log`() async throws {
        let keys: [(String, Set<Permission>, String?)] = [
            ("writer", [.write], "ana"), ("reader", [.read], "ana"),
        ]
        try await withChat(keys: keys) { base, secrets, memory, _ in
            let routes: [(path: String, name: String, body: [String: JSONValue])] = [
                (Self.path, "chat", question("Hello")),
                ("v1/completions", "completions", ["prompt": "Hello"]),
                ("v1/embeddings", "embeddings", ["input": "Hello"]),
            ]
            for route in routes {
                let refused = try await ask(
                    base, route.body, path: route.path, key: secrets[0],
                    headers: ["X-Request-ID": "no-\(route.name)"])
                #expect(refused.status == 403 && refused.json["error"]?["code"] == "forbidden")
                #expect(refused.json["error"]?["message"]?.string?.contains("'read'") == true)
                #expect(
                    try await ask(base, route.body, path: route.path, key: secrets[1]).status == 200
                )
            }
            // Who may read only may chat, but not have the turn remembered, nor reach another's
            // memories.
            for (memory, status) in [
                (true, 403), (["remember": false], 200), (["user": "bob", "remember": false], 403),
            ]
                as [(JSONValue, Int)]
            {
                let answer = try await ask(
                    base, question("Hello", ["memory": memory]), key: secrets[1],
                    headers: ["X-Request-ID": "memory"])
                #expect(answer.status == status, "\(memory)")
            }
            #expect(
                try await send("GET", base.appendingPathComponent("v1/models"), key: secrets[0])
                    .status == 200)
            try memory.store.flush()
            let refused = try memory.store.auditEntries(after: 0, limit: 100, by: .local).filter {
                $0.outcome == .refused
            }
            for route in routes {
                let entry = try #require(refused.first { $0.request == "no-\(route.name)" })
                #expect(entry.operation == route.name && entry.principal == "key:writer")
            }
            #expect(
                refused.filter { $0.request == "memory" && $0.principal == "key:reader" }.count == 2
            )
            #expect(refused.count == 5, "\(refused)")
        }
    }

    @Test func `a completion continues a text, whole and streamed, with the tokens' probabilities`()
        async throws
    {
        try await withChat { base, _, _, model in
            let body: [String: JSONValue] = [
                "prompt": "The sea ", "temperature": 0, "max_tokens": 8, "logprobs": 2,
            ]
            let whole = try await ask(base, body, path: "v1/completions").json
            let choice = whole["choices"]?[0]
            #expect(whole["object"] == "text_completion" && choice?["finish_reason"] == "length")
            #expect(
                choice?["logprobs"]?["tokens"]?.array?.compactMap(\.string).joined()
                    == choice?["text"]?.string)
            #expect(choice?["logprobs"]?["top_logprobs"]?[0]?.object?.count == 2)
            #expect(
                whole["usage"]?["prompt_tokens"] == 8 && whole["usage"]?["completion_tokens"] == 8)
            let ids = model.tokens(of: "The sea ").map { JSONValue.number(Double($0)) }
            let same = try await ask(
                base, body.merging(["prompt": .array(ids)]) { $1 }, path: "v1/completions"
            ).json
            #expect(same["choices"] == whole["choices"])
            let data = try await ask(
                base, body.merging(["stream": true]) { $1 }, path: "v1/completions"
            ).data
            let pieces = try events(data).dropLast().map { try JSONValue(parsing: Array($0.utf8)) }
            #expect(
                pieces.compactMap { $0["choices"]?[0]?["text"]?.string }.joined()
                    == choice?["text"]?.string)
            let offsets = pieces.compactMap { $0["choices"]?[0]?["logprobs"]?["text_offset"]?[0] }
            #expect(.array(offsets) == choice?["logprobs"]?["text_offset"])
        }
    }

    @Test func `with echo the prompt's own probabilities are told, as its answer had them`()
        async throws
    {
        try await withChat { base, _, _, model in
            func complete(_ more: [String: JSONValue]) async throws -> (
                status: Int, json: JSONValue, data: Data
            ) {
                let body: [String: JSONValue] = ["temperature": 0, "logprobs": 2]
                return try await ask(base, body.merging(more) { $1 }, path: "v1/completions")
            }
            let prompt = "The sea is a long text, longer than one step of the model can compute. "
            let written = try await complete(["prompt": .string(prompt), "max_tokens": 8])
                .json["choices"]?[0]
            let text = prompt + (written?["text"]?.string ?? "")
            let body: [String: JSONValue] = [
                "prompt": .string(text), "echo": true, "max_tokens": 2,
            ]
            let choice = try await complete(body).json["choices"]?[0]
            let told = choice?["logprobs"]
            let tokens = told?["tokens"]?.array?.compactMap(\.string) ?? []
            #expect(tokens.joined() == choice?["text"]?.string && tokens.count == text.count + 2)
            #expect(told?["token_logprobs"]?[0] == .null && told?["top_logprobs"]?[0] == .null)
            #expect(told?["text_offset"]?.array == tokens.indices.map { .number(Double($0)) })
            for member in ["token_logprobs", "top_logprobs"] {
                let part = told?[member]?.array?.dropFirst(prompt.count).prefix(8) ?? []
                #expect(Array(part) == written?["logprobs"]?[member]?.array, "\(member)")
            }
            let ids = model.tokens(of: text).map { JSONValue.number(Double($0)) }
            let same = try await complete(body.merging(["prompt": .array(ids)]) { $1 }).json
            #expect(same["choices"]?[0] == choice)
            let streamed = try events(try await complete(body.merging(["stream": true]) { $1 }).data)
            let pieces = try streamed.dropLast().map { try JSONValue(parsing: Array($0.utf8)) }
            let values = pieces.flatMap {
                $0["choices"]?[0]?["logprobs"]?["token_logprobs"]?.array ?? []
            }
            #expect(values == told?["token_logprobs"]?.array)
        }
    }

    @Test func `every field of the model routes that the document names is read with its type`()
        async throws
    {
        try await withChat { base, _, _, _ in
            let document = try await send("GET", base.appendingPathComponent("openapi.json")).json
            let valid: [String: [String: JSONValue]] = [
                "/v1/chat/completions": question("Hello"),
                "/v1/completions": ["prompt": "Hello", "max_tokens": 1],
                "/v1/embeddings": ["input": "Hello"],
            ]
            for (path, body) in valid {
                #expect(try await ask(base, body, path: path).status == 200)
                let post = document["paths"]?[path]?["post"]
                #expect(post?["x-permission"] == "read")
                let schema = try #require(
                    post?["requestBody"]?["content"]?["application/json"]?["schema"])
                let fields = try #require(schema["properties"]?.object)
                #expect(fields.count >= 4 && schema["required"]?.array?.count == 1)
                for name in fields.keys.sorted() {
                    // A list in a list is no value of any of them; null is none at all.
                    var bodies = [body.merging([name: [[]]]) { $1 }]
                    for inner in fields[name]?["oneOf"]?[1]?["properties"]?.object?.keys.sorted()
                        ?? []
                    {
                        bodies.append(body.merging([name: [inner: [[]]]]) { $1 })
                    }
                    for wrong in bodies {
                        let answer = try await ask(base, wrong, path: path)
                        #expect(answer.status == 400, "\(path) \(name): \(answer.json)")
                    }
                    guard schema["required"]?[0]?.string != name else { continue }
                    #expect(
                        try await ask(base, body.merging([name: .null]) { $1 }, path: path).status
                            == 200)
                }
            }
        }
    }

    @Test func `several answers are given, each with its own index, and the prompt counts once`()
        async throws
    {
        try await withChat { base, _, _, _ in
            let one = try await ask(base, question("Tell me of the sea.")).json
            let options: [String: JSONValue] = ["n": 3, "temperature": 1, "seed": 7]
            let many = try await ask(base, question("Tell me of the sea.", options)).json
            let choices = try #require(many["choices"]?.array)
            #expect(choices.compactMap { $0["index"]?.int } == [0, 1, 2])
            let texts = choices.compactMap { $0["message"]?["content"]?.string }
            #expect(Set(texts).count == 3, "each has a seed of its own")
            #expect(many["usage"]?["prompt_tokens"] == one["usage"]?["prompt_tokens"])
            #expect(many["usage"]?["completion_tokens"] == 36)
            let streamed = question(
                "Tell me of the sea.",
                options.merging(["stream": true, "stream_options": ["include_usage": true]]) { $1 })
            let chunks = try events(try await ask(base, streamed).data).dropLast().map {
                try JSONValue(parsing: Array($0.utf8))
            }
            for (index, text) in texts.enumerated() {
                let pieces = chunks.compactMap { $0["choices"]?[0] }.filter {
                    $0["index"]?.int == index
                }
                #expect(pieces.compactMap { $0["delta"]?["content"]?.string }.joined() == text)
            }
            #expect(chunks.last?["usage"]?["completion_tokens"] == 36)
        }
    }

    @Test func `a list of prompts is continued, each by itself, and repeated if asked for`()
        async throws
    {
        try await withChat { base, _, _, model in
            func complete(_ more: [String: JSONValue]) async throws -> JSONValue {
                let body: [String: JSONValue] = ["temperature": 0, "max_tokens": 6]
                return try await ask(base, body.merging(more) { $1 }, path: "v1/completions").json
            }
            let first = try await complete(["prompt": "The sea"])["choices"]?[0]?["text"]
            let second = try await complete(["prompt": "A boat"])["choices"]?[0]?["text"]
            let both = try await complete(["prompt": ["The sea", "A boat"]])
            #expect(both["choices"]?.array?.compactMap { $0["text"] } == [first, second])
            #expect(both["usage"]?["completion_tokens"] == 12)
            let ids = model.tokens(of: "The sea").map { JSONValue.number(Double($0)) }
            let asTokens = try await complete(["prompt": [.array(ids), "A boat"], "echo": true])
            let texts = asTokens["choices"]?.array?.compactMap { $0["text"]?.string }
            #expect(
                texts == ["The sea" + (first?.string ?? ""), "A boat" + (second?.string ?? "")])
            let twice = try await complete(["prompt": ["The sea", "A boat"], "n": 2])
            #expect(twice["choices"]?.array?.compactMap { $0["index"]?.int } == [0, 1, 2, 3])
            #expect(twice["usage"]?["prompt_tokens"] == both["usage"]?["prompt_tokens"])
        }
    }

    @Test
    func `another model's name is not found, and what OpenAI's API has beyond this is refused`()
        async throws
    {
        try await withChat { base, _, _, _ in
            #expect(try await ask(base, question("Hello", ["model": "gpt-4"])).status == 404)
            let refused: [(String, [String: JSONValue])] = [
                (Self.path, question("x", ["n": 0])),
                (Self.path, question("x", ["n": 17])),
                (Self.path, question("x", ["tools": [["type": "function"]]])),
                (Self.path, question("x", ["response_format": ["type": "xml"]])),
                (Self.path, question("x", ["messages": []])),
                (Self.path, question("x", ["top_logprobs": 21])),
                (Self.path, question("x", ["stop": .array(Array(repeating: "a", count: 17))])),
                (Self.path, question("x", ["logit_bias": ["a": 1]])),
                ("v1/completions", ["prompt": "x", "echo": true, "logprobs": 21]),
                ("v1/completions", ["prompt": []]),
                ("v1/completions", ["prompt": ["x", 1]]),
                ("v1/completions", ["prompt": .array(Array(repeating: "x", count: 9)), "n": 16]),
                ("v1/completions", ["prompt": "x", "best_of": 2]),
                ("v1/completions", ["prompt": "x", "suffix": "y"]),
                ("v1/completions", ["prompt": [.number(0.5)]]),
                ("v1/embeddings", ["input": []]), ("v1/embeddings", ["input": [15339, 1917]]),
                ("v1/embeddings", ["input": [[1, 2], "x"]]), ("v1/embeddings", ["input": [[]]]),
                ("v1/embeddings", ["input": "x", "encoding_format": "int8"]),
                ("v1/embeddings", ["input": "x", "dimensions": 5]),
            ]
            for (path, body) in refused {
                let answer = try await ask(base, body, path: path)
                #expect(
                    answer.status == 400 && answer.json["error"]?["code"] == "invalid_request",
                    "\(path) \(body)")
            }
            let taken = question("x", ["n": 1, "tools": [], "response_format": ["type": "text"]])
            #expect(try await ask(base, taken).status == 200)
        }
    }
}
