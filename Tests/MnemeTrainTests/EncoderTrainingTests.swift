import Foundation
import MnemeBase
import MnemeEmbedding
import MnemeFormats
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// The tiny BERT of `scripts/make_golden_encoder_training.py`, and what torch and peft make of it.
private enum TinyBert {
    struct Golden: Decodable {
        struct Run: Decodable { var norm: Double, losses: [Double], last: Double }
        struct Merged: Decodable { var name: String, row: [Float] }
        var questions, texts: [[Int32]], plain, dense: Run, vector: [Float], merged: Merged
    }

    static func golden() throws -> Golden {
        try JSONDecoder().decode(
            Golden.self,
            from: Data(contentsOf: URL(fileURLWithPath: TrainingFixture.path("encoder.json"))))
    }

    /// Calls `body` with the model's folder, or with a copy that has no dense layer.
    static func withFolder<Result>(dense: Bool, _ body: (EncoderFolder) throws -> Result) throws -> Result {
        let path = TrainingFixture.path("tinybert")
        guard !dense else { return try body(EncoderFolder(path: path)) }
        return try TrainingFixture.withFolder { folder in
            try FileManager.default.copyItem(atPath: path, toPath: folder + "/plain")
            try FileManager.default.removeItem(atPath: folder + "/plain/modules.json")
            return try body(EncoderFolder(path: folder + "/plain"))
        }
    }

    static func model(
        _ folder: EncoderFolder, threads: Int = 1, features: ProcessorFeatures = .current
    ) throws -> EncoderModel {
        var settings = EmbedderTrainer.defaults
        (settings.shape, settings.sequenceTokens) = (TrainingFixture.shape, 64)
        let model = try EncoderModel(
            folder, settings, pool: ThreadPool(threads: threads), features: features)
        for (i, value) in try factors("encoder_adapter.safetensors", model).enumerated() {
            model.parameters.values.pointer[i] = value
        }
        return model
    }

    /// Factors in one of the golden files, in the order of the parameters.
    static func factors(_ name: String, _ model: EncoderModel) throws -> [Float] {
        let file = try SafetensorsFile(path: TrainingFixture.path(name))
        let modules: [LayerLinear: String] = [
            .query: "attention.self.query", .key: "attention.self.key", .value: "attention.self.value",
            .attentionOutput: "attention.output.dense", .up: "intermediate.dense", .down: "output.dense",
        ]
        var all = [Float](repeating: 0, count: model.parameters.count)
        for slot in model.parameters.slots {
            let module = "base_model.model.encoder.layer.\(slot.layer).\(modules[slot.linear] ?? "")"
            let a = try file.floats(module + ".lora_A.weight", shape: [slot.rank, slot.inputs]).array
            let b = try file.floats(module + ".lora_B.weight", shape: [slot.outputs, slot.rank]).array
            all.replaceSubrange(slot.a..<slot.a + a.count, with: a)
            for o in 0..<slot.outputs {
                for r in 0..<slot.rank { all[slot.b + r * slot.outputs + o] = b[o * slot.rank + r] }
            }
        }
        return all
    }

    static func floats(_ buffer: AlignedBuffer<Float>) -> [Float] {
        Array(UnsafeBufferPointer(start: buffer.pointer, count: buffer.count))
    }

    /// The loss of the golden pairs, with the gradient of all factors.
    static func addGradient(_ model: EncoderModel, _ golden: Golden) -> Double {
        let texts = golden.questions + golden.texts
        let vectors = model.vectors(texts)
        let split = golden.questions.count * model.dimension
        let loss = ContrastiveLoss(
            questions: Array(vectors[..<split]), texts: Array(vectors[split...]),
            dimension: model.dimension
        ) { _, _ in false }
        model.addGradient(texts, vectorGradients: loss.questionGradients + loss.textGradients)
        return loss.loss
    }

    /// Sentences of which each has its own words.
    static var pairs: [TextPair] {
        let colours = ["red", "blue", "green", "old"]
        return (0..<60).map { i in
            let text = "the \(colours[i % 4]) boat number \(i) lives in harbour \(i * 7 % 60)"
            return TextPair(
                "where is the boat number \(i)?", text, negatives: ["the boat number \((i + 1) % 60) is old"],
                sources: ["\(i)"])
        }
    }

    static var settings: TrainingSettings {
        var settings = EmbedderTrainer.defaults
        (settings.steps, settings.learningRate) = (12, 5e-3)
        return settings
    }
}

