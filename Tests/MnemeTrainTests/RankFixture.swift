import Foundation
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain

/// Trainings of several ranks in one process: each on a thread of its own, connected by sockets as processes are.
enum RankFixture {
    /// A training of six steps on the benchmark's examples, in float32.
    static func trainer(
        _ folder: String, _ ranks: RankSettings?, resume: Bool = false, keep: Double? = nil,
        optimizer: OptimizerKind = .adamw
    ) throws -> AdapterTrainer {
        var settings = TrainingSettings()
        (settings.steps, settings.learningRate, settings.keep) = (6, 5e-3, keep)
        (settings.precision, settings.optimizer) = (.f32, optimizer)
        settings.strategies = TrainingStrategies()
        settings.strategies?.ranks = ranks
        return try AdapterTrainer(
            ModelSource(path: folder), base: "", examples: TrainingBenchmark.examples, settings: settings,
            checkpoint: folder + "/checkpoint", resume: resume, pool: ThreadPool(threads: 1))
    }

    private final class Outcomes<Outcome>: @unchecked Sendable {
        // Sendable: a lock guards them.
        private let lock = NSLock()
        private var all: [Outcome]
        init(_ all: [Outcome]) { self.all = all }
        subscript(rank: Int) -> Outcome {
            get { lock.withLock { all[rank] } }
            set { lock.withLock { all[rank] = newValue } }
        }
    }

    /// Runs all ranks, who meet in a folder, and waits for them.
    ///
    /// - Parameters:
    ///   - start: what a rank has before it begins.
    ///   - body: a rank's work; what it throws is its own matter. A rank that waits for others gives up after two minutes.
    static func run<Outcome>(
        _ count: Int, in folder: String, _ start: Outcome,
        _ body: @escaping @Sendable (_ rank: Int, _ mesh: () throws -> RankMesh, _ outcome: inout Outcome) -> Void
    ) -> [Outcome] {
        let outcomes = Outcomes(Array(repeating: start, count: count))
        let end = ContinuousClock.now + .seconds(120)
        let group = DispatchGroup()
        for rank in 0..<count {
            group.enter()
            Thread {
                var outcome = outcomes[rank]
                body(rank, { try RankMesh(in: folder, rank: rank, of: count) { ContinuousClock.now < end } }, &outcome)
                outcomes[rank] = outcome
                group.leave()
            }.start()
        }
        group.wait()
        return (0..<count).map { outcomes[$0] }
    }
}
