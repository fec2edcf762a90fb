import Foundation
import MnemeBase
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

@Suite struct SavedTensorTests {
    /// A batch of 100 tokens in three sequences, none of whose lengths is a multiple of a block.
    private static let batch: TrainingBatch = {
        var generator = SplitMix64(seed: 5)
        var batch = TrainingBatch()
        for (length, prompt) in [(45, 1), (38, 20), (17, 3)] {
            batch.add((0..<length).map { _ in Int32(generator.unit() * 96) }, promptTokens: prompt)
        }
        return batch
    }()

    private struct Run {
        var loss: Double
        var gradients: [Float]
        var model: AdapterModel
    }

    /// The gradient of the batch under a policy, with low-rank terms that are not zero.
    private static func run(
        _ name: String, folder: String, threads: Int = 1, step: Int = 0, of model: AdapterModel? = nil,
        precision: TrainingPrecision = .f32, placement: BasePlacement = .mapped
    ) throws -> Run {
        let model =
            try model
            ?? AdapterModel(
                ModelSource(path: folder), shape: TrainingFixture.shape, batchTokens: 110, seed: 1,
                pool: ThreadPool(threads: threads), precision: precision,
                strategies: TrainingFixture.strategies(name, placement: placement))
        var generator = SplitMix64(seed: 9)
        for slot in model.parameters.slots {
            for i in 0..<slot.rank * slot.outputs {
                model.parameters.values.pointer[slot.b + i] = Float(0.2 * (generator.unit() - 0.5))
            }
        }
        model.parameters.clearGradients()
        model.step = step
        let loss = model.addGradient(batch, weight: 1 / Float(batch.targetCount))
        return Run(
            loss: loss / Double(batch.targetCount), gradients: TrainingFixture.gradients(model),
            model: model)
    }