@Suite struct EncoderGradientTests {
    @Test(arguments: [false, true])
    func `losses of ten steps are those of torch and peft`(dense: Bool) throws {
        let golden = try TinyBert.golden()
        let expected = dense ? golden.dense : golden.plain
        try TinyBert.withFolder(dense: dense) { folder in
            let model = try TinyBert.model(folder)
            var optimizer = AdamW(count: model.parameters.count)
            for (step, loss) in expected.losses.enumerated() {
                model.parameters.clearGradients()
                #expect(abs(TinyBert.addGradient(model, golden) - loss) < 2e-4, "step \(step)")
                let norm = model.parameters.gradientNorm
                if step == 0 {
                    #expect(abs(norm - expected.norm) < 1e-3 * expected.norm)
                }
                if step == 0, dense {
                    let gradients = try TinyBert.factors("encoder_gradients.safetensors", model)
                    let found = TinyBert.floats(model.parameters.gradients)
                    for slot in model.parameters.slots {
                        for range in [
                            slot.a..<slot.a + slot.rank * slot.inputs,
                            slot.b..<slot.b + slot.rank * slot.outputs,
                        ] {
                            let distance = TrainingFixture.distance(
                                Array(found[range]), Array(gradients[range]))
                            #expect(distance < 1e-4, "\(slot.linear) of layer \(slot.layer)")
                        }
                    }
                }
                optimizer.step(
                    model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
                    scale: Float(min(1, 1 / (norm + 1e-6))), rate: 2e-3, decay: 0.01)
            }
            guard dense else { return }
            #expect(abs(TinyBert.addGradient(model, golden) - expected.last) < 2e-4)
            let trained = try TinyBert.factors("encoder_trained.safetensors", model)
            #expect(TrainingFixture.distance(TinyBert.floats(model.parameters.values), trained) < 1e-3)
            let vector = model.vectors([golden.texts[1]])
            #expect(TrainingFixture.distance(vector, golden.vector) < 1e-3)
        }
    }

    @Test func `gradients are the same bits on any number of threads and any path`() throws {
        let golden = try TinyBert.golden()
        try TinyBert.withFolder(dense: true) { folder in
            func gradients(_ threads: Int, _ features: ProcessorFeatures) throws -> [Float] {
                let model = try TinyBert.model(folder, threads: threads, features: features)
                _ = TinyBert.addGradient(model, golden)
                return TinyBert.floats(model.parameters.gradients)
            }
            let one = try gradients(1, .current)
            #expect(one.contains { $0 != 0 })
            #expect(try gradients(3, .current) == one)
            for (name, features) in ProcessorFeatures.machinePaths {
                #expect(try gradients(2, features) == one, "\(name)")
            }
        }
    }

    @Test func `gradients of vectors are those of differences, also where texts are left out`() {
        let dimension = 4
        var generator = SplitMix64(seed: 5)
        let all = (0..<7 * dimension).map { _ in Float(generator.unit() - 0.5) }
        func loss(_ x: [Float]) -> ContrastiveLoss {
            ContrastiveLoss(
                questions: Array(x[..<(3 * dimension)]), texts: Array(x[(3 * dimension)...]),
                dimension: dimension
            ) { $0 == 0 && $1 == 2 }
        }
        let claimed = loss(all)
        let gradients = claimed.questionGradients + claimed.textGradients
        for i in all.indices {
            var (up, down) = (all, all)
            up[i] += 1e-2
            down[i] -= 1e-2
            let numeric = (loss(up).loss - loss(down).loss) / Double(up[i] - down[i])
            #expect(abs(numeric - Double(gradients[i])) < 1e-2 * max(1, abs(numeric)), "element \(i)")
        }
        // A text that is left out has no part in that question's loss.
        var other = all
        for i in 0..<dimension { other[(3 + 2) * dimension + i] = 0 }
        let before = loss(all).questionGradients[..<dimension]
        #expect(loss(other).questionGradients[..<dimension] == before)
    }
}

@Suite struct EmbedderTrainerTests {
    @Test func `a training that stops and goes on ends with the bytes of one that did not`() throws {
        try TrainingFixture.withFolder { folder in
            let base = TrainingFixture.path("tinybert")
            func trainer(_ name: String, resume: Bool = false, threads: Int = 2) throws -> EmbedderTrainer {
                var task = EmbedderTrainer.Task(
                    base: base, pairs: TinyBert.pairs, settings: TinyBert.settings,
                    checkpoint: folder + "/" + name)
                task.isResumed = resume
                return try EmbedderTrainer(task, pool: ThreadPool(threads: threads))
            }
            let whole = try trainer("whole")
            while !whole.isDone { try whole.step() }
            let first = try #require(whole.progress.firstHeldOutLoss)
            let last = try #require(whole.progress.heldOutLoss)
            #expect(last < 0.9 * first)
            let shares = try #require(whole.heldOutShares())
            #expect(shares.learned >= shares.base)
            var part = try trainer("part")
            for _ in 0..<5 { try part.step() }
            try part.saveInBackground()
            try part.step()
            try part.save()
            part = try trainer("part", resume: true, threads: 1)
            #expect(part.progress.step == 6)
            while !part.isDone { try part.step() }
            #expect(TinyBert.floats(part.model.parameters.values) == TinyBert.floats(whole.model.parameters.values))
        }
    }

