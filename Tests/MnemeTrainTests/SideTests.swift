import Foundation
import MnemeBase
import MnemeBench
import MnemeFormats
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// A network beside a frozen model (Quantized Side Tuning), against torch: `scripts/make_golden_side.py`.
@Suite struct SideTests {
    private static func batch() throws -> TrainingBatch { try TrainingFixture.batch("side") }

    private static func shape(_ reduction: Int) -> AdapterShape {
        var shape = AdapterShape()
        (shape.rank, shape.targets, shape.side) = (1, [], SideShape(reduction: reduction))
        return shape
    }

    /// A golden file's numbers in the order of the parameters.
    private static func values(_ name: String) throws -> [Float] {
        let file = try SafetensorsFile(path: TrainingFixture.path("side/\(name).safetensors"))
        var all: [Float] = []
        for layer in 0..<2 {
            all += try file.floats("side.layers.\(layer).up", shape: [32, 16]).array
            all += try file.floats("side.layers.\(layer).down", shape: [16, 32]).array
            all += try file.floats("side.layers.\(layer).mix", shape: [1]).array
        }
        return all + (try file.floats("side.output", shape: [64, 16]).array)
    }

    /// The tiny llama with a network of a quarter of its width, which the golden values' signs belong to.
    private static func model(golden: Bool = true, threads: Int = 1) throws -> AdapterModel {
        let model = try AdapterModel(
            ModelSource(path: TrainingFixture.path("tiny")), shape: shape(4), batchTokens: 100, seed: 5,
            pool: ThreadPool(threads: threads), precision: .f32,
            strategies: TrainingFixture.strategies("checkpoint", route: "side:4"))
        guard golden else { return model }
        for (i, value) in try values("adapter").enumerated() { model.parameters.values.pointer[i] = value }
        return model
    }