    private func withModel<Result>(_ body: (String) throws -> Result) throws -> Result {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            return try body(folder)
        }
    }

    @Test(arguments: [
        "checkpoint", "tokenswap:0.01", "tokenswap", "tokenswap:0.9", "tokenswap:1", "wtacrs:1",
        "topchannels:1",
    ])
    func `policies that lose nothing give the gradients of all values kept, to the bit`(
        name: String
    ) throws {
        try withModel { folder in
            let expected = try Self.run("none", folder: folder)
            let found = try Self.run(name, folder: folder)
            #expect(found.loss == expected.loss)
            #expect(found.gradients == expected.gradients)
            #expect(expected.gradients.contains { $0 != 0 })
        }
    }

    @Test(arguments: ["none", "checkpoint", "tokenswap:0.4", "wtacrs", "topchannels", "derivatives4"])
    func `gradients are the same bits on any number of threads, in any order of batches`(
        name: String
    ) throws {
        try withModel { folder in
            let one = try Self.run(name, folder: folder, threads: 1)
            let three = try Self.run(name, folder: folder, threads: 3)
            #expect(one.gradients == three.gradients && one.loss == three.loss)
            // A larger batch in between leaves nothing behind.
            var other = TrainingBatch()
            other.add((0..<110).map { Int32($0 % 90) }, promptTokens: 1)
            _ = three.model.addGradient(other, weight: 1)
            _ = three.model.loss(other)
            let again = try Self.run(name, folder: folder, of: three.model)
            #expect(again.gradients == one.gradients && again.loss == one.loss)
        }
    }

    @Test(.enabled(if: ProcessorFeatures.current.contains(.amxBF16)))
    func `swapped and recomputed tokens have the bits of bfloat16's products, too`() throws {
        try withModel { folder in
            let expected = try Self.run("none", folder: folder, precision: .bf16)
            for name in ["checkpoint", "tokenswap:0.5"] {
                let found = try Self.run(name, folder: folder, threads: 2, precision: .bf16)
                #expect(found.gradients == expected.gradients && found.loss == expected.loss)
            }
        }
    }

    @Test(arguments: ["none", "checkpoint", "tokenswap:0.5"])
    func `streamed weights give the same bits in the memory of two layers`(name: String) throws {
        try withModel { folder in
            let mapped = try Self.run(name, folder: folder)
            let streamed = try Self.run(name, folder: folder, threads: 2, placement: .streamed)
            #expect(streamed.gradients == mapped.gradients && streamed.loss == mapped.loss)
            #expect(streamed.model.loss(Self.batch) == mapped.model.loss(Self.batch))
            let again = try Self.run(name, folder: folder, of: streamed.model)
            #expect(again.gradients == mapped.gradients)
            // Seven matrices of floats a layer.
            let layer = 4 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 160)
            #expect(streamed.model.arena.bytes[.weights] == 2 * layer)
            #expect(mapped.model.arena.bytes[.weights] == nil)
        }
    }

    @Test func `what is computed again and what is in memory are as the policy says`() throws {
        try withModel { folder in
            func run(_ name: String) throws -> (recomputed: Int, bytes: [TrainingArena.Purpose: Int]) {
                let run = try Self.run(name, folder: folder)
                return (run.model.recomputedRows, run.model.arena.bytes)
            }
            // Layers but the last; 99 tokens in all, 128 rows of memory, streams of 64 floats.
            let (layers, tokens, rows, hidden, wide) = (5, 100, 128, 64, 160)
            let none = try run("none")
            let checkpoint = try run("checkpoint")
            let swap = try run("tokenswap:0.5")
            #expect(none.recomputed == 0)
            #expect(checkpoint.recomputed == layers * tokens)
            // 50 tokens in blocks of 32 are 64.
            #expect(swap.recomputed == layers * (tokens - 64))
            #expect(checkpoint.bytes[.saved] == 4 * rows * hidden * (layers + 2))
            #expect(swap.bytes[.saved] == 4 * rows * hidden * 2)
            #expect(swap.bytes[.layer] == checkpoint.bytes[.layer])
            let whole = 4 * rows * (3 * hidden + hidden + hidden + hidden / 2 * 2 + 4 + 3 * wide + 7 * 16)
            #expect(
                none.bytes[.saved] == 4 * rows * hidden * (layers + 2) + (layers + 1) * whole)
            // In the file: inputs, attention's outputs and log-sum-exps of all rows, the rest of half.
            let some = whole / 4 / rows - hidden - 4
            #expect(swap.bytes[.swapped] == layers * 4 * (rows * (2 * hidden + 4) + 64 * some))
            // A third of the rows of the three inputs, with an index and a weight each.
            let sampled = try run("wtacrs:0.25")
            let inputs = 2 * hidden + wide
            #expect(
                sampled.bytes[.saved]
                    == none.bytes[.saved]! - (layers + 1) * 4 * rows * inputs
                    + layers * 32 * (4 * inputs + 3 * 8))
            let channels = try run("topchannels:0.25")
            #expect(
                channels.bytes[.saved]
                    == none.bytes[.saved]! - (layers + 1) * 4 * rows * 3 * wide
                    + layers * rows * (8 * wide / 4 + wide / 8))
            let codes = try run("derivatives4")
            #expect(
                codes.bytes[.saved]
                    == none.bytes[.saved]! - (layers + 1) * 8 * rows * wide
                    + layers * 2 * (rows * wide / 2 + rows * wide / 64 * 8))
        }
    }

    @Test func `sampled rows give B's gradients to the bit, and A's on average`() throws {
        try withModel { folder in
            let exact = try Self.run("none", folder: folder)
            let sampled = try Self.run("wtacrs:0.5", folder: folder)
            let other = try Self.run("wtacrs:0.5", folder: folder, step: 1, of: sampled.model)
            #expect(sampled.gradients != other.gradients)
            let steps = 200
            var mean = [Double](repeating: 0, count: exact.gradients.count)
            for step in 0..<steps {
                let run = try Self.run("wtacrs:0.5", folder: folder, step: step, of: sampled.model)
                for (i, value) in run.gradients.enumerated() { mean[i] += Double(value) / Double(steps) }
                if step > 0 { continue }
                for slot in run.model.parameters.slots {
                    let b = slot.b..<slot.b + slot.rank * slot.outputs
                    #expect(run.gradients[b] == exact.gradients[b])
                }
            }
            let single = TrainingFixture.distance(sampled.gradients, exact.gradients)
            let average = TrainingFixture.distance(mean.map { Float($0) }, exact.gradients)
            // Of 200 independent draws the mean is some 14 times as near.
            #expect(single > 0.05)
            #expect(average < single / 8)
        }
    }

    @Test func `the gradient under chosen channels is that of torch`() throws {
        struct Golden: Decodable { var share, loss: Double }
        let url = URL(fileURLWithPath: TrainingFixture.path("topchannels.json"))
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        let model = try TrainingFixture.model(savedTensors: "topchannels:\(golden.share)")
        let batch = try TrainingFixture.batch()
        let count = batch.targetCount
        let loss = model.addGradient(batch, weight: 1 / Float(count)) / Double(count)
        #expect(abs(loss - golden.loss) < 1e-5)
        let expected = try TrainingFixture.factors("topchannels.safetensors", model)
        let found = TrainingFixture.gradients(model)
        #expect(TrainingFixture.distance(found, expected) < 1e-5)
        let dense = try TrainingFixture.factors("gradients.safetensors", model)
        #expect(TrainingFixture.distance(found, dense) > 0.01)
    }

    @Test func `held-out losses are those of all channels`() throws {
        try withModel { folder in
            let few = try Self.run("topchannels:0.3", folder: folder)
            let dense = try Self.run("none", folder: folder)
            #expect(few.model.loss(Self.batch) == dense.model.loss(Self.batch))
            #expect(few.loss != dense.loss)
        }
    }

    @Test func `derivatives in four bits are off by half a step, and gradients by a few percent`() throws {
        var generator = SplitMix64(seed: 3)
        for round in 0..<200 {
            // Wide and narrow groups, and one of a single number.
            let scale = Float(pow(10, generator.unit() * 6 - 3))
            let x = (0..<64).map { _ in round == 0 ? scale : (Float(generator.unit()) - 0.3) * scale }
            let codes = FourBits(64, TrainingArena())
            codes.encode(x, group: 0)
            var back = x
            codes.decode(group: 0, into: &back)
            let step = (x.max()! - x.min()!) / 15
            for (a, b) in zip(x, back) { #expect(abs(a - b) <= step / 2 * 1.0001 + scale * 1e-6) }
        }
        try withModel { folder in
            let exact = try Self.run("none", folder: folder)
            let coded = try Self.run("derivatives4", folder: folder)
            #expect(coded.loss == exact.loss)
            let distance = TrainingFixture.distance(coded.gradients, exact.gradients)
            #expect(distance > 1e-4 && distance < 0.1)
        }
    }

    @Test(arguments: [
        ("none", "none"), ("checkpoint", "checkpoint"), ("tokenswap", "tokenswap:0.5"),
        ("wtacrs:0.3", "wtacrs:0.3"), ("topchannels:1", "topchannels:1.0"),
    ])
    func `a policy is named with its part`(text: String, form: String) throws {
        let choice = try SavedTensors(text)
        #expect(choice.text == form)
        #expect(try SavedTensors(choice.text) == choice)
    }

    @Test(arguments: [
        "", "all", "none:0.5", "wtacrs:", "wtacrs:0", "wtacrs:1.5", "wtacrs:nan", "tokenswap:-1",
        ":0.5", "wtacrs:0.5:0.5", "NONE",
    ])
    func `other names and parts are refused`(text: String) {
        let error = #expect(throws: TrainingError.self) { try SavedTensors(text) }
        #expect(error?.code == .invalidSetting)
    }
}

