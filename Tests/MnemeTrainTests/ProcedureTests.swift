import Foundation
import MnemeBase
import MnemeBench
import MnemeFormats
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Procedures as learned tokens (TokMem), against torch: `scripts/make_golden_tokens.py`.
@Suite struct ProcedureTests {
    private static func batch() throws -> TrainingBatch { try TrainingFixture.batch("tokens") }

    /// Three procedures of two tokens, of which the first stays.
    private static var shape: AdapterShape {
        var procedures = ProcedureShape(names: ["greet", "add", "list"], tokensEach: 2)
        procedures.earlier = 1
        var shape = AdapterShape()
        (shape.rank, shape.targets, shape.procedures) = (1, [], procedures)
        return shape
    }

    /// The rows that are learned, in one of the golden files.
    private static func rows(_ name: String) throws -> [Float] {
        try SafetensorsFile(path: TrainingFixture.path("tokens/\(name).safetensors"))
            .floats("rows", shape: [4, 64]).array
    }

    /// The tiny llama with the golden rows.
    private static func model(threads: Int = 1, savedTensors: String = "checkpoint") throws -> AdapterModel {
        let model = try AdapterModel(
            ModelSource(path: TrainingFixture.path("tiny")), shape: shape, batchTokens: 100, seed: 1,
            pool: ThreadPool(threads: threads), precision: .f32,
            strategies: TrainingFixture.strategies(savedTensors, route: "tokens:2"))
        let earlier = try SafetensorsFile(path: TrainingFixture.path("tokens/adapter.safetensors"))
            .floats("earlier", shape: [2, 64]).array
        // Those that are learned come first, and the others behind them.
        for (i, value) in (try rows("adapter") + earlier).enumerated() {
            model.parameters.values.pointer[i] = value
        }
        return model
    }

    @Test func `loss and gradients of tokens are those of torch`() throws {
        let model = try Self.model()
        #expect(model.parameterCount == 4 * 64)
        try TrainingFixture.expectLoss(model, "tokens")
        let (expected, found) = (try Self.rows("gradients"), TrainingFixture.gradients(model))
        for row in 0..<4 {
            let range = row * 64..<(row + 1) * 64
            #expect(TrainingFixture.distance(Array(found[range]), Array(expected[range])) < 1e-5, "row \(row)")
        }
    }

    @Test func `ten steps of AdamW give the losses and tokens of torch, and leave earlier ones alone`() throws {
        let model = try Self.model()
        let earlier = try #require(model.adapter.procedures).rows.prefix(2 * 64)
        try TrainingFixture.expectSteps(model, "tokens")
        #expect(TrainingFixture.distance(TrainingFixture.values(model), try Self.rows("trained")) < 1e-3)
        #expect(try #require(model.adapter.procedures).rows.prefix(2 * 64) == earlier)
    }

