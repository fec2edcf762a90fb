import Foundation
import MnemeBase
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

@Suite struct RouteTests {
    private static let batch: TrainingBatch = {
        var generator = SplitMix64(seed: 6)
        var batch = TrainingBatch()
        for (length, prompt) in [(33, 1), (20, 8)] {
            batch.add((0..<length).map { _ in Int32(generator.unit() * 96) }, promptTokens: prompt)
        }
        return batch
    }()

    /// A model whose layers' terms, none of them zero, are those of these layers of the whole model.
    private static func model(
        _ folder: String, _ route: String, layers: [Int]? = nil, saved: String = "none"
    ) throws -> AdapterModel {
        var decoder = RandomDecoder()
        decoder.only = layers
        let path = folder + "/" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try decoder.write(to: path)
        let model = try AdapterModel(
            ModelSource(path: path), shape: TrainingFixture.shape, batchTokens: 60, seed: 1,
            pool: ThreadPool(threads: 2), precision: .f32,
            strategies: TrainingFixture.strategies(saved, route: route))
        for slot in model.parameters.slots {
            let layer = layers.map { $0[slot.layer] } ?? slot.layer
            var generator = SplitMix64(seed: UInt64(layer * 16 + slot.inputs % 7 + slot.outputs % 5))
            for i in 0..<slot.rank * (slot.inputs + slot.outputs) {
                model.parameters.values.pointer[slot.a + i] = Float(0.3 * (generator.unit() - 0.5))
            }
        }
        return model
    }

    /// Each layer's part of the gradient of the batch.
    private static func gradients(_ model: AdapterModel) -> (loss: Double, layers: [[Float]]) {
        model.parameters.clearGradients()
        let loss = model.addGradient(batch, weight: 0.1)
        let all = TrainingFixture.gradients(model)
        let size = all.count / model.configuration.layers
        return (loss, (0..<model.configuration.layers).map { Array(all[$0 * size..<($0 + 1) * size]) })
    }

    @Test(arguments: ["none", "checkpoint", "tokenswap:0.5"])
    func `a block's gradient is that of a model which ends behind it`(saved: String) throws {
        try TrainingFixture.withFolder { folder in
            let local = try Self.model(folder, "local:2", saved: saved)
            let found = Self.gradients(local)
            let whole = try Self.model(folder, "backprop")
            let expected = Self.gradients(whole)
            // The last block's loss is the model's.
            #expect(found.loss == expected.loss && local.loss(Self.batch) == whole.loss(Self.batch))
            #expect(found.layers[3...] == expected.layers[3...])
            #expect(found.layers[2] != expected.layers[2])
            let half = Self.gradients(try Self.model(folder, "backprop", layers: [0, 1, 2]))
            #expect(found.layers[..<3] == half.layers[...])
        }
    }

    @Test func `an auxiliary network's layers pass gradients on and do not learn`() throws {
        try TrainingFixture.withFolder { folder in
            // Blocks of two layers: the first with layers 3 and 5 behind it, the second with layer 5.
            let found = Self.gradients(try Self.model(folder, "auglocal:3"))
            let whole = Self.gradients(try Self.model(folder, "backprop"))
            let first = Self.gradients(try Self.model(folder, "backprop", layers: [0, 1, 3, 5]))
            let second = Self.gradients(try Self.model(folder, "backprop", layers: [0, 1, 2, 3, 5]))
            #expect(found.loss == whole.loss)
            #expect(found.layers[..<2] == first.layers[..<2])
            #expect(found.layers[2..<4] == second.layers[2..<4])
            #expect(found.layers[4...] == whole.layers[4...])
        }
    }