    @Test func `loss and gradients of the network are those of torch`() throws {
        let model = try Self.model()
        try TrainingFixture.expectLoss(model, "side")
        let (expected, found) = (try Self.values("gradients"), TrainingFixture.gradients(model))
        #expect(expected.count == found.count)
        let sizes = SideSizes(hidden: 64, layers: 2, width: 16)
        for start in [sizes.up(0), sizes.up(1), sizes.down(0), sizes.down(1)] {
            let range = start..<start + 512
            #expect(TrainingFixture.distance(Array(found[range]), Array(expected[range])) < 2e-5, "\(start)")
        }
        for layer in 0..<2 {
            let place = sizes.mix(layer)
            #expect(abs(found[place] - expected[place]) < 2e-5 * max(1, abs(expected[place])))
        }
        #expect(
            TrainingFixture.distance(Array(found[sizes.output...]), Array(expected[sizes.output...])) < 2e-5)
    }

    @Test func `ten steps of AdamW give the losses and numbers of torch`() throws {
        let model = try Self.model()
        try TrainingFixture.expectSteps(model, "side")
        #expect(TrainingFixture.distance(TrainingFixture.values(model), try Self.values("trained")) < 1e-3)
    }

    @Test func `a new network changes nothing, and gradients are the same bits on more threads`() throws {
        let batch = try Self.batch()
        let fresh = try Self.model(golden: false)
        let plain = try AdapterModel(
            ModelSource(path: TrainingFixture.path("tiny")), shape: TrainingFixture.shape, batchTokens: 100, seed: 5,
            pool: ThreadPool(threads: 1), precision: .f32)
        #expect(fresh.loss(batch) == plain.loss(batch))
        func gradients(_ threads: Int) throws -> [Float] {
            let model = try Self.model(threads: threads)
            _ = model.addGradient(batch, weight: 0.1)
            return TrainingFixture.gradients(model)
        }
        #expect(try gradients(3) == gradients(1))
        // The rows of the base are those without the network.
        var kept = batch
        kept.keep([3, 5, 8, 13, 21], promptTokens: 2)
        #expect(try Self.model().baseStates(kept) == fresh.baseStates(kept))
    }

    @Test func `memory is less than with low-rank terms, no row is computed twice, and bytes are the formula's`() throws
    {
        let batch = try Self.batch()
        func model(_ route: String, _ shape: AdapterShape) throws -> AdapterModel {
            let model = try AdapterModel(
                ModelSource(path: TrainingFixture.path("tiny")), shape: shape, batchTokens: 100, seed: 5,
                pool: ThreadPool(threads: 1), precision: .f32,
                strategies: TrainingFixture.strategies("checkpoint", route: route))
            _ = model.addGradient(batch, weight: 0.1)
            return model
        }
        let (side, low) = (try model("side:16", Self.shape(16)), try model("backprop", TrainingFixture.shape))
        #expect(side.recomputedRows == 0 && low.recomputedRows > 0)
        // Two inputs of a layer's rows, rounded up to 128, and five widths of 4 for each layer and row.
        #expect(side.arena.bytes[.saved] == 4 * (2 * 128 * 64 + 2 * 100 * 5 * 4))
        for purpose in [TrainingArena.Purpose.parameters, .gradients, .saved, .layer] {
            let (one, other) = (side.arena.bytes[purpose] ?? 0, low.arena.bytes[purpose] ?? 0)
            #expect(one < other, "\(purpose): \(one) and \(other)")
        }
        #expect(side.arena.memoryBytes < low.arena.memoryBytes)
    }

    @Test func `a network comes back from its folder, and damaged files are refused by name`() throws {
        let adapter = try Self.model().adapter
        let c = try ModelSource(path: TrainingFixture.path("tiny")).configuration()
        #expect(adapter.parameters == SideSizes(hidden: 64, layers: 2, width: 16).count)
        try TrainingFixture.withFolder { folder in
            try AdapterFolder(path: folder + "/good").export(adapter, base: "tiny")
            let read = try AdapterFolder(path: folder + "/good").read(for: c)
            #expect(read == adapter && read.hash == adapter.hash)
            let settings = try String(contentsOfFile: folder + "/good/adapter_config.json", encoding: .utf8)
            for (from, to, code) in [
                (#""version":1"#, #""version":0"#, AdapterError.Code.unsupported),
                (#""width":16"#, #""width":-1"#, .invalidFile), (#""width":16"#, #""width":8"#, .wrongBase),
                (#""width":16"#, #""width":1e9"#, .invalidFile),
                (#""projection_seed":5"#, #""projection_seed":"x""#, .invalidFile),
                ("MNEME_SIDE", "MNEME_TOKENS", .invalidFile),
            ] {
                let changed = settings.replacing(from, with: to)
                #expect(changed != settings, "\(from)")
                let copy = folder + "/" + UUID().uuidString
                try FileManager.default.copyItem(atPath: folder + "/good", toPath: copy)
                try changed.write(toFile: copy + "/adapter_config.json", atomically: true, encoding: .utf8)
                let error = #expect(throws: AdapterError.self, "\(to)") {
                    _ = try AdapterFolder(path: copy).read(for: c)
                }
                #expect(error?.code == code, "\(to): \(error?.message ?? "")")
            }
            var other = adapter
            other.side?.values[3] = .nan
            try AdapterFolder(path: folder + "/nan").export(other, base: "tiny")
            #expect(throws: AdapterError.self) { _ = try AdapterFolder(path: folder + "/nan").read(for: c) }
        }
        var both = adapter
        both.procedures = ProcedureTokens(names: ["a"], rows: [Float](repeating: 0, count: 64))
        #expect(throws: AdapterError.self) { try both.check(c) }
    }

    // MARK: Trainings

    private static let examples = (0..<24).map {
        TrainingExample(prompt: "Where is boat \($0)?", completion: $0 % 3 == 0 ? "Bergen." : "Turin.")
    }

    private static func trainer(
        _ source: ModelSource, _ route: String, _ checkpoint: String, resume: Bool = false, start: Adapter? = nil
    ) throws -> AdapterTrainer {
        var settings = TrainingSettings()
        (settings.steps, settings.learningRate, settings.keep) = (60, 1e-2, nil)
        settings.shape = TrainingFixture.shape
        settings.strategies = try TrainingFixture.strategies("checkpoint", route: route)
        return try AdapterTrainer(
            source, base: "tiny", examples: examples, settings: settings, checkpoint: checkpoint, resume: resume,
            start: start, pool: ThreadPool(threads: resume ? 2 : 1))
    }

    @Test func `a training learns nearly as much as low-rank terms do, and goes on to the same bits`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let source = try ModelSource(path: folder)
            let whole = try Self.trainer(source, "side:2", folder + "/a")
            while !whole.isDone { try whole.step() }
            let low = try Self.trainer(source, "backprop", folder + "/l")
            while !low.isDone { try low.step() }
            let first = try #require(low.progress.firstHeldOutLoss)
            let (side, terms) = (try #require(whole.progress.heldOutLoss), try #require(low.progress.heldOutLoss))
            // Nine tenths of what the others take off the loss.
            #expect(first - side > 0.9 * (first - terms), "\(first): \(side) and \(terms)")
            let killed = try Self.trainer(source, "side:2", folder + "/b")
            for _ in 0..<7 { try killed.step() }
            try killed.save()
            let resumed = try Self.trainer(source, "side:2", folder + "/b", resume: true)
            while !resumed.isDone { try resumed.step() }
            #expect(resumed.adapter == whole.adapter)
            let again = try Self.trainer(source, "side:2", folder + "/c", start: whole.adapter)
            #expect(again.adapter == whole.adapter)
            #expect(throws: TrainingError.self) {
                _ = try Self.trainer(source, "side:4", folder + "/c", start: whole.adapter)
            }
            #expect(throws: TrainingError.self) {
                _ = try Self.trainer(source, "side:2", folder + "/c", start: low.adapter)
            }
        }
    }
}
