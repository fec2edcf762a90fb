import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeChat
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeServer
import MnemeStore
import Testing

/// Adapters that an engine serves: requests with different ones and none side by side, what is cached
/// of each, and the routes that name them.
@Suite(.serialized) struct AdapterServingTests {
    /// An adapter with a term for each map of the tiny model, strong enough to change its words.
    private static func adapter(_ c: DecoderConfiguration, seed: UInt64, rank: Int) -> Adapter {
        var random = SplitMix64(seed: seed)
        var terms: [Adapter.Place: Adapter.Term] = [:]
        func values(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(random.unit() - 0.5) * 0.4 }
        }
        for layer in 0..<c.layers {
            for linear in LayerLinear.allCases {
                let (outputs, inputs) = c.size(of: linear)
                terms[Adapter.Place(layer, linear)] = Adapter.Term(
                    rank: rank, scale: 1, a: values(rank * inputs), b: values(outputs * rank))
            }
        }
        return Adapter(terms)
    }

    /// The tiny model with adapters `one`, `two` and `three` in a store of their own.
    func withAdapters(
        bytes: Int? = nil, disk: Bool = false, limits given: ((LanguageModel) -> Engine.Limits)? = nil,
        _ body: (LanguageModel, Engine, AdapterStore) async throws -> Void
    ) async throws {
        let home = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-adapters-\(UUID().uuidString)"
        ).path
        defer { try? FileManager.default.removeItem(atPath: home) }
        try await TinyModel.with { model, _ in
            let c = model.decoder.configuration
            let store = AdapterStore(path: home + "/adapters")
            for (i, name) in ["one", "two", "three"].enumerated() {
                try store.add(
                    Self.adapter(c, seed: UInt64(i + 1), rank: 2 + 3 * i),
                    AdapterRecord(name: name, base: "tiny"))
            }
            var limits = given?(model) ?? Engine.Limits()
            if given == nil { limits.kvBytes = 64 << 20 }
            if let bytes { limits.adapterBytes = bytes }
            let engine = try Engine(
                model, limits: limits, folder: disk ? KVFolder(path: home + "/kv") : nil,
                adapters: store)
            defer { engine.close() }
            try await body(model, engine, store)
        }
    }

    func request(_ model: LanguageModel, _ text: String, _ adapter: String?)
        -> GenerationRequest
    {
        var request = GenerationRequest(prompt: model.tokens(of: text))
        request.adapter = adapter
        request.alternatives = 0
        request.maxTokens = 24
        return request
    }

    /// Tokens with their probabilities, and what was cached.
    func answer(_ engine: Engine, _ request: GenerationRequest) async throws -> (
        tokens: [Int32], probabilities: [Double], cached: Int
    ) {
        var tokens: [Int32] = []
        var probabilities: [Double] = []
        var cached = 0
        for try await event in try engine.generate(request) {
            switch event {
            case .token(_, let id, let probability, _):
                tokens.append(id)
                probabilities.append(probability ?? .nan)
            case .finished(_, let usage): cached = usage.cachedTokens
            }
        }
        return (tokens, probabilities, cached)
    }

    @Test func `an evaluation counts what each says, and the loss that it gives the right words`()
        async throws
    {
        try await withAdapters { model, engine, _ in
            let prompt = "Boat 1 is blue. Boat"
            func text(_ adapter: String?) async throws -> String {
                let tokens = try await answer(engine, request(model, prompt, adapter)).tokens
                return model.tokenizer.decode(tokens[...])
            }
            // What the adapter says, and the model without it does not.
            let said = try await text("one")
            let plain = try await text(nil)
            #expect(said != plain)
            let questions = [
                AdapterEvaluation.Question(prompt: prompt, answer: said.uppercased()),
                AdapterEvaluation.Question(prompt: prompt, answer: plain),
            ]
            var steps: [Int] = []
            let result = try await AdapterEvaluation.run(
                engine, adapter: "one", questions: questions,
                text: model.tokens(of: "The harbour lies still."), maxTokens: 24
            ) {
                let start = model.tokens(of: $0.prompt)
                return (start + model.tokens(of: $0.answer), start.count)
            } progress: { done, _ in
                steps.append(done)
            }
            #expect(steps == [1, 2, 3])
            #expect(result.questions == 2)
            #expect(result.with.right == 1 && result.without.right == 1)
            #expect(result.answerTokens > 0 && result.textTokens > 0)
            // The sum of ln p over both answers, from the first token behind the prompt on.
            for (adapter, figures) in [("one", result.with), (nil, result.without)]
                as [(String?, AdapterEvaluation.Figures)]
            {
                var (sum, count) = (0.0, 0)
                for question in questions {
                    let start = model.tokens(of: prompt)
                    let scored = try await engine.probabilities(
                        of: start + model.tokens(of: question.answer), alternatives: 0,
                        adapter: adapter
                    ).dropFirst(start.count)
                    sum -= scored.reduce(0) { $0 + ($1.logProbability ?? .nan) }
                    count += scored.count
                }
                #expect(abs(figures.answerLoss - sum / Double(count)) < 1e-4)
                #expect(try #require(figures.perplexity) > 1)
            }
            #expect(result.with.perplexity != result.without.perplexity)
        }
    }

    @Test func `questions are read by lines, and what is none is refused by its line`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-questions-\(UUID().uuidString).jsonl"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func read(_ text: String) throws -> [AdapterEvaluation.Question] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return try AdapterEvaluation.Question.read(path)
        }
        let one = "{\"prompt\": \"Who?\", \"answer\": \" Ana \"}"
        let found = try read("\(one)\n\n\(one.dropLast()), \"procedure\": \"add\"}\n")
        #expect(found.map(\.procedure) == [nil, "add"])
        #expect(found.count == 2)
        #expect(found[0].isAnswered(by: "It is ANA.") && !found[0].isAnswered(by: "It is Bo."))
        for bad in ["{", "[]", "{\"prompt\": \"a\"}", "{\"prompt\": \"a\", \"answer\": \" \"}"] {
            let error = #expect(throws: InputError.self) { try read(one + "\n" + bad) }
            #expect(error?.message.contains("Line 2") == true, "\(bad)")
        }
        #expect(throws: InputError.self) { try read("\n") }
        #expect(throws: InputError.self) { try AdapterEvaluation.Question.read(path + ".absent") }
    }

    @Test func `requests with several adapters and none in one batch answer as one by one`() async throws {
        try await withAdapters { model, engine, _ in
            let names: [String?] = ["one", nil, "two", "three", nil, "one", "two", nil, "three"]
            let requests = names.enumerated().map { i, name in
                request(
                    model, String(repeating: "Boat \(i % 4) is blue. ", count: 1 + i % 5), name)
            }
            var alone: [(tokens: [Int32], probabilities: [Double], cached: Int)] = []
            for request in requests { alone.append(try await answer(engine, request)) }
            let together = try await withThrowingTaskGroup(of: (Int, [Int32], [Double]).self) { group in
                for (i, request) in requests.enumerated() {
                    group.addTask {
                        let answer = try await answer(engine, request)
                        return (i, answer.tokens, answer.probabilities)
                    }
                }
                return try await group.reduce(into: [Int: ([Int32], [Double])]()) {
                    $0[$1.0] = ($1.1, $1.2)
                }
            }
            for i in requests.indices {
                #expect(together[i]?.0 == alone[i].tokens, "request \(i)")
                #expect(together[i]?.1 == alone[i].probabilities, "request \(i)")
            }
            #expect(engine.statistics.adapters == 3 && engine.statistics.adapterBytes > 0)
        }
    }

    @Test(arguments: [false, true])
    func `what is cached with one adapter is found with that one alone`(disk: Bool) async throws {
        try await withAdapters(disk: disk) { model, engine, store in
            let text = String(repeating: "The boat is blue. ", count: 10)
            var answers: [[Double]] = []
            for name in [nil, "one", "two"] as [String?] {
                let first = try await answer(engine, request(model, text, name))
                #expect(first.cached == 0, "\(name ?? "none")")
                answers.append(first.probabilities)
            }
            for (i, name) in ([nil, "one", "two"] as [String?]).enumerated() {
                let again = try await answer(engine, request(model, text, name))
                #expect(again.cached > 100, "\(name ?? "none")")
                #expect(again.probabilities == answers[i], "\(name ?? "none")")
            }
            #expect(Set(answers.map(\.description)).count == 3)
            // Another adapter under the same name shares nothing with the one before.
            let other = Self.adapter(model.decoder.configuration, seed: 77, rank: 4)
            try store.add(other, AdapterRecord(name: "one", base: "tiny"), replacing: true)
            let replaced = try await answer(engine, request(model, text, "one"))
            #expect(replaced.cached == 0)
            #expect(replaced.probabilities != answers[1])
        }
    }

    @Test func `adapters beyond the budget are evicted by use and read again`() async throws {
        let bytes = try await {
            var bytes = 0
            try await withAdapters { model, engine, _ in
                _ = try await answer(engine, request(model, "a", "three"))
                bytes = engine.statistics.adapterBytes
            }
            return bytes
        }()
        try await withAdapters(bytes: bytes) { model, engine, _ in
            var first: [String: [Double]] = [:]
            for name in ["one", "three", "two", "one", "three"] {
                let probabilities = try await answer(engine, request(model, "Boats.", name))
                    .probabilities
                #expect(engine.statistics.adapterBytes <= bytes)
                #expect(first[name] == nil || first[name] == probabilities)
                first[name] = probabilities
            }
        }
        try await withAdapters(bytes: bytes - 1) { model, engine, _ in
            let error = #expect(throws: AdapterError.self) {
                _ = try engine.generate(request(model, "a", "three"))
            }
            #expect(error?.code == .unavailable)
            _ = try await answer(engine, request(model, "a", "one"))
        }
    }

    @Test func `adapters, keys and values share one memory, and idle ones of either make room`() async throws {
        let (bytes, block) = try await {
            var (bytes, block) = (0, 0)
            try await withAdapters { model, engine, _ in
                _ = try await answer(engine, request(model, "a", "three"))
                bytes = engine.statistics.adapterBytes
                block = KVShape(model.decoder.configuration).blockBytes
            }
            return (bytes, block)
        }()
        let text = String(repeating: "Boats lie in the harbour of Bergen. ", count: 12)
        // Room for two prompts such as this, and for two adapters.
        var limits = Engine.Limits()
        (limits.adapterBytes, limits.sequences) = (2 * bytes, 2)
        try await withAdapters(limits: { model in
            limits.kvBytes = 2 * KVShape.blocks(model.tokens(of: text).count + 24) * block
            return limits
        }) { model, engine, _ in
            let most = engine.statistics.kv.limit
            #expect(most >= limits.kvBytes + 2 * bytes - block)
            var first: [String: [Double]] = [:]
            for round in 0..<3 {
                for name in ["one", "two", "three", nil] as [String?] {
                    let found = try await answer(engine, request(model, text, name))
                    let statistics = engine.statistics
                    #expect(statistics.kv.bytes + statistics.adapterBytes <= most, "\(round) \(name ?? "none")")
                    let key = name ?? "none"
                    #expect(first[key] == nil || first[key] == found.probabilities, "\(round) \(key)")
                    first[key] = found.probabilities
                }
            }
            #expect(Set(first.values.map(\.description)).count == 4)
            // A prompt that needs all that sequences may have finds it, whatever adapters left behind.
            var long = request(model, text, "three")
            long.maxTokens = engine.roomTokens - long.prompt.count
            long.ignoresEnd = true
            #expect(try await answer(engine, long).tokens.count == long.maxTokens)
        }
    }

    @Test func `adapters that cannot be used are refused with the reason`() async throws {
        try await withAdapters { model, engine, store in
            func code(_ name: String) -> AdapterError.Code? {
                do { _ = try engine.generate(request(model, "a", name)) } catch {
                    return (error as? AdapterError)?.code
                }
                return nil
            }
            #expect(code("four") == .notFound && code("../one") == .notFound && code("") == .notFound)
            let folder = try store.folder("one")
            var record = try #require(try folder.record())
            record.baseHash = String(repeating: "0", count: 64)
            try folder.write(record)
            #expect(code("one") == .wrongBase)
            record.baseHash = try ModelIdentity.hash(model.path)
            try folder.write(record)
            #expect(code("one") == nil)
            record.withdrawn = "A memory that it was made from was erased."
            try folder.write(record)
            #expect(code("one") == .unavailable)
            try Data("nothing".utf8).write(
                to: URL(fileURLWithPath: try store.folder("two").path + "/adapter_model.safetensors"))
            #expect(code("two") == .unavailable)
            try store.erase("three")
            #expect(code("three") == .notFound)
        }
    }

    @Test func `erasing a memory takes adapters made from it out of use`() async throws {
        try await withAdapters { model, engine, store in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
                "mneme-\(UUID().uuidString)"
            ).path
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let memory = try MemoryOS(
                store: SQLiteMemoryStore(
                    path: folder + "/memory.db", analyzer: MemoryOS.analyzerVersion),
                embedder: nil, indexFolder: folder + "/index")
            memory.attach(AdapterMemory(store))
            let facts = try await memory.remember(
                [MemoryInput("Ana sails the Marigold."), MemoryInput("Bergen is cold.")],
                scope: Scope(user: "ana"))
            for (name, fact) in zip(["one", "two"], facts) {
                var record = AdapterRecord(name: name, base: "tiny")
                record.memories = [fact.id.description]
                try store.folder(name).write(record)
                _ = try await answer(engine, request(model, "a", name))
            }
            // Trainings that have not ended, one of which nobody can read.
            for (name, text) in [
                ("one", "{\"memories\": [\"\(facts[0].id)\"]}"),
                ("two", "{\"memories\": [\"\(facts[1].id)\"]}"), ("three", "{"),
            ] {
                let training = store.trainingFolder(name)
                try FileManager.default.createDirectory(
                    atPath: training, withIntermediateDirectories: false)
                try Data(text.utf8).write(
                    to: URL(fileURLWithPath: training + "/" + AdapterStore.trainingFile))
                try Data([1]).write(to: URL(fileURLWithPath: training + "/checkpoint"))
            }
            try await memory.erase(facts[0].id, owner: Owner(user: "ana"))
            #expect(
                ["one", "two", "three"].map {
                    FileManager.default.fileExists(atPath: store.trainingFolder($0))
                } == [false, true, false])
            let error = #expect(throws: AdapterError.self) {
                _ = try engine.generate(request(model, "a", "one"))
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("was erased") == true)
            let left = try FileManager.default.contentsOfDirectory(
                atPath: try store.folder("one").path)
            #expect(!left.contains("adapter_model.safetensors"))
            for name in ["two", "three"] { _ = try await answer(engine, request(model, "a", name)) }
            await memory.close()
        }
    }

    @Test func `every API takes an adapter by its field or behind the model's name`() async throws {
        try await withAdapters { model, engine, _ in
            try await withServer(
                embedder: ToyEmbedder(), language: (model, engine), change: { $0.modelAlias = "small" }
            ) { base, _, _ in
                let messages: JSONValue = [["role": "user", "content": "Count."]]
                func chat(_ more: [String: JSONValue]) async throws -> (Int, JSONValue?) {
                    let body: [String: JSONValue] = [
                        "messages": messages, "temperature": 0, "max_tokens": 12,
                    ]
                    let answer = try await post(
                        base, "/v1/chat/completions", .object(body.merging(more) { $1 }))
                    return (
                        answer.status, answer.json["choices"]?[0]?["message"]?["content"] ?? answer.json
                    )
                }
                let plain = try await chat([:])
                let one = try await chat(["adapter": "one"])
                #expect(plain.0 == 200 && one.0 == 200 && plain.1 != one.1)
                #expect(try await chat(["model": "small:one"]).1 == one.1)
                #expect(try await chat(["model": "small:one", "adapter": "one"]).1 == one.1)
                #expect(try await chat(["model": "small:latest"]).1 == plain.1)
                #expect(try await chat(["model": "small:one", "adapter": "two"]).0 == 400)
                #expect(try await chat(["adapter": 3]).0 == 400)
                let unknown = try await chat(["adapter": "four"])
                #expect(unknown.0 == 404)
                #expect("\(unknown.1 ?? .null)".contains("one, three, two"))
                #expect(try await chat(["model": "other:one"]).0 == 404)
                #expect(try await chat(["model": "small:"]).0 == 404)

                let ollama = try await post(
                    base, "/api/chat",
                    [
                        "model": "small:one", "messages": messages, "stream": false,
                        "options": ["temperature": 0, "num_predict": 12, "repeat_penalty": 1],
                    ])
                #expect(ollama.json["message"]?["content"] == one.1)
                let claude = try await post(
                    base, "/v1/messages",
                    ["model": "small:one", "messages": messages, "max_tokens": 12, "temperature": 0])
                #expect(claude.json["content"]?[0]?["text"] == one.1)
                let listed = try await get(base, "/v1/models").json["data"]?.array?.compactMap {
                    $0["id"]?.string
                }
                #expect(
                    listed?.filter { $0.hasPrefix("small:") }
                        == ["small:one", "small:three", "small:two"])
                #expect(try await get(base, "/v1/models/small:two").status == 200)
                #expect(try await get(base, "/v1/models/small:four").status == 404)
                let shown = try await post(base, "/api/show", ["model": "small:two"])
                #expect(shown.json["details"]?["family"] == "llama")
            }
        }
    }

    @Test func `an adapter answers those alone who may read the memory that stands for it`() async throws {
        try await withAdapters { model, engine, store in
            let keys: [(String, Set<Permission>, String?)] = [
                ("ana's", [.read, .write], "ana"), ("ben's", [.read, .write], "ben"), ("all", [.read], nil),
            ]
            try await withServer(
                keys: keys, embedder: ToyEmbedder(), language: (model, engine),
                change: { $0.modelAlias = "small" }
            ) { base, secrets, memory in
                // One of Ana's, with a memory; one whose memory is in another store; the third is nobody's.
                for (name, isHere) in [("one", true), ("two", false)] {
                    let folder = try store.folder(name)
                    var record = try folder.record() ?? AdapterRecord(name: name, base: "tiny")
                    record.cube = AdapterRecord.Cube(user: "ana")
                    var input = MemoryInput("The code of \(name) is 4711.")
                    input.sensitivity = .restricted
                    record.memories = try await memory.remember([input], scope: Scope(user: "ana"))
                        .map(\.id.description)
                    try folder.write(record)
                    let adapter = try folder.read(for: model.decoder.configuration)
                    guard isHere else { continue }
                    let kept = try await store.remember(adapter, record, in: memory, by: .local)
                    // As secret as what it was made of.
                    #expect(kept.sensitivity == .restricted)
                }
                func chat(_ adapter: String, _ key: String) async throws -> (Int, JSONValue) {
                    let answer = try await post(
                        base, "/v1/chat/completions",
                        [
                            "messages": [["role": "user", "content": "Count."]], "max_tokens": 2,
                            "adapter": .string(adapter),
                        ], key: key)
                    return (answer.status, answer.json)
                }
                func listed(_ key: String) async throws -> [String] {
                    try await get(base, "/v1/models", key: key).json["data"]?.array?
                        .compactMap { $0["id"]?.string }.filter { $0.hasPrefix("small:") } ?? []
                }
                let (ana, ben, all) = (secrets[0], secrets[1], secrets[2])
                for key in [ana, all] {
                    for name in ["one", "two", "three"] { #expect(try await chat(name, key).0 == 200) }
                    #expect(try await listed(key) == ["small:one", "small:three", "small:two"])
                }
                #expect(try await chat("three", ben).0 == 200)
                #expect(try await listed(ben) == ["small:three"])
                for name in ["one", "two", "four"] {
                    let (status, answer) = try await chat(name, ben)
                    #expect(status == 404)
                    #expect(
                        answer["error"]?["message"]?.string
                            == "There is no adapter '\(name)'; there are three.")
                }
                #expect(try await get(base, "/v1/models/small:one", key: ben).status == 404)
                #expect(try await post(base, "/api/show", ["model": "small:one"], key: ben).status == 404)
            }
        }
    }

    @Test func `archiving the memory of an adapter takes it out of use for all keys`() async throws {
        try await withAdapters { model, engine, store in
            try await withServer(
                keys: [("ana's", [.read, .write], "ana"), ("all", [.read], nil)], embedder: ToyEmbedder(),
                language: (model, engine), change: { $0.modelAlias = "small" }
            ) { base, secrets, memory in
                let folder = try store.folder("one")
                var record = try folder.record() ?? AdapterRecord(name: "one", base: "tiny")
                record.cube = AdapterRecord.Cube(user: "ana")
                try folder.write(record)
                let adapter = try folder.read(for: model.decoder.configuration)
                let kept = try await store.remember(adapter, record, in: memory, by: .local)
                func chat(_ key: String) async throws -> (Int, String) {
                    let answer = try await post(
                        base, "/v1/chat/completions",
                        [
                            "messages": [["role": "user", "content": "Count."]], "max_tokens": 2,
                            "adapter": "one",
                        ], key: key)
                    return (answer.status, answer.json["error"]?["message"]?.string ?? "")
                }
                let owner = Owner(user: "ana")
                _ = try memory.store.commit([.archive(kept.id)], owner: owner, by: .local)
                for key in secrets {
                    let (status, message) = try await chat(key)
                    #expect(status == 503 && message.contains("Restore \(kept.id)"))
                }
                let listed =
                    try await get(base, "/v1/models", key: secrets[0]).json["data"]?.array?
                    .compactMap { $0["id"]?.string } ?? []
                #expect(!listed.contains("small:one"))
                _ = try memory.store.commit([.restore(kept.id)], owner: owner, by: .local)
                for key in secrets { #expect(try await chat(key).0 == 200) }
            }
        }
    }

    @Test func `a label that is raised reaches what was learned and computed of the memory`() async throws {
        try await withServer(keys: [("ana's", [.read, .write], "ana")], embedder: ToyEmbedder()) {
            base, secrets, memory in
            let scope = Scope(user: "ana")
            let id = try await memory.remember([MemoryInput("The code is 4711.")], scope: scope)[0].id
            var reference = AdapterReference(name: "codes", model: "tiny", hash: "00", parameters: 1)
            reference.sources = [id.description]
            let adapter = try await memory.keep(reference, figures: [:], scope: scope, by: .local)
            _ = try memory.store.commit([.freeze(adapter.id)], owner: scope.owner, by: .local)
            let answer = try await post(
                base, "/v1/memories/\(id)", ["sensitivity": "restricted"], key: secrets[0], method: "PATCH")
            #expect(answer.status == 200)
            let raised = try memory.store.cubes([adapter.id], owner: scope.owner, by: .mneme)
            #expect(raised.map(\.sensitivity) == [.restricted] && raised.map(\.state) == [.frozen])
        }
    }
}