    @Test func `a block before its average has the gradient of a model that ends behind the next layer`() throws {
        try TrainingFixture.withFolder { folder in
            // Averages are the values themselves at first, and biases zero.
            let path = folder + "/whole"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try RandomDecoder().write(to: path)
            func fresh(_ route: String) throws -> AdapterModel {
                try AdapterModel(
                    ModelSource(path: path), shape: TrainingFixture.shape, batchTokens: 60, seed: 1,
                    pool: ThreadPool(threads: 2), precision: .f32,
                    strategies: TrainingFixture.strategies("checkpoint", route: route))
            }
            let (man, whole) = (try fresh("man:3"), try fresh("backprop"))
            #expect(man.parameterCount == whole.parameterCount + 2 * 64)
            func size(_ model: AdapterModel) -> Int { model.parameters.extra / model.configuration.layers }
            man.parameters.clearGradients()
            whole.parameters.clearGradients()
            let loss = (man.addGradient(Self.batch, weight: 0.1), whole.addGradient(Self.batch, weight: 0.1))
            #expect(loss.0 == loss.1)
            let all = man.parameters.gradients
            let found = Array(UnsafeBufferPointer(start: all.pointer, count: all.count))
            // The last block has no average, and learns as in the whole model.
            #expect(
                found[4 * size(man)..<6 * size(man)] == TrainingFixture.gradients(whole)[4 * size(man)..<6 * size(man)])
            // Biases have a gradient, which is that of the stream there summed up; averages have none.
            let biases = found[man.parameters.extra..<man.parameters.extra + 2 * 64]
            #expect(biases.allSatisfy { $0 != 0 } && found[(man.parameters.extra + 2 * 64)...].allSatisfy { $0 == 0 })
            // The first block ends behind layer 2; the average's last bits are its own.
            let third = try Self.model(folder, "backprop", layers: [0, 1, 2])
            third.parameters.values.pointer.update(from: man.parameters.values.pointer, count: 3 * size(man))
            third.parameters.clearGradients()
            _ = third.addGradient(Self.batch, weight: 0.1)
            let first = 2 * size(man)
            #expect(
                TrainingFixture.distance(Array(found[..<first]), Array(TrainingFixture.gradients(third)[..<first]))
                    < 1e-4)
        }
    }

    @Test func `a block's gradient makes it nearer to its targets, by the difference that it says`() throws {
        try TrainingFixture.withFolder { folder in
            let model = try Self.model(folder, "targets:3", saved: "checkpoint")
            let found = Self.gradients(model)
            let whole = Self.gradients(try Self.model(folder, "backprop"))
            // The last block learns the model's loss.
            #expect(found.loss == whole.loss && found.layers[4...] == whole.layers[4...])
            #expect(found.layers[0] != whole.layers[0])
            for block in 0..<2 {
                let start = block * 2 * found.layers[0].count
                let gradient = found.layers[2 * block] + found.layers[2 * block + 1]
                let length = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }
                // A small way along the gradient, either way.
                func distance(_ way: Float) -> Double {
                    for (i, g) in gradient.enumerated() { model.parameters.values.pointer[start + i] += way * g }
                    defer {
                        for (i, g) in gradient.enumerated() { model.parameters.values.pointer[start + i] -= way * g }
                    }
                    _ = Self.gradients(model)
                    return model.targetDistances[block]
                }
                let way = Float(1e-2 / length.squareRoot())
                let slope = (distance(way) - distance(-way)) / (2 * Double(way))
                #expect(abs(slope / length - 1) < 0.02)
            }
        }
    }

    @Test func `blocks before averages learn more than plain ones`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            func held(_ route: String) throws -> Double {
                var settings = TrainingSettings()
                (settings.steps, settings.learningRate) = (40, 2e-3)
                (settings.precision, settings.keep) = (.f32, nil)
                settings.strategies = try TrainingFixture.strategies("checkpoint", route: route)
                let trainer = try AdapterTrainer(
                    ModelSource(path: folder), base: "", examples: TrainingBenchmark.examples,
                    settings: settings, checkpoint: "", pool: ThreadPool(threads: 1))
                while !trainer.isDone { try trainer.step() }
                return try #require(trainer.progress.heldOutLoss)
            }
            #expect(try held("man:3") < held("local:3"))
        }
    }

    @Test func `memory is that of the longest block with its auxiliary network`() throws {
        try TrainingFixture.withFolder { folder in
            func saved(_ route: String, _ policy: String) throws -> Int {
                try Self.model(folder, route, saved: policy).arena.bytes[.saved] ?? 0
            }
            let stream = 4 * 64 * 64
            // A stream more for each layer than there are layers, and one that a block's end is kept in.
            let whole = try saved("backprop", "checkpoint")
            let augmented = try saved("auglocal:3", "checkpoint")
            let plain = try saved("local:6", "checkpoint")
            #expect(whole == 7 * stream)
            #expect(augmented == (4 + 1 + 1) * stream)
            #expect(plain == (1 + 1 + 1) * stream)
            let all = try saved("backprop", "none")
            let (third, more) = (try saved("local:3", "none"), try saved("auglocal:3", "none"))
            #expect(2 * third < all)
            #expect(more < all)
        }
    }

    @Test(arguments: ["local:2", "auglocal:3", "auglocal:6", "man:3", "targets:2"])
    func `a training in blocks learns, and goes on to the same bits`(route: String) throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            var settings = TrainingSettings()
            (settings.steps, settings.learningRate) = (24, 5e-3)
            (settings.precision, settings.keep) = (.f32, nil)
            settings.strategies = try TrainingFixture.strategies("checkpoint", route: route)
            func trainer(_ file: String, resume: Bool, threads: Int) throws -> AdapterTrainer {
                try AdapterTrainer(
                    ModelSource(path: folder), base: "", examples: TrainingBenchmark.examples,
                    settings: settings, checkpoint: folder + "/" + file, resume: resume,
                    pool: ThreadPool(threads: threads))
            }
            let whole = try trainer("a", resume: false, threads: 1)
            while !whole.isDone { try whole.step() }
            let first = try #require(whole.progress.firstHeldOutLoss)
            #expect(try #require(whole.progress.heldOutLoss) < 0.85 * first)
            let stopped = try trainer("b", resume: false, threads: 3)
            for _ in 0..<5 { try stopped.step() }
            try stopped.saveInBackground()
            // The parameters change behind the copy alone.
            try stopped.step()
            try stopped.finishSaving()
            #expect(stopped.stallSeconds >= 0)
            let resumed = try trainer("b", resume: true, threads: 2)
            #expect(resumed.progress.step == 5)
            while !resumed.isDone { try resumed.step() }
            #expect(resumed.adapter == whole.adapter)
        }
    }

    @Test func `a checkpoint in the background that cannot be written says so once, and steps go on`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            var settings = TrainingSettings()
            (settings.steps, settings.keep) = (5, nil)
            let trainer = try AdapterTrainer(
                ModelSource(path: folder), base: "", examples: TrainingBenchmark.examples,
                settings: settings, checkpoint: folder + "/none/c", pool: ThreadPool(threads: 1))
            try trainer.saveInBackground()
            try trainer.step()
            let error = #expect(throws: FileError.self) { try trainer.finishSaving() }
            #expect(error?.errorClass == .unavailable)
            try trainer.finishSaving()
            try trainer.saveInBackground()
            #expect(throws: FileError.self) { try trainer.saveInBackground() }
            while !trainer.isDone { try trainer.step() }
            #expect(!FileManager.default.fileExists(atPath: folder + "/none"))
        }
    }

    @Test(arguments: ["", "local:1", "backprop:2", "auglocal:x", "auglocal:257", "LOCAL"])
    func `other names of routes are refused`(text: String) {
        let error = #expect(throws: TrainingError.self) { try LearningRoute(text) }
        #expect(error?.code == .invalidSetting)
    }
}

