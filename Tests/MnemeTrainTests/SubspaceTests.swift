import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Leaving the directions alone that inputs have in the base's texts.
@Suite struct SubspaceTests {
    /// Texts of the golden model, by a seed.
    private func texts(_ seed: UInt64) throws -> [ExampleEncoder.Sequence] {
        try TrainingFixture.withFolder {
            try BaseWriter(TrainingFixture.writeModel($0), pool: ThreadPool(threads: 1))
                .write(count: 16, tokens: 40, seed: seed)
        }
    }

    /// KL(base || model) of a token of texts.
    private func divergence(_ model: AdapterModel, _ texts: [ExampleEncoder.Sequence]) -> Double {
        var (sum, rows) = (0.0, 0)
        for text in texts {
            var batch = TrainingBatch()
            batch.keep(text.tokens, promptTokens: text.promptTokens)
            sum += model.addGradient(batch, weight: 0, keeping: model.baseStates(batch), keptWeight: 0).divergence
            rows += batch.kept.count
        }
        return sum / Double(rows)
    }

    private func factor(_ model: AdapterModel) -> [Float] {
        let values = TrainingFixture.values(model)
        return model.parameters.slots.flatMap { values[$0.a..<$0.a + $0.rank * $0.inputs] }
    }

    @Test func `an adapter that does not read them changes other texts of the base far less`() throws {
        let model = try TrainingFixture.model()
        let other = try texts(4)
        let (far, before) = (divergence(model, other), factor(model))
        InputSubspace(model, texts: try texts(3), seed: 1).project(model.parameters, since: nil)
        let after = factor(model)
        #expect(far > 1e-3)
        #expect(divergence(model, other) < 0.5 * far)
        // Half of the directions are free: most of A is still there.
        func length(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
        #expect(length(after) > 0.5 * length(before))
    }

    @Test func `they are the same bits on any number of threads and any path of floats`() throws {
        let texts = try texts(3)
        func project(_ threads: Int, _ features: ProcessorFeatures) throws -> [Float] {
            let model = try TrainingFixture.model(threads: threads, features: features)
            InputSubspace(model, texts: texts, seed: 1).project(model.parameters, since: nil)
            return factor(model)
        }
        let one = try project(1, .current)
        for (name, features) in [("threads", .current)] + ProcessorFeatures.machinePaths {
            #expect(try project(3, features) == one, "\(name)")
        }
    }

    @Test func `a step leaves them alone, and what A had of them before`() throws {
        let model = try TrainingFixture.model()
        let subspace = InputSubspace(model, texts: try texts(3), seed: 1)
        let before = TrainingFixture.values(model)
        func step(_ size: Float) {
            for i in before.indices { model.parameters.values.pointer[i] += size * Float(i * 7919 % 13 - 6) }
        }
        step(0.01)
        before.withUnsafeBufferPointer { subspace.project(model.parameters, since: $0.baseAddress) }
        let once = TrainingFixture.values(model)
        before.withUnsafeBufferPointer { subspace.project(model.parameters, since: $0.baseAddress) }
        #expect(TrainingFixture.distance(TrainingFixture.values(model), once) < 1e-5)
        #expect(TrainingFixture.distance(once, before) > 1e-2)
        // B is not touched, and A's own part is still there.
        for slot in model.parameters.slots {
            for i in slot.b..<slot.b + slot.rank * slot.outputs {
                #expect(once[i] == before[i] + 0.01 * Float(i * 7919 % 13 - 6))
            }
        }
        subspace.project(model.parameters, since: nil)
        #expect(TrainingFixture.distance(TrainingFixture.values(model), once) > 0.1)
    }

    @Test func `what a training learns does not read them`() throws {
        try TrainingFixture.withFolder { folder in
            var settings = TrainingSettings()
            (settings.shape, settings.steps, settings.learningRate) = (TrainingFixture.shape, 24, 5e-3)
            let trainer = try AdapterTrainer(
                TrainingFixture.writeModel(folder), base: "tiny",
                examples: (0..<24).map {
                    TrainingExample(prompt: "Who is \($0)?", completion: "It is number \($0 * 7 % 24).")
                }, settings: settings, checkpoint: folder + "/c", pool: ThreadPool(threads: 2))
            let first = factor(trainer.model)
            while !trainer.isDone { try trainer.step() }
            let learned = factor(trainer.model)
            #expect(TrainingFixture.distance(learned, first) > 0.05)
            let (start, end) = (trainer.progress.firstHeldOutLoss, trainer.progress.heldOutLoss)
            #expect(try #require(end) < 0.9 * #require(start))
            try #require(trainer.subspace).project(trainer.model.parameters, since: nil)
            #expect(TrainingFixture.distance(factor(trainer.model), learned) < 1e-4)
        }
    }
}
