import Foundation
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// The optimizer's state in groups, in memory and in a file.
@Suite struct StateTests {
    private static let matrices: [TrainingMatrix] = {
        var end = 0
        return (0..<14).map { i in
            defer { end += 4 * (32 + 16 * (i % 3)) }
            return TrainingMatrix(offset: end, rows: 4, columns: 32 + 16 * (i % 3))
        }
    }()

    @Test(arguments: [1, 2, 5, 14, 40])
    func `groups are whole matrices, one behind the other, and of nearly one size`(count: Int) {
        let all = ParameterGroups(Self.matrices, count: count).groups
        #expect(all.count == min(count, 14))
        #expect(all.flatMap { g in g.matrices.map { $0.offset + g.start } } == Self.matrices.map(\.offset))
        #expect(all.flatMap { $0.matrices.compactMap(\.number) } == Array(0..<14))
        let total = Self.matrices.reduce(0) { $0 + $1.count }
        #expect(all.reduce(0) { $0 + $1.count } == total && all.allSatisfy { $0.matrices[0].offset == 0 })
        for group in all { #expect(abs(group.count - total / count) <= 4 * 64) }
    }

    @Test(arguments: OptimizerKind.allCases)
    func `a state in a file gives the bits of one in memory, and goes on`(optimizer: OptimizerKind) throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            func trainer(_ state: StatePlacement, _ file: String, resume: Bool = false) throws -> AdapterTrainer {
                var settings = TrainingSettings()
                (settings.steps, settings.optimizer, settings.keep) = (8, optimizer, nil)
                (settings.learningRate, settings.precision) = (5e-3, .f32)
                settings.strategies = TrainingStrategies()
                settings.strategies?.optimizerState = state
                return try AdapterTrainer(
                    ModelSource(path: folder), base: "", examples: TrainingBenchmark.examples,
                    settings: settings, checkpoint: folder + "/" + file, resume: resume,
                    pool: ThreadPool(threads: 1))
            }
            let inMemory = try trainer(.memory, "a")
            while !inMemory.isDone { try inMemory.step() }
            let inFile = try trainer(.file, "b")
            for _ in 0..<3 { try inFile.step() }
            try inFile.saveInBackground()
            try inFile.step()
            try inFile.finishSaving()
            let resumed = try trainer(.memory, "b", resume: true)
            #expect(resumed.progress.step == 3)
            while !resumed.isDone { try resumed.step() }
            while !inFile.isDone { try inFile.step() }
            #expect(inFile.adapter == inMemory.adapter && resumed.adapter == inMemory.adapter)
            // A sixth of the state at a time: as numbers, and as bytes; the buffers lie in idle memory.
            let (whole, some) = (inMemory.model.arena.bytes[.optimizer] ?? 0, inFile.model.arena.bytes[.optimizer] ?? 0)
            #expect(some < whole / 2)
            #expect(inFile.model.arena.bytes[.swapped] ?? 0 >= whole)
        }
    }

    @Test func `memory for state does not grow with the depth`() throws {
        try TrainingFixture.withFolder { folder in
            func bytes(_ layers: Int) throws -> Int {
                var decoder = RandomDecoder()
                decoder.layers = layers
                let path = folder + "/\(layers)"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                try decoder.write(to: path)
                var settings = TrainingSettings()
                (settings.steps, settings.keep) = (1, nil)
                settings.strategies = TrainingStrategies()
                settings.strategies?.placement = .streamed
                settings.strategies?.optimizerState = .file
                let trainer = try AdapterTrainer(
                    ModelSource(path: path), base: "", examples: TrainingBenchmark.examples,
                    settings: settings, checkpoint: "", pool: ThreadPool(threads: 1))
                try trainer.step()
                let bytes = trainer.model.arena.bytes
                return (bytes[.optimizer] ?? 0) + (bytes[.weights] ?? 0)
            }
            let (two, eight) = (try bytes(2), try bytes(8))
            #expect(eight == two)
        }
    }

    @Test func `GaLore's moments in eight bits stay near those in floats, in less memory`() {
        let matrices = [
            TrainingMatrix(offset: 0, rows: 8, columns: 256), TrainingMatrix(offset: 2048, rows: 64, columns: 8),
        ]
        let count = 2048 + 512
        var (whole, coded) = (GaLore(matrices), GaLore8Bit(matrices))
        // A quadratic bowl of which each direction has its own width.
        let start = (0..<count).map { Float(($0 * 37) % 101) / 50 - 1 }
        func run(_ step: (UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void) -> [Float] {
            var values = start
            for _ in 0..<60 {
                let gradient = values.indices.map { values[$0] * Float(1 + $0 % 5) }
                values.withUnsafeMutableBufferPointer { to in
                    gradient.withUnsafeBufferPointer { step(to.baseAddress!, $0.baseAddress!) }
                }
            }
            return values
        }
        let exact = run { whole.step($0, gradients: $1, scale: 1, rate: 0.04, decay: 0.01) }
        let near = run { coded.step($0, gradients: $1, scale: 1, rate: 0.04, decay: 0.01) }
        #expect(TrainingFixture.distance(near, exact) < 0.05)
        #expect(TrainingFixture.distance(exact, start) > 0.3)
        // Of 2,560 parameters half has moments: two bytes of codes, and two floats for each 256 of them.
        let projections = 4 * (4 * 8 + 4 * 8)
        #expect(coded.stateBytes == 2 * 1280 + 8 * 5 + projections)
        #expect(whole.stateBytes == 8 * 1280 + projections)
    }
}