@Suite struct TrainingBenchmarkTests {
    @Test func `each pair is a row, known rows are not trained again, and the table names them all`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            var settings = TrainingBenchmark.Settings()
            (settings.optimizers, settings.savedTensors) = (
                [.adamw, .apollomini], [.checkpoint, try SavedTensors("tokenswap:0.5")]
            )
            (settings.routes, settings.placements) = ([.backprop], [.mapped])
            settings.optimizerStates = [.memory]
            settings.training.steps = 3
            let source = try ModelSource(path: folder)
            var counts: [Int] = []
            let rows = try TrainingBenchmark.run(source, settings: settings) { rows, count in
                counts.append(rows.count * 10 + count)
            }
            #expect(counts == [13, 23, 33])
            #expect(rows.map(\.optimizer) == ["adamw", "adamw", "apollomini"])
            #expect(rows.map(\.savedTensors) == ["checkpoint", "tokenswap:0.5", "checkpoint"])
            // The same bits, whatever is kept.
            #expect(rows[0].loss == rows[1].loss && rows[0].heldOutLoss == rows[1].heldOutLoss)
            #expect(rows[0].bytes[.optimizer] ?? 0 > 3 * (rows[2].bytes[.optimizer] ?? 0))
            #expect(rows[1].bytes[.saved] ?? 0 < rows[0].bytes[.saved] ?? 0)
            #expect(rows[1].recomputed < rows[0].recomputed && rows[0].recomputed < 1)
            let inMemory = rows[1].bytes.reduce(0) { $0 + ($1.key == .swapped ? 0 : $1.value) }
            #expect(rows[1].roundedBytes > inMemory && rows[1].roundedBytes < 2 * inMemory)
            settings.isWhole = true
            var known = rows
            known[0].loss = -1
            let all = try TrainingBenchmark.run(source, settings: settings, known: known)
            #expect(all.count == 4 && all[0].loss == -1 && all[1] == rows[1])
            let table = TrainingBenchmark.markdown(all)
            #expect(table.split(separator: "\n").count == 6)
            #expect(table.contains("| apollomini | tokenswap:0.5 | backprop | mapped |"))
            let copy = try JSONDecoder().decode(
                [TrainingBenchmark.Row].self, from: JSONEncoder().encode(all))
            #expect(copy == all)
        }
    }
}
