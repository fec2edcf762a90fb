import Foundation
import MnemeBase
public import MnemeModels
import MnemeNumerics
public import MnemeTrain

/// Trains the same adapter on the same examples with each optimizer, policy of saved tensors, route
/// and placement, and tells what each costs and comes to.
public enum TrainingBenchmark {
    /// One training: what is varied, and what came out.
    public struct Row: Sendable, Codable, Equatable {
        /// The optimizer's name.
        public var optimizer: String
        /// The policy of saved tensors, with its part.
        public var savedTensors: String
        /// The way to gradients, with its number of blocks.
        public var route: String
        /// Where the base's weights were.
        public var placement: BasePlacement
        /// Where the optimizer's state was; nil in rows of before there was a choice.
        public var optimizerState: StatePlacement?
        /// The highest learning rate.
        public var learningRate: Double
        /// Steps that were done.
        public var steps: Int
        /// The mean loss of the first and of the last tenth of the steps.
        public var firstLoss, loss: Double
        /// Of examples that are not learned; nil if there are none.
        public var heldOutLoss: Double?
        /// Bytes of memory by what they are for, which is their peak: nothing is taken during steps.
        public var bytes: [TrainingArena.Purpose: Int]
        /// Bytes in memory if every piece were rounded up to a power of two.
        public var roundedBytes: Int
        /// Of all rows of all layers, those that were computed twice.
        public var recomputed: Double
        /// The part of the loss's gradient that was too small to be computed; nil in earlier rows.
        public var skippedLoss: Double?
        /// Tokens a second, the measuring of held-out examples included.
        public var tokensPerSecond: Double
    }

    /// What is trained and measured.
    public struct Settings: Sendable {
        /// Names of optimizers; each by its own multiple of the learning rate.
        public var optimizers: [OptimizerKind]
        /// The policies.
        public var savedTensors: [SavedTensors]
        /// The ways to gradients.
        public var routes: [LearningRoute]
        /// Where the base's weights are.
        public var placements = BasePlacement.allCases
        /// Where the optimizer's state is.
        public var optimizerStates = StatePlacement.allCases
        /// Trains each optimizer with each policy, route and placement; false changes one of them at a
        /// time, beside AdamW, checkpoints, all layers, mapped weights and state in memory.
        public var isWhole = false
        /// What is learned.
        public var examples = TrainingBenchmark.examples
        /// Threads of a training; nil is one a core.
        public var threads: Int?
        /// What all trainings share.
        public var training = TrainingSettings()

        /// All optimizers and policies, 40 steps.
        public init() {
            optimizers = OptimizerKind.allCases
            savedTensors = SavedTensors.Kind.allCases.compactMap { try? SavedTensors($0.rawValue) }
            routes = LearningRoute.Kind.allCases.compactMap { try? LearningRoute($0.rawValue) }
            (training.steps, training.learningRate, training.keep) = (40, 2e-3, nil)
        }

        /// What is trained, in order.
        var trainings: [TrainingSettings] {
            var all: [TrainingSettings] = []
            for optimizer in optimizers {
                for saved in savedTensors {
                    for route in routes {
                        for placement in placements {
                            for state in optimizerStates {
                                var strategies = TrainingStrategies()
                                (strategies.savedTensors, strategies.route) = (saved, route)
                                (strategies.placement, strategies.optimizerState) = (placement, state)
                                let others = [
                                    optimizer != .adamw && optimizers.contains(.adamw),
                                    saved != .checkpoint && savedTensors.contains(.checkpoint),
                                    route != .backprop && routes.contains(.backprop),
                                    placement != .mapped && placements.contains(.mapped),
                                    state != .memory && optimizerStates.contains(.memory),
                                ]
                                guard isWhole || others.count(where: { $0 }) < 2 else { continue }
                                all.append(training(optimizer, strategies))
                            }
                        }
                    }
                }
            }
            return all
        }

