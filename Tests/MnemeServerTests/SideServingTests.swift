import Foundation
import MnemeBase
import MnemeEngine
import MnemeModels
import MnemeTrain
import Testing

/// Side networks in answers.
@Suite(.serialized) struct SideServingTests {
    private static let examples = (0..<12).map {
        TrainingExample(prompt: "\($0 % 2 == 0 ? "boat" : "tree") \($0 / 2)", completion: $0 % 2 == 0 ? "EVEN" : "odd")
    }

    /// A network that was learned, under the name `side`, and a low-rank adapter of random values, `low`.
    private func withSide(_ body: (ProcedureServingTests.Fixture) async throws -> Void) async throws {
        try await ProcedureServingTests().withFixture { f in
            try f.train("side", Self.examples, route: "side:2")
            let c = f.model.decoder.configuration
            var random = SplitMix64(seed: 4)
            func values(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.unit() - 0.5) * 0.4 } }
            let (outputs, inputs) = c.size(of: .gate)
            let term = Adapter.Term(rank: 2, scale: 1, a: values(2 * inputs), b: values(2 * outputs))
            try f.adapters.add(
                Adapter([Adapter.Place(0, .gate): term]), AdapterRecord(name: "low", base: "tiny"))
            try await body(f)
        }
    }

    @Test func `what was learned is answered, and an evaluation finds it`() async throws {
        try await withSide { f in
            var right = 0
            for example in Self.examples {
                let answer = try await f.answer(f.request(example.prompt, "side"))
                if answer.text == example.completion { right += 1 }
            }
            #expect(right >= 10, "\(right)")
            let encoder = try ExampleEncoder(f.model.tokenizer, template: f.model.chatTemplate, limit: 512)
            let result = try await AdapterEvaluation.run(
                f.engine, adapter: "side",
                questions: Self.examples.prefix(4).map { .init(prompt: $0.prompt, answer: $0.completion) },
                maxTokens: 8
            ) {
                let sequence = encoder.encode(TrainingExample(prompt: $0.prompt, completion: $0.answer))
                return (sequence.tokens, sequence.promptTokens)
            }
            #expect(result.with.right >= 3 && result.with.answerLoss < 0.3 * result.without.answerLoss)
        }
    }

    @Test func `answers are the same bits in a batch with others and alone, and as the trainer computes them`()
        async throws
    {
        try await withSide { f in
            let requests = try [
                f.request("boat 1", "side"), f.request("boat 1", nil), f.request("boat 4", "low"),
                f.request("boat 8 and some more words that make it longer", "side"),
            ]
            var alone: [[Double]] = []
            for request in requests { alone.append(try await f.answer(request).probabilities) }
            let mixed = try await withThrowingTaskGroup(of: (Int, [Double]).self) { group in
                for (i, request) in requests.enumerated() {
                    group.addTask { (i, try await f.answer(request).probabilities) }
                }
                return try await group.reduce(into: [Int: [Double]]()) { $0[$1.0] = $1.1 }
            }
            for (i, probabilities) in alone.enumerated() { #expect(mixed[i] == probabilities, "request \(i)") }
            // Keys and values are the model's: what one has computed the other finds.
            let long = "a question of so many words that its first block of keys and values is full"
            let plain = try await f.answer(f.request(long, nil))
            let after = try await f.answer(f.request(long, "side"))
            #expect(plain.usage.cachedTokens < 32 && after.usage.cachedTokens >= 32)
            // The trainer's loss of an example, and the engine's.
            let c = f.model.decoder.configuration
            let network = try f.adapters.folder("side").read(for: c)
            var settings = TrainingSettings()
            settings.steps = 1
            var strategies = TrainingStrategies()
            strategies.route = try LearningRoute("side:2")
            (settings.strategies, settings.keep, settings.precision) = (strategies, nil, .f32)
            let trainer = try AdapterTrainer(
                f.source, base: "tiny", examples: Self.examples, settings: settings,
                checkpoint: f.folder + "/other", start: network)
            let encoder = try ExampleEncoder(f.model.tokenizer, template: f.model.chatTemplate, limit: 512)
            let sequence = encoder.encode(Self.examples[3])
            var batch = TrainingBatch()
            batch.add(sequence.tokens, promptTokens: sequence.promptTokens)
            let scored = try await f.engine.probabilities(
                of: sequence.tokens, from: sequence.promptTokens, alternatives: 0, adapter: "side")
            let sum = scored.reduce(0.0) { $0 - ($1.logProbability ?? 0) }
            #expect(abs(sum - trainer.model.loss(batch)) < 2e-2 * max(1, sum))
        }
    }
}
