import Foundation
import MnemeBase
import MnemeModels
import MnemeNumerics

/// A stateful surrounding that a model acts in: it writes an action, is told what came of it, and writes the next.
public protocol RolloutEnvironment {
    /// What the model is told first.
    var prompt: [Int32] { get }
    /// Takes an action, the tokens that the model wrote.
    ///
    /// - Returns: what it is told next; nil if the task has ended.
    mutating func respond(to action: [Int32]) -> [Int32]?
    /// What the end is worth.
    var reward: Double { get }
}

/// Learns from what actions come to, by policy gradients with a baseline of the other attempts (LOOP, Chen et al.
/// 2025) [208].
///
/// Each task is attempted several times. An attempt's advantage is its reward less the mean of the others' of the
/// task (leave one out), so that no value network is needed; ratios of new and old probabilities are clipped token by
/// token (PPO, Schulman et al. 2017). The model that acts is the one that learns: there is one copy of it, and memory
/// is that of plain fine-tuning.
public final class RolloutTrainer {
    /// How it learns.
    public struct Settings: Sendable, Equatable {
        /// Tasks of a step, and attempts at each.
        public var tasks = 4, attempts = 4
        /// Tokens of an action, and actions of an attempt at most.
        public var actionTokens = 16, actions = 8
        /// The token that ends an action; nil for actions that have all their tokens.
        public var end: Int32?
        /// Times that a step's attempts are learned from, and the part by which a ratio may differ from 1.
        public var epochs = 2, clip: Float = 0.2
        /// The learning rate, and the seed of what is drawn.
        public var learningRate = 1e-3, seed: UInt64 = 1

        /// Sixteen attempts a step.
        public init() {}
    }

    /// What a step came to.
    public struct Outcome: Sendable, Equatable {
        /// The mean reward of its attempts.
        public var reward = 0.0
        /// Tokens that were written, and the part of their gradients that clipping left out.
        public var tokens = 0, clipped = 0.0
    }

    /// An attempt: what was told and written, which tokens were written, and how likely they were.
    private struct Attempt {
        var tokens: [Int32], written: [Bool], logProbabilities: [Float] = []
        var advantage: Float = 0
    }

    /// The model that acts and learns.
    public let model: AdapterModel
    private let settings: Settings
    private var optimizer: any TrainingOptimizer
    private var step = 0

    /// - Parameters:
    ///   - model: has memory for all attempts of a step, or for the longest of them.
    ///   - settings: how it learns.
    ///   - optimizer: by its kind.
    /// - Throws: ``TrainingError`` for settings out of range.
    public init(_ model: AdapterModel, _ settings: Settings, optimizer: OptimizerKind = .adamw) throws {
        guard settings.attempts >= 2, settings.tasks >= 1, settings.actions >= 1, settings.actionTokens >= 1,
            settings.epochs >= 1, settings.clip > 0, settings.learningRate > 0
        else {
            throw TrainingError(
                .invalidSetting,
                "Learning from attempts takes at least two of each task, actions of at least a token, and a learning rate above 0."
            )
        }
        (self.model, self.settings) = (model, settings)
        self.optimizer = optimizer.make(model.parameters.matrices)
    }

    /// Attempts tasks, and learns from what came of it.
    ///
    /// - Parameter task: makes a task's surrounding; attempts at one task begin alike.
    /// - Throws: ``TrainingError`` if an attempt is longer than the model's memory, or the numbers diverge.
    public func learn(_ task: (_ number: Int) -> any RolloutEnvironment) throws -> Outcome {
        var outcome = Outcome()
        var attempts: [Attempt] = []
        for number in step * settings.tasks..<(step + 1) * settings.tasks {
            let (made, rewards) = try rollouts(number, task)
            for (attempt, advantage) in zip(made, ClippedObjective.advantages(rewards)) {
                var attempt = attempt
                attempt.advantage = advantage
                attempts.append(attempt)
            }
            outcome.reward += rewards.reduce(0, +) / Double(rewards.count * settings.tasks)
        }
        outcome.tokens = attempts.reduce(0) { $0 + $1.logProbabilities.count }
        // Attempts that came to the same as all others of their task teach nothing.
        let telling = attempts.filter { $0.advantage != 0 }
        var clipped = 0
        for _ in 0..<settings.epochs where !telling.isEmpty { clipped += try update(telling) }
        let learned = telling.reduce(0) { $0 + $1.logProbabilities.count } * settings.epochs
        outcome.clipped = Double(clipped) / Double(max(1, learned))
        step += 1
        return outcome
    }

