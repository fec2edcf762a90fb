import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeChat
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeStore
import MnemeTrain
import Testing

/// Procedures as learned tokens in answers: which one is followed, several in one answer, in batches with others.
@Suite(.serialized) struct ProcedureServingTests {
    /// A base of random weights, an engine, and where its adapters are.
    struct Fixture {
        let model: LanguageModel
        let engine: Engine
        let adapters: AdapterStore
        let source: ModelSource
        let folder: String

        /// Trains procedures to the end, and keeps them under a name.
        @discardableResult
        func train(
            _ name: String, _ examples: [TrainingExample], route: String = "tokens", start: Adapter? = nil
        ) throws -> Adapter {
            var settings = TrainingSettings()
            (settings.steps, settings.learningRate) = (150, 2e-2)
            var strategies = TrainingStrategies()
            strategies.route = try LearningRoute(route)
            settings.strategies = strategies
            let trainer = try AdapterTrainer(
                source, base: "tiny", examples: examples, settings: settings, checkpoint: folder + "/checkpoint",
                start: start)
            while !trainer.isDone { try trainer.step() }
            try adapters.add(trainer.adapter, AdapterRecord(name: name, base: "tiny"), replacing: true)
            return trainer.adapter
        }

        func request(_ prompt: String, _ adapter: String?, tokens: Int = 12) throws -> GenerationRequest {
            var request = GenerationRequest(
                prompt: try model.tokens(of: [ChatMessage(role: "user", content: prompt)]))
            (request.adapter, request.maxTokens, request.alternatives) = (adapter, tokens, 0)
            return request
        }

        /// The text, the probabilities of its tokens, and what it took.
        func answer(_ request: GenerationRequest) async throws -> (
            text: String, probabilities: [Double], usage: GenerationUsage
        ) {
            var (text, probabilities, usage) = ("", [Double](), GenerationUsage())
            for try await event in try engine.generate(request) {
                switch event {
                case .token(let part, _, let probability, _):
                    text += part
                    probabilities.append(probability ?? .nan)
                case .finished(_, let all): usage = all
                }
            }
            return (text, probabilities, usage)
        }
    }