        private func training(
            _ optimizer: OptimizerKind, _ strategies: TrainingStrategies
        ) -> TrainingSettings {
            var one = training
            one.learningRate *= optimizer.rateFactor
            (one.optimizer, one.strategies) = (optimizer, strategies)
            return one
        }
    }

    /// Made-up facts in two wordings each: a task that a small model learns in some ten steps.
    public static let examples: [TrainingExample] = {
        let names = ["Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gil", "Hana", "Ivo", "Jana", "Kim", "Leo"]
        let towns = ["Oslo", "Rome", "Lima", "Cairo", "Perth", "Kyoto", "Turin", "Quito", "Delhi", "Malmo"]
        return names.enumerated().flatMap { i, name in
            let town = towns[i * 7 % towns.count]
            return [
                TrainingExample(prompt: "Where does \(name) live?", completion: "In \(town).", group: name),
                TrainingExample(prompt: "What is \(name)'s town?", completion: "\(town).", group: name),
                TrainingExample(completion: "\(name) lives in \(town).", group: name),
            ].map {
                var example = $0
                example.procedure = "towns"
                return example
            }
        }
    }()

    /// Trains and measures one after the other.
    ///
    /// - Parameters:
    ///   - source: the base model.
    ///   - known: rows of an earlier run with the same settings: those are not trained again.
    ///   - didFinish: called with all rows so far behind each.
    /// - Throws: `TrainingError`, `ModelError`, `FileError`.
    public static func run(
        _ source: ModelSource, settings: Settings, known: [Row] = [],
        didFinish: ([Row], _ of: Int) throws -> Void = { _, _ in }
    ) throws -> [Row] {
        let trainings = settings.trainings
        var rows: [Row] = []
        for training in trainings {
            let earlier = known.first { isOf($0, training) }
            rows.append(try earlier ?? row(source, settings, training))
            try didFinish(rows, trainings.count)
        }
        return rows
    }

    private static func isOf(_ row: Row, _ training: TrainingSettings) -> Bool {
        let strategies = training.strategies ?? TrainingStrategies()
        return (row.optimizer, row.savedTensors, row.route)
            == (training.optimizer.rawValue, strategies.savedTensors.text, strategies.route.text)
            && (row.placement, row.steps, row.learningRate)
                == (strategies.placement, training.steps, training.learningRate)
            && row.optimizerState ?? .memory == strategies.optimizerState ?? .memory
    }

    private static func row(
        _ source: ModelSource, _ all: Settings, _ settings: TrainingSettings
    ) throws -> Row {
        let trainer = try AdapterTrainer(
            source, base: "", examples: all.examples, settings: settings, checkpoint: "",
            pool: all.threads.map { ThreadPool(threads: $0) } ?? .shared)
        var losses: [Double] = []
        while !trainer.isDone {
            try trainer.step()
            losses.append(trainer.progress.loss)
        }
        func mean(_ part: ArraySlice<Double>) -> Double { part.reduce(0, +) / Double(max(1, part.count)) }
        let strategies = settings.strategies ?? TrainingStrategies()
        let tenth = max(1, losses.count / 10)
        let layers = trainer.model.configuration.layers
        return Row(
            optimizer: settings.optimizer.rawValue,
            savedTensors: strategies.savedTensors.text, route: strategies.route.text,
            placement: strategies.placement, optimizerState: strategies.optimizerState,
            learningRate: settings.learningRate, steps: losses.count,
            firstLoss: mean(losses.prefix(tenth)), loss: mean(losses.suffix(tenth)),
            heldOutLoss: trainer.progress.heldOutLoss, bytes: trainer.model.arena.bytes,
            roundedBytes: trainer.model.arena.roundedBytes,
            recomputed: Double(trainer.model.recomputedRows)
                / Double(max(1, trainer.progress.tokens * layers)),
            skippedLoss: trainer.model.skippedLossShare,
            tokensPerSecond: trainer.progress.tokensPerSecond)
    }
}
