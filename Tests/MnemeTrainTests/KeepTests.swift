import CMnemeKernels
import Foundation
import MnemeBase
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Staying near the base: the divergence and its gradient, the base's texts, and what they do.
@Suite struct KeepTests {
    private struct Golden: Decodable {
        struct Sequence: Decodable {
            var tokens: [Int32]
            var prompt: Int
        }
        var learned: Sequence
        var kept: [Sequence]
        var weight: Float
        var loss: Double
        var divergence: Double

        static func read() throws -> Golden {
            let path = TrainingFixture.path("keep.json")
            return try JSONDecoder().decode(
                Golden.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        }

        /// The kept sequences, behind the learned one if that is wanted.
        func batch(withLearned: Bool) -> TrainingBatch {
            var batch = TrainingBatch()
            if withLearned { batch.add(learned.tokens, promptTokens: learned.prompt) }
            for sequence in kept { batch.keep(sequence.tokens, promptTokens: sequence.prompt) }
            return batch
        }
    }

    private func run(_ golden: Golden, threads: Int, _ features: ProcessorFeatures = .current) throws
        -> (model: AdapterModel, sums: (loss: Double, divergence: Double))
    {
        let model = try TrainingFixture.model(threads: threads, features: features)
        let base = model.baseStates(golden.batch(withLearned: false))
        let batch = golden.batch(withLearned: true)
        let sums = model.addGradient(
            batch, weight: 1 / Float(batch.targetCount), keeping: base,
            keptWeight: golden.weight / Float(batch.kept.count))
        return (model, (sums.loss / Double(batch.targetCount), sums.divergence / Double(batch.kept.count)))
    }

    @Test func `the divergence and the gradient of both losses are those of torch and peft`() throws {
        let golden = try Golden.read()
        let (model, sums) = try run(golden, threads: 2)
        #expect(abs(sums.loss - golden.loss) < 1e-5)
        #expect(abs(sums.divergence - golden.divergence) < 1e-5)
        let expected = try TrainingFixture.factors("keep.safetensors", model)
        let found = TrainingFixture.gradients(model)
        for slot in model.parameters.slots {
            for range in [
                slot.a..<slot.a + slot.rank * slot.inputs, slot.b..<slot.b + slot.rank * slot.outputs,
            ] {
                let distance = TrainingFixture.distance(Array(found[range]), Array(expected[range]))
                #expect(distance < 2e-5, "\(slot.linear) of layer \(slot.layer)")
            }
        }
    }

    @Test func `it is the same bits on any number of threads and any path of floats`() throws {
        let golden = try Golden.read()
        let one = try run(golden, threads: 1)
        for (name, features) in [("threads", .current)] + ProcessorFeatures.machinePaths {
            let other = try run(golden, threads: 3, features)
            #expect(other.sums == one.sums, "\(name)")
            #expect(
                TrainingFixture.gradients(other.model) == TrainingFixture.gradients(one.model),
                "\(name)")
        }
    }

    @Test func `an adapter that changes nothing is at no distance, and has no gradient`() throws {
        let golden = try Golden.read()
        let model = try TrainingFixture.model()
        for slot in model.parameters.slots {
            for i in 0..<slot.rank * slot.outputs { model.parameters.values.pointer[slot.b + i] = 0 }
        }
        let batch = golden.batch(withLearned: false)
        let sums = model.addGradient(
            batch, weight: 1, keeping: model.baseStates(batch), keptWeight: 1)
        #expect(sums == (0, 0))
        #expect(model.parameters.gradientNorm == 0)
    }

    @Test func `the gradient of the divergence is that of differences, in chunks of any size`() {
        let n = 37
        var generator = SplitMix64(seed: 12)
        let base = (0..<n).map { _ in Float(8 * generator.unit() - 4) }
        let x = (0..<n).map { _ in Float(8 * generator.unit() - 4) }
        let features = ProcessorFeatures.current.rawValue
        func logSum(_ x: [Float]) -> Float {
            var state = mnk_softmax_state(highest: -.infinity, sum: 0)
            mnk_softmax_add(features, x, n, &state)
            return state.highest + logf(state.sum)
        }
        func divergence(_ x: [Float], _ chunk: Int) -> (sum: Float, gradient: [Float]) {
            var (sum, gradient) = (Float(0), x)
            let (baseLSE, lse) = (logSum(base), logSum(x))
            base.withUnsafeBufferPointer { base in
                gradient.withUnsafeMutableBufferPointer { gradient in
                    for start in stride(from: 0, to: n, by: chunk) {
                        var d = mnk_divergence(
                            base: base.baseAddress! + start, base_lse: baseLSE, lse: lse)
                        mnk_divergence_gradient(
                            features, &d, gradient.baseAddress! + start, min(chunk, n - start), 1, &sum)
                    }
                }
            }
            return (sum, gradient)
        }
        let whole = divergence(x, n)
        #expect(whole.sum > 0.1)
        #expect(abs(divergence(x, 16).sum - whole.sum) < 1e-5)
        #expect(divergence(x, 16).gradient == whole.gradient)
        #expect(abs(divergence(base, n).sum) < 1e-6)
        for i in x.indices {
            var (up, down) = (x, x)
            up[i] += 1e-2
            down[i] -= 1e-2
            let numeric = (divergence(up, n).sum - divergence(down, n).sum) / (up[i] - down[i])
            #expect(abs(numeric - whole.gradient[i]) < 2e-3, "element \(i)")
        }
    }