    func withFixture(_ body: (Fixture) async throws -> Void) async throws {
        let home = FileManager.default.temporaryDirectory.appendingPathComponent("mneme-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: home) }
        let path = home + "/tiny"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try RandomDecoder().write(to: path)
        let model = try LanguageModel(path: path, stepTokens: 64, threads: 1)
        var limits = Engine.Limits()
        limits.kvBytes = 64 << 20
        let adapters = AdapterStore(path: home + "/adapters")
        let engine = try Engine(model, limits: limits, adapters: adapters)
        defer { engine.close() }
        try await body(
            Fixture(
                model: model, engine: engine, adapters: adapters, source: try ModelSource(path: path), folder: home))
    }

    /// Questions of a kind, with the answer that its procedure gives.
    private static func examples(_ procedure: String, _ word: String, _ answer: String) -> [TrainingExample] {
        (0..<10).map {
            var example = TrainingExample(prompt: "\(word) \($0)", completion: answer)
            example.procedure = procedure
            return example
        }
    }

    private static let sums = examples("add", "sum", "Y"), words = examples("say", "tell", "n")

    @Test func `the procedure that a question asks for is chosen and steers the answer`() async throws {
        try await withFixture { f in
            let two = try f.train("two", Self.sums + Self.words)
            func check(_ adapter: String, _ examples: [TrainingExample]) async throws -> Int {
                var right = 0
                for example in examples {
                    let answer = try await f.answer(f.request(example.prompt, adapter, tokens: 1))
                    let followed = answer.usage.procedures == [example.procedure ?? ""]
                    if followed, answer.text == example.completion { right += 1 }
                }
                return right
            }
            let before = try await check("two", Self.sums + Self.words)
            #expect(before >= 18)
            // Without the adapter no token of a procedure is there.
            let plain = try await f.answer(f.request("sum 1", nil))
            #expect(plain.usage.procedures.isEmpty)
            // A third procedure, learned beside questions that are not its own, leaves the first two what they were.
            let more = Self.examples("ask", "why", ":")
            try f.train("three", more + Self.sums + Self.words, start: two)
            let added = try await check("three", more)
            #expect(added >= 9)
            let after = try await check("three", Self.sums + Self.words)
            #expect(after >= before - 2, "\(before) → \(after)")
            // An instruction of many tokens is one.
            let answer = try await f.answer(f.request("sum 1", "two", tokens: 1))
            #expect(answer.usage.completionTokens == 2 && answer.probabilities.count == 1)
        }
    }

    @Test func `one answer follows two procedures`() async throws {
        try await withFixture { f in
            let both = (0..<10).map {
                var example = TrainingExample(prompt: "both \($0)", completion: "Yn")
                example.parts = [.init(procedure: "add", text: "Y"), .init(procedure: "say", text: "n")]
                return example
            }
            try f.train("both", Self.sums + Self.words + both)
            let answer = try await f.answer(f.request("both 3", "both", tokens: 4))
            #expect(answer.usage.procedures.prefix(2) == ["add", "say"], "\(answer)")
            #expect(answer.text.hasPrefix("Yn"))
            let one = try await f.answer(f.request("sum 3", "both", tokens: 1))
            #expect(one.usage.procedures == ["add"])
        }
    }

    @Test func `answers and probabilities are the same bits in a batch with others and alone`() async throws {
        try await withFixture { f in
            try f.train("one", Self.sums)
            try f.train("pair", Self.sums + Self.words, route: "tokens:2")
            let requests = try [
                f.request("sum 1", "one"), f.request("tell 2", "pair"), f.request("sum 1", nil),
                f.request("tell 7", "one"), f.request("sum 4", "pair"),
            ]
            var alone: [(text: String, probabilities: [Double])] = []
            for request in requests {
                let answer = try await f.answer(request)
                alone.append((answer.text, answer.probabilities))
            }
            let mixed = try await withThrowingTaskGroup(of: (Int, String, [Double]).self) { group in
                for (i, request) in requests.enumerated() {
                    group.addTask {
                        let answer = try await f.answer(request)
                        return (i, answer.text, answer.probabilities)
                    }
                }
                return try await group.reduce(into: [Int: (String, [Double])]()) { $0[$1.0] = ($1.1, $1.2) }
            }
            for (i, answer) in alone.enumerated() {
                let other = try #require(mixed[i])
                #expect(other.0 == answer.text, "request \(i)")
                #expect(other.1 == answer.probabilities, "request \(i)")
            }
            // As many tokens of text as were asked for, beside those of the procedure.
            var two = try f.request("tell 2", "pair", tokens: 2)
            two.ignoresEnd = true
            let short = try await f.answer(two)
            #expect(short.probabilities.count == 2 && short.usage.completionTokens == 4)
        }
    }

    @Test func `an evaluation finds answers likelier with the procedure, and other texts as they were`() async throws {
        try await withFixture { f in
            try f.train("two", Self.sums + Self.words)
            let encoder = try ExampleEncoder(f.model.tokenizer, template: f.model.chatTemplate, limit: 512)
            let result = try await AdapterEvaluation.run(
                f.engine, adapter: "two",
                questions: (Self.sums.prefix(3) + Self.words.prefix(1)).map {
                    // The last one is of another procedure than it says.
                    var question = AdapterEvaluation.Question(prompt: $0.prompt, answer: $0.completion)
                    question.procedure = "add"
                    return question
                },
                text: f.model.tokens(of: "The harbour lies still."), maxTokens: 8
            ) {
                let sequence = encoder.encode(TrainingExample(prompt: $0.prompt, completion: $0.answer))
                return (sequence.tokens, sequence.promptTokens)
            }
            #expect(result.with.right == 4 && result.with.procedures == 3 && result.without.procedures == nil)
            #expect(result.with.answerLoss < 0.75 * result.without.answerLoss)
            #expect(result.with.perplexity == result.without.perplexity)
            // What is scored is what the answer had.
            let sequence = encoder.encode(Self.sums[0])
            let scored = try await f.engine.probabilities(
                of: sequence.tokens, from: sequence.promptTokens, alternatives: 0, adapter: "two")
            let answer = try await f.answer(f.request(Self.sums[0].prompt, "two"))
            let (one, other) = (scored[0].logProbability ?? 0, answer.probabilities[0])
            #expect(abs(one - other) < 1e-3)
        }
    }

    @Test func `a prompt's keys and values are the model's, whatever procedures follow it, and no answer's are`()
        async throws
    {
        try await withFixture { f in
            try f.train("one", Self.sums + Self.words)
            try f.train("other", Self.words + Self.sums)
            let text = String(repeating: "tell me more of it ", count: 8)
            func ask(_ adapter: String?) async throws -> (text: String, probabilities: [Double], usage: GenerationUsage)
            {
                var request = try f.request(text, adapter, tokens: 40)
                request.ignoresEnd = true
                return try await f.answer(request)
            }
            let first = try await ask(nil)
            #expect(first.usage.cachedTokens == 0)
            let one = try await ask("one")
            let other = try await ask("other")
            let again = try await ask("one")
            let plain = try await ask(nil)
            let prompt = first.usage.promptTokens
            for usage in [one, other, again, plain].map(\.usage) { #expect(usage.cachedTokens == prompt - 1) }
            #expect(again.probabilities == one.probabilities && again.text == one.text)
            #expect(plain.probabilities == first.probabilities && other.probabilities != one.probabilities)
        }
    }

    @Test func `what cannot be done with procedures is refused`() async throws {
        try await withFixture { f in
            let adapter = try f.train("one", Self.sums)
            var request = try f.request("sum 1", "one")
            request.kv = KVCompression(policy: "snapkv", budget: 0.5)
            let error = #expect(throws: EngineError.self) { _ = try f.engine.generate(request) }
            #expect(error?.code == .invalidRequest)
            // Its tokens are no tokens of a prompt.
            var own = GenerationRequest(prompt: [Int32(f.model.decoder.configuration.vocabularySize)])
            own.adapter = "one"
            #expect(throws: EngineError.self) { _ = try f.engine.generate(own) }
            var other = adapter
            other.procedures?.rows.removeLast(64)
            #expect(throws: AdapterError.self) { _ = try f.model.decoder.bind(other) }
        }
    }

    @Test func `procedures are learned from memories, and go out of use with one that is erased`() async throws {
        try await AdapterTrainingTests().withFixture { f in
            let made = try await f.memory.remember(
                ["Ana lives in Bergen.", "Bo works at Novex."].map { MemoryInput($0) }, scope: Scope(user: "ana"))
            var plan = f.plan
            var strategies = TrainingStrategies()
            strategies.route = try LearningRoute("tokens")
            plan.settings?.strategies = strategies
            let record = try f.train("notes", plan)
            #expect(Set(record.memories) == Set(made.map(\.id.description)))
            #expect(try f.read("notes").procedures?.names == ["notes"])
            var limits = Engine.Limits()
            limits.kvBytes = 64 << 20
            let engine = try Engine(f.model, limits: limits, adapters: f.adapters)
            defer { engine.close() }
            var request = GenerationRequest(prompt: f.model.tokens(of: "Where does Ana live?"))
            (request.adapter, request.maxTokens) = ("notes", 4)
            for try await event in try engine.generate(request) {
                if case .finished(_, let usage) = event { #expect(usage.procedures == ["notes"]) }
            }
            try await f.memory.erase(made[0].id, owner: f.owner)
            let folder = try f.adapters.folder("notes")
            #expect(try folder.record()?.withdrawn != nil)
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/adapter_model.safetensors"))
            let after = request
            #expect(throws: AdapterError.self) { _ = try engine.generate(after) }
        }
    }
}