    @Test func `gradients are the same bits on more threads, and however tensors are kept`() throws {
        let batch = try Self.batch()
        func gradients(_ model: AdapterModel) -> [Float] {
            _ = model.addGradient(batch, weight: 0.1)
            return TrainingFixture.gradients(model)
        }
        let one = gradients(try Self.model())
        #expect(gradients(try Self.model(threads: 3)) == one)
        for saved in ["none", "tokenswap:0.5"] {
            #expect(gradients(try Self.model(savedTensors: saved)) == one, "\(saved)")
        }
        // Procedures without their route, and the route without procedures.
        #expect(throws: TrainingError.self) {
            _ = try AdapterModel(
                ModelSource(path: TrainingFixture.path("tiny")), shape: Self.shape, batchTokens: 100, seed: 1)
        }
        #expect(throws: TrainingError.self) {
            _ = try AdapterModel(
                ModelSource(path: TrainingFixture.path("tiny")), shape: AdapterShape(), batchTokens: 100, seed: 1,
                strategies: TrainingFixture.strategies("checkpoint", route: "tokens"))
        }
    }

    // MARK: Files

    @Test func `procedures come back from their folder, and damaged files are refused by name`() throws {
        let adapter = try Self.model().adapter
        let c = try ModelSource(path: TrainingFixture.path("tiny")).configuration()
        try TrainingFixture.withFolder { folder in
            try AdapterFolder(path: folder + "/good").export(adapter, base: "tiny")
            let read = try AdapterFolder(path: folder + "/good").read(for: c)
            #expect(read == adapter && read.hash == adapter.hash && read.parameters == 6 * 64)
            #expect(try AdapterFolder(path: folder + "/good").baseName() == "tiny")
            var other = adapter
            other.procedures?.names[1] = "sub"
            #expect(other.hash != adapter.hash)
            let settings = try String(contentsOfFile: folder + "/good/adapter_config.json", encoding: .utf8)
            for (from, to, code) in [
                (#""version":1"#, #""version":2"#, AdapterError.Code.unsupported),
                ("MNEME_TOKENS", "MNEME_OTHER", .unsupported), (#""tokens_each":2"#, #""tokens_each":0"#, .invalidFile),
                (#""tokens_each":2"#, #""tokens_each":3"#, .wrongBase), (#""add""#, #""greet""#, .invalidFile),
                (#""add""#, "7", .invalidFile), (#""add","list""#, #""add""#, .wrongBase),
                (#"["greet","add","list"]"#, "[]", .invalidFile), (#"["greet","add","list"]"#, "{}", .invalidFile),
            ] {
                let changed = settings.replacing(from, with: to)
                #expect(changed != settings, "\(from)")
                let error = #expect(throws: AdapterError.self, "\(to)") {
                    let copy = folder + "/" + UUID().uuidString
                    try FileManager.default.copyItem(atPath: folder + "/good", toPath: copy)
                    try changed.write(toFile: copy + "/adapter_config.json", atomically: true, encoding: .utf8)
                    _ = try AdapterFolder(path: copy).read(for: c)
                }
                #expect(error?.code == code, "\(to): \(error?.message ?? "")")
            }
            other = adapter
            other.procedures?.rows[5] = .infinity
            try AdapterFolder(path: folder + "/infinite").export(other, base: "tiny")
            #expect(throws: AdapterError.self) { _ = try AdapterFolder(path: folder + "/infinite").read(for: c) }
        }
        #expect(throws: AdapterError.self) { _ = try Adapter.mean(of: [(adapter, 1), (adapter, 1)]) }
    }

    @Test func `lines name a procedure or have parts, and others are refused`() throws {
        try TrainingFixture.withFolder { folder in
            func read(_ line: String) throws -> TrainingExample {
                try line.write(toFile: folder + "/e.jsonl", atomically: true, encoding: .utf8)
                return try TrainingExample.read(folder + "/e.jsonl")[0]
            }
            let one = try read(#"{"prompt": "a", "completion": "b", "procedure": "add"}"#)
            #expect(one.procedure == "add" && one.parts.isEmpty)
            let two = try read(
                #"{"prompt": "a", "parts": [{"procedure": "x", "text": "1 "}, {"procedure": "y", "text": "2"}]}"#)
            #expect(two.completion == "1 2" && two.parts.map(\.procedure) == ["x", "y"])
            for bad in [
                #"{"prompt": "a", "completion": "b", "procedure": 1}"#, #"{"prompt": "a", "parts": []}"#,
                #"{"prompt": "a", "parts": [{"text": "1"}]}"#, #"{"prompt": "a", "parts": "1"}"#,
            ] {
                #expect(throws: TrainingError.self, "\(bad)") { _ = try read(bad) }
            }
            let source = try TrainingFixture.writeModel(folder)
            let encoder = try ExampleEncoder(source, limit: 100)
            let tokens = encoder.encode(two, procedures: ["x": [500], "y": [501, 502]])
            let plain = encoder.encode(TrainingExample(prompt: "a", completion: "1 2"))
            #expect(tokens.tokens.filter { $0 < 500 } == plain.tokens && tokens.promptTokens == plain.promptTokens)
            #expect(tokens.tokens[tokens.promptTokens] == 500)
            #expect(Array(tokens.tokens[(tokens.promptTokens + 3)...].prefix(2)) == [501, 502])
        }
    }

    // MARK: Trainings

    private static let examples = (0..<24).map { i in
        var example = TrainingExample(
            prompt: i % 2 == 0 ? "add \(i)" : "say \(i)", completion: i % 2 == 0 ? "sum" : "word")
        example.procedure = i % 2 == 0 ? "add" : "say"
        return example
    }

    private static func trainer(
        _ source: ModelSource, _ checkpoint: String, examples: [TrainingExample] = examples, resume: Bool = false,
        start: Adapter? = nil
    ) throws -> AdapterTrainer {
        var settings = TrainingSettings()
        (settings.steps, settings.learningRate) = (30, 2e-2)
        settings.strategies = try TrainingFixture.strategies("checkpoint", route: "tokens")
        return try AdapterTrainer(
            source, base: "tiny", examples: examples, settings: settings, checkpoint: checkpoint, resume: resume,
            start: start, pool: ThreadPool(threads: resume ? 2 : 1))
    }

    @Test func `procedures are learned, go on to the same bits, and others are added without changing them`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let source = try ModelSource(path: folder)
            let whole = try Self.trainer(source, folder + "/a")
            #expect(whole.settings.keep == nil && whole.model.parameterCount == 2 * 64)
            while !whole.isDone { try whole.step() }
            let first = try #require(whole.progress.firstHeldOutLoss)
            #expect(try #require(whole.progress.heldOutLoss) < 0.9 * first)
            let killed = try Self.trainer(source, folder + "/b")
            for _ in 0..<7 { try killed.step() }
            try killed.save()
            let resumed = try Self.trainer(source, folder + "/b", resume: true)
            while !resumed.isDone { try resumed.step() }
            #expect(resumed.adapter == whole.adapter)

            let learned = try #require(whole.adapter.procedures)
            #expect(learned.names == ["add", "say"])
            var more = (0..<8).map { TrainingExample(prompt: "ask \($0)", completion: "why") }
            for i in more.indices { more[i].procedure = "ask" }
            let added = try Self.trainer(source, folder + "/c", examples: more, start: whole.adapter)
            while !added.isDone { try added.step() }
            let all = try #require(added.adapter.procedures)
            #expect(all.names == ["add", "say", "ask"] && all.rows.prefix(2 * 64) == learned.rows[...])
            func length(_ row: ArraySlice<Float>) -> Float { row.reduce(0) { $0 + $1 * $1 }.squareRoot() }
            let mean = (length(all.rows[..<64]) + length(all.rows[64..<128])) / 2
            #expect(abs(length(all.rows[128...]) - mean) < 1e-4 * mean)
            // Nothing new to add, and an adapter of another kind.
            #expect(throws: TrainingError.self) {
                _ = try Self.trainer(source, folder + "/d", start: whole.adapter)
            }
            let terms = Adapter([Adapter.Place(0, .gate): Adapter.Term(rank: 1, scale: 1, a: [1], b: [1])])
            #expect(throws: TrainingError.self) { _ = try Self.trainer(source, folder + "/d", start: terms) }
        }
    }
}