    @Test func `the base writes the same texts for a seed, plain ones and questions with answers`() throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func write(_ seed: UInt64, threads: Int) throws -> [ExampleEncoder.Sequence] {
                try BaseWriter(source, pool: ThreadPool(threads: threads))
                    .write(count: 20, tokens: 30, seed: seed)
            }
            let texts = try write(3, threads: 1)
            #expect(try write(3, threads: 2) == texts)
            #expect(try write(4, threads: 2) != texts)
            #expect(texts.count == 20 && Set(texts.map(\.tokens)).count == 20)
            let frame = try #require(ExampleEncoder(source, limit: 1).frame)
            let plain = texts.filter { $0.promptTokens == 1 }
            #expect(plain.count == 10)
            for text in plain { #expect((2...30).contains(text.tokens.count)) }
            for text in texts where text.promptTokens > 1 {
                #expect(text.tokens.starts(with: frame.before))
                let rest = text.tokens.dropFirst(frame.before.count)
                #expect(rest.indices.contains { rest[$0...].starts(with: frame.after) })
                #expect(rest.count <= 30 + frame.after.count)
            }
        }
    }

    @Test func `writing ends when it is told to, with what is there, or with nothing`() throws {
        struct Stopped: Error {}
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func write(steps: Int, throwing: Bool = false) throws -> [ExampleEncoder.Sequence] {
                var writer = try BaseWriter(source, pool: ThreadPool(threads: 1))
                var left = steps
                writer.goesOn = {
                    left -= 1
                    if left < 0, throwing { throw Stopped() }
                    return left >= 0
                }
                return try writer.write(count: 20, tokens: 30, seed: 3)
            }
            let whole = try write(steps: .max)
            // The plain texts' steps, and some of the questions': no answer is begun.
            let part = try write(steps: 35)
            #expect(part == Array(whole.prefix(10)))
            let short = try write(steps: 6)
            #expect(short.count == 10)
            for (a, b) in zip(short, whole) {
                #expect(a.tokens.count <= b.tokens.count && b.tokens.starts(with: a.tokens))
            }
            #expect(short.contains { $0.tokens.count < 12 })
            #expect(try write(steps: 0).isEmpty)
            #expect(throws: Stopped.self) { try write(steps: 6, throwing: true) }
        }
    }

    @Test func `a training without time for the base's texts keeps nothing, and one that is stopped there begins not`()
        throws
    {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func trainer(_ writes: @escaping () throws -> Bool) throws -> AdapterTrainer {
                try AdapterTrainer(
                    source, base: "tiny", examples: Self.examples, settings: Self.settings(keep: 1),
                    checkpoint: folder + "/c", pool: ThreadPool(threads: 2), writes: writes)
            }
            let hurried = try trainer { false }
            try hurried.step()
            #expect(hurried.subspace == nil && hurried.progress.divergence == nil && hurried.progress.loss > 0)
            #expect(throws: CancellationError.self) { _ = try trainer { throw CancellationError() } }
        }
    }

    private static func settings(keep: Double?) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.shape = TrainingFixture.shape
        (settings.steps, settings.learningRate, settings.keep) = (24, 5e-3, keep)
        return settings
    }

    private static let examples = (0..<24).map {
        TrainingExample(prompt: "Who is \($0)?", completion: "It is number \($0 * 7 % 24).")
    }

    @Test func `a training that keeps near its base learns, and ends nearer to it`() throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func train(_ keep: Double, from start: Adapter? = nil) throws -> AdapterTrainer {
                let trainer = try AdapterTrainer(
                    source, base: "tiny", examples: Self.examples, settings: Self.settings(keep: keep),
                    checkpoint: folder + "/c", start: start, pool: ThreadPool(threads: 2))
                while !trainer.isDone { try trainer.step() }
                return trainer
            }
            // Next to nothing: the distance is measured all the same.
            let (free, held) = (try train(1e-6), try train(1).progress)
            let far = try #require(free.progress.divergence)
            #expect(far > 0.05)
            #expect(try #require(held.divergence) < far)
            #expect(try #require(held.heldOutLoss) < 0.9 * #require(held.firstHeldOutLoss))
            // What is far comes back, where staying near is nearly all that counts.
            let back = try train(100, from: free.adapter).progress
            #expect(try #require(back.divergence) < 0.5 * far)
        }
    }

    @Test func `a killed training that keeps near its base goes on to the same bits`() throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func trainer(_ file: String, resume: Bool, threads: Int) throws -> AdapterTrainer {
                try AdapterTrainer(
                    source, base: "tiny", examples: Self.examples, settings: Self.settings(keep: 0.5),
                    checkpoint: folder + "/" + file, resume: resume, pool: ThreadPool(threads: threads))
            }
            let whole = try trainer("a", resume: false, threads: 1)
            while !whole.isDone { try whole.step() }
            let killed = try trainer("b", resume: false, threads: 2)
            for _ in 0..<18 { try killed.step() }
            try killed.save()
            let resumed = try trainer("b", resume: true, threads: 2)
            #expect(resumed.progress.step == 18)
            while !resumed.isDone { try resumed.step() }
            #expect(resumed.adapter == whole.adapter)
            #expect(resumed.progress.divergence == whole.progress.divergence)
        }
    }
}