    @Test func `the merged folder gives the vectors that were trained`() throws {
        try TrainingFixture.withFolder { folder in
            let path = TrainingFixture.path("tinybert")
            // Models' folders may be links to others.
            let linked = folder + "/linked"
            try FileManager.default.createSymbolicLink(atPath: linked, withDestinationPath: path)
            let trainer = try EmbedderTrainer(
                EmbedderTrainer.Task(
                    base: linked, pairs: TinyBert.pairs, settings: TinyBert.settings, checkpoint: folder + "/c"))
            while !trainer.isDone { try trainer.step() }
            let merged = folder + "/merged"
            try Privacy.makeFolder(merged)
            try trainer.writeMerged(to: merged)
            let texts = TinyBert.pairs.prefix(5).map(\.text)
            let files = try EncoderFolder(path: merged)
            let learned = trainer.model.vectors(texts.map { files.tokenizer.encode($0, maximumLength: 64) })
            let encoder = try BertEncoder(folder: merged, precision: .f32)
            let base = try BertEncoder(folder: path, precision: .f32)
            #expect(encoder.identifier != base.identifier)
            #expect(TrainingFixture.distance(try encoder.embed(texts).values, learned) < 1e-4)
            #expect(TrainingFixture.distance(try base.embed(texts).values, learned) > 1e-2)
            // Without the terms, the model is the base.
            trainer.model.parameters.isOff = true
            let plain = trainer.model.vectors(texts.map { files.tokenizer.encode($0, maximumLength: 64) })
            #expect(TrainingFixture.distance(try base.embed(texts).values, plain) < 1e-5)
        }
    }

    @Test func `merged matrices are those of peft`() throws {
        let golden = try TinyBert.golden()
        try TinyBert.withFolder(dense: true) { files in
            let model = try TinyBert.model(files)
            for (i, value) in try TinyBert.factors("encoder_trained.safetensors", model).enumerated() {
                model.parameters.values.pointer[i] = value
            }
            try TrainingFixture.withFolder { folder in
                try MergedEncoder(files, model.parameters, scale: 2).write(to: folder)
                let found = try SafetensorsFile(path: folder + "/model.safetensors")
                    .floats(golden.merged.name, shape: [64, 128]).array
                let row = Array(found[5 * 128..<6 * 128])
                #expect(TrainingFixture.distance(row, golden.merged.row) < 1e-5)
            }
        }
    }

    @Test func `too few pairs, another base and other pairs are refused`() throws {
        try TrainingFixture.withFolder { folder in
            let base = TrainingFixture.path("tinybert")
            func begin(_ pairs: [TextPair], base: String, resume: Bool = false) throws -> EmbedderTrainer {
                var task = EmbedderTrainer.Task(
                    base: base, pairs: pairs, settings: TinyBert.settings, checkpoint: folder + "/c")
                task.isResumed = resume
                return try EmbedderTrainer(task)
            }
            func code(_ body: () throws -> EmbedderTrainer) -> TrainingError.Code? {
                do { _ = try body() } catch { return (error as? TrainingError)?.code }
                return nil
            }
            #expect(code { try begin(Array(TinyBert.pairs.prefix(7)), base: base) } == .emptySelection)
            try begin(TinyBert.pairs, base: base).save()
            #expect(code { try begin(TinyBert.pairs.dropLast(), base: base, resume: true) } == .invalidSetting)
            try TinyBert.withFolder(dense: false) { other in
                #expect(code { try begin(TinyBert.pairs, base: other.path, resume: true) } == .wrongBase)
            }
        }
    }

    @Test func `what is held out shares no source with what is learned, and epochs have all pairs`() throws {
        let pairs = (0..<400).map { TextPair("q \($0)", "t \($0)", sources: ["\($0 / 2)", "\($0 / 2 + 1)"]) }
        let plan = try PairPlan(pairs, seed: 3)
        let held = Set(plan.heldOut.flatMap(\.sources))
        #expect(plan.heldOut.count > 20)
        let shared = plan.learned.filter { pair in plan.heldOut.contains { $0.question == pair.question } }
        #expect(shared.isEmpty && plan.learned.count + plan.heldOut.count == pairs.count)
        #expect(!held.isEmpty)
        for epoch in 0..<2 {
            let batches = plan.batches(epoch: epoch)
            #expect(batches.allSatisfy { $0.count <= PairPlan.batch && $0.count >= PairPlan.fewest })
            #expect(Set(batches.flatMap { $0 }.map(\.question)) == Set(plan.learned.map(\.question)))
        }
        #expect(plan.batches(epoch: 0).first != plan.batches(epoch: 1).first)
    }
}
