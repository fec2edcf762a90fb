import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore
import MnemeTrain
import Testing

/// Operations on memories that an adapter each learns: extracting, updating, answering.
@Suite(.serialized) struct TaughtOperationTests {
    private static let texts = [
        "Ana lives in Bergen.", "Bo lives in Turin.", "Ana works at Novex.", "Bo works at Ferro.",
        "The rain fell on the harbour all day.",
    ]

    private func withMemories(_ body: (AdapterTrainingTests.Fixture, [MemCube]) async throws -> Void) async throws {
        try await AdapterTrainingTests().withFixture { f in
            let made = try await f.memory.remember(Self.texts.map { MemoryInput($0) }, scope: Scope(user: "ana"))
            try await body(f, f.memory.store.cubes(made.map(\.id), owner: f.owner, by: .local))
        }
    }

    @Test func `right answers follow each question's form, and are what the rules find`() async throws {
        try await withMemories { _, made in
            let extractions = TaughtOperation.extract.cases(of: made)
            #expect(extractions.count == 5 && extractions.last?.answer == #"{"claims":[]}"#)
            let first = try #require(extractions.first)
            #expect(
                first.answer
                    == #"{"claims":[{"subject":"Ana","attribute":"home","value":"Bergen","ended":false}]}"#)
            for one in extractions {
                let answer = try JSONDecoder().decode(Refinement.Answer.self, from: Data(one.answer.utf8))
                #expect(Set(Refinement.checked(answer, one.memory)) == Set(one.memory.claims))
            }
            let updates = TaughtOperation.update.cases(of: made)
            #expect(updates.count == 12)
            func words(_ operation: String) -> [String] {
                updates.filter { $0.answer.contains(operation) }.map(\.question.text)
            }
            #expect(words("replace").contains("Older: Ana lives in Bergen.\nNewer: Ana lives in Turin."))
            #expect(words("keep").contains("Older: Ana lives in Bergen.\nNewer: Bo lives in Turin."))
            #expect(words("same").contains("Older: Ana lives in Bergen.\nNewer: Ana lives in Bergen."))
            let answers = TaughtOperation.answer.cases(of: made)
            #expect(answers.count == 4)
            for one in answers {
                #expect(one.question.text.hasPrefix("Notes from memory"))
                #expect(one.question.text.contains(one.memory.text) && one.answer.contains(one.memory.text))
            }
            // The same memories give the same examples, in groups that are held out together.
            for operation in TaughtOperation.allCases {
                let examples = operation.examples(of: made)
                #expect(examples == operation.examples(of: made))
                #expect(Set(examples.compactMap(\.group)).isSubset(of: Set(made.map { "\($0.id)" })))
            }
        }
    }

    @Test func `answers are scored by claims, by equality and by words`() async throws {
        try await withMemories { _, made in
            for operation in TaughtOperation.allCases {
                for one in operation.cases(of: made) {
                    #expect(one.score(one.answer) == 1 && one.score("{") == 0)
                }
            }
            let one = try #require(TaughtOperation.extract.cases(of: made).first)
            let wrong = #"{"claims":[{"subject":"Ana","attribute":"home","value":"Turin","ended":false}]}"#
            #expect(one.score(wrong) == 0 && one.score(#"{"claims":[]}"#) == 0)
            let update = try #require(TaughtOperation.update.cases(of: made).first)
            #expect(update.score(#"{ "operation": "same" }"#) == 1 && update.score(#"{"operation":"keep"}"#) == 0)
        }
    }

    @Test func `an example's system message comes as the chat template has it`() async throws {
        try await withMemories { f, made in
            let encoder = try ExampleEncoder(f.model.tokenizer, template: f.model.chatTemplate, limit: 4096)
            let example = try #require(TaughtOperation.update.examples(of: made).first)
            let sequence = encoder.encode(example)
            let wanted = try f.model.tokens(of: [
                ChatMessage(role: "system", content: try #require(example.system)),
                ChatMessage(role: "user", content: example.prompt),
            ])
            #expect(Array(sequence.tokens.prefix(sequence.promptTokens)) == wanted)
            var plain = example
            plain.system = nil
            #expect(encoder.encode(plain).tokens != sequence.tokens)
        }
    }

    @Test func `an operation is learned, answers through the oracle, and goes with its memories`() async throws {
        struct Fixed: Oracle {
            var name = "fixed", text: String
            func answer(_ question: OracleQuestion) async throws -> String { text }
        }
        try await withMemories { f, made in
            var plan = f.plan
            plan.operation = .update
            plan.settings?.steps = 30
            plan.settings?.sequenceTokens = 2048
            let record = try f.train("updates", plan)
            #expect(Set(record.memories) == Set(made.map(\.id.description)))
            let training = record.training
            #expect(try #require(training["loss"]) < 3)
            #expect(try TrainingPlan.read(in: f.adapters.folder("updates").path)?.operation == .update)
            var limits = Engine.Limits()
            limits.kvBytes = 64 << 20
            let engine = try Engine(f.model, limits: limits, adapters: f.adapters)
            defer { engine.close() }
            let oracle = EngineOracle(f.model, engine, adapter: "updates")
            #expect(oracle.name == f.model.name + ":updates")
            let cases = Array(TaughtOperation.update.cases(of: made).prefix(3))
            // Held to the schema: every answer is one of the three.
            for one in cases {
                let answer = try await oracle.answer(one.question)
                #expect(TaughtOperation.Update.allCases.contains { answer.contains("\"\($0.rawValue)\"") })
            }
            var score = OperationScore(.update, adapter: "updates")
            try await score.ask(cases, of: (Fixed(text: "{}"), Fixed(text: cases[0].answer)))
            #expect(score.cases == 3 && score.without == 0 && abs(score.with - 1.0 / 3) < 1e-9)
            try await f.memory.erase(made[0].id, owner: f.owner)
            await #expect(throws: (any Error).self) { _ = try await oracle.answer(cases[0].question) }
            var empty = f.plan
            empty.operation = .extract
            var none = try AdapterTraining("none", empty, in: f.adapters, on: f.base)
            let error = #expect(throws: TrainingError.self) { _ = try none.begin([]) }
            #expect(error?.code == .emptySelection)
        }
    }
}