@Suite struct ColumnRowSampleTests {
    /// The variance of the estimate of Σ x over many draws, each x being what its norm says.
    private func spread(_ x: [Double], keeping budget: Int, takesWinners: Bool) -> (mean: Double, variance: Double) {
        var generator = SplitMix64(seed: 11)
        var (sum, squares) = (0.0, 0.0)
        let draws = 4000
        // Signs make the sum one that sampling by norms does not hit each time.
        let signed = x.enumerated().map { $0 % 3 == 0 ? -$1 : $1 }
        for _ in 0..<draws {
            let sample = ColumnRowSample(
                x, keeping: budget, takesWinners: takesWinners, using: &generator)
            #expect(sample.rows.count == budget && sample.weights.count == budget)
            let estimate = zip(sample.rows, sample.weights).reduce(0.0) { $0 + $1.1 * signed[$1.0] }
            sum += estimate
            squares += estimate * estimate
        }
        let mean = sum / Double(draws)
        return (mean, squares / Double(draws) - mean * mean)
    }

    @Test func `sums are right on average, and winners make them vary less`() {
        // A few rows outweigh the others, as in activations.
        let x = (0..<60).map { 1 / Double(1 + $0 * $0 / 20) }
        let exact = x.enumerated().reduce(0.0) { $0 + ($1.offset % 3 == 0 ? -$1.element : $1.element) }
        let plain = spread(x, keeping: 20, takesWinners: false)
        let winners = spread(x, keeping: 20, takesWinners: true)
        for found in [plain, winners] {
            #expect(abs(found.mean - exact) < 4 * (found.variance / 4000).squareRoot())
        }
        #expect(winners.variance < 0.5 * plain.variance)
    }

    @Test func `all rows, one row and zeros are chosen as well`() {
        var generator = SplitMix64(seed: 1)
        let all = ColumnRowSample([3, 1, 2], keeping: 3, using: &generator)
        #expect(all.rows == [0, 1, 2] && all.weights == [1, 1, 1])
        let one = ColumnRowSample([0, 5, 0], keeping: 1, using: &generator)
        #expect(one.rows == [1] && one.weights == [1])
        let zeros = ColumnRowSample([0, 0, 0, 0], keeping: 2, using: &generator)
        #expect(zeros.weights == [2, 2])
    }
}