    /// All attempts at a task, side by side.
    private func rollouts(
        _ number: Int, _ task: (Int) -> any RolloutEnvironment
    ) throws -> ([Attempt], [Double]) {
        var surroundings = (0..<settings.attempts).map { _ in task(number) }
        var attempts = surroundings.map {
            Attempt(tokens: $0.prompt, written: $0.prompt.map { _ in false })
        }
        var open = Array(attempts.indices)
        for action in 0..<settings.actions where !open.isEmpty {
            var writing = open
            var actions = [[Int32]](repeating: [], count: attempts.count)
            for place in 0..<settings.actionTokens where !writing.isEmpty {
                for (i, token) in zip(writing, try draw(writing.map { attempts[$0].tokens }, [number, action, place])) {
                    attempts[i].tokens.append(token.token)
                    attempts[i].written.append(true)
                    attempts[i].logProbabilities.append(token.logProbability)
                    actions[i].append(token.token)
                }
                writing.removeAll { actions[$0].last == settings.end }
            }
            open.removeAll { i in
                guard let told = surroundings[i].respond(to: actions[i]) else { return true }
                attempts[i].tokens += told
                attempts[i].written += told.map { _ in false }
                return false
            }
        }
        return (attempts, surroundings.map(\.reward))
    }

    /// A token behind each text, as many texts at once as have memory.
    private func draw(_ texts: [[Int32]], _ place: [Int]) throws -> [(token: Int32, logProbability: Float)] {
        var seed = settings.seed
        for number in place { seed = SplitMix64.mixed(seed &+ UInt64(number) &+ 1) }
        return try parts(texts.map(\.count)).enumerated().flatMap { part, range in
            model.draw(behind: Array(texts[range]), seed: SplitMix64.mixed(seed &+ UInt64(part)))
        }
    }

    /// One step of the optimizer by all attempts; gives how many tokens clipping left out.
    private func update(_ attempts: [Attempt]) throws -> Int {
        model.parameters.clearGradients()
        let total = Float(attempts.reduce(0) { $0 + $1.logProbabilities.count })
        var clipped = 0
        for range in try parts(attempts.map(\.tokens.count)) {
            var batch = TrainingBatch()
            for attempt in attempts[range] { batch.add(attempt.tokens, learned: attempt.written) }
            let old = attempts[range].flatMap { attempt in attempt.logProbabilities.map { ($0, attempt.advantage) } }
            model.addPolicyGradient(batch) {
                [objective = ClippedObjective(clip: settings.clip)] token, logProbability in
                let (before, advantage) = old[token]
                let slope = objective.slope(logProbability, before: before, advantage: advantage)
                if slope == nil { clipped += 1 }
                return (slope ?? 0) / total
            }
        }
        let norm = model.parameters.gradientNorm
        guard norm.isFinite else {
            throw TrainingError(.diverged, "The gradient is no number any more. Learn with a lower rate.")
        }
        optimizer.step(
            model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
            scale: Float(min(1, 1 / (norm + 1e-6))), rate: Float(settings.learningRate), decay: 0)
        return clipped
    }

    /// Runs of texts, of as many as a batch has memory for.
    private func parts(_ lengths: [Int]) throws -> [Range<Int>] {
        var (found, begin, tokens) = ([Range<Int>](), 0, 0)
        for (i, length) in lengths.enumerated() {
            guard length <= model.batchTokens else {
                throw TrainingError(
                    .invalidSetting,
                    "An attempt has \(length) tokens; there is memory for \(model.batchTokens). Allow fewer actions, or make a larger batch."
                )
            }
            if tokens + length > model.batchTokens {
                found.append(begin..<i)
                (begin, tokens) = (i, 0)
            }
            tokens += length
        }
        return begin < lengths.count ? found + [begin..<lengths.count] : found
    }
}
