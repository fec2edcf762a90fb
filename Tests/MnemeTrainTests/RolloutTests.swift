import Foundation
import MnemeBase
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Learning from what actions come to.
@Suite struct RolloutTests {
    /// A service with a hidden word: it can be asked for, and then has to be told. Whoever tells without asking
    /// can only guess.
    private struct HiddenWord: RolloutEnvironment {
        var hidden: Int
        var reward = 0.0
        var prompt: [Int32] { [10, 11] }

        init(_ task: Int) { hidden = Int(SplitMix64.mixed(UInt64(task)) % 2) }

        /// A token is one of four actions: to say the first word, the second, or to ask, twice.
        mutating func respond(to action: [Int32]) -> [Int32]? {
            let chosen = Int(action[0]) % 4
            guard chosen < 2 else { return [hidden == 0 ? 20 : 33] }
            reward = chosen == hidden ? 1 : 0
            return nil
        }
    }

    private static func model(_ folder: String, tokens: Int = 256, threads: Int = 1) throws -> AdapterModel {
        try AdapterModel(
            ModelSource(path: folder), shape: TrainingFixture.shape, batchTokens: tokens, seed: 1,
            pool: ThreadPool(threads: threads), precision: .f32)
    }

    private static var settings: RolloutTrainer.Settings {
        var settings = RolloutTrainer.Settings()
        (settings.tasks, settings.attempts, settings.actionTokens, settings.actions) = (8, 8, 1, 3)
        settings.learningRate = 1e-2
        return settings
    }

    @Test func `success rises in a surrounding with hidden state, in plain fine-tuning's memory`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let model = try Self.model(folder)
            let memory = model.arena.memoryBytes
            let trainer = try RolloutTrainer(model, Self.settings)
            let rewards = try (0..<60).map { _ in try trainer.learn { HiddenWord($0) }.reward }
            let (first, last) = (rewards.prefix(5).reduce(0, +) / 5, rewards.suffix(10).reduce(0, +) / 10)
            // Guessing comes to a half at most, where nothing is asked.
            #expect(first < 0.6 && last > 0.8, "\(first) → \(last)")
            #expect(model.arena.memoryBytes == memory)
        }
    }

    @Test func `a step is the same on any number of threads and in any number of batches`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            func run(tokens: Int, threads: Int) throws -> (RolloutTrainer.Outcome, [Float]) {
                let model = try Self.model(folder, tokens: tokens, threads: threads)
                let trainer = try RolloutTrainer(model, Self.settings)
                let outcome = try trainer.learn { HiddenWord($0) }
                return (outcome, TrainingFixture.values(model))
            }
            let one = try run(tokens: 256, threads: 1)
            let two = try run(tokens: 256, threads: 2)
            #expect(one.0 == two.0 && one.1 == two.1)
            #expect(one.0.tokens >= 64)
            // An attempt that does not fit is refused.
            let model = try Self.model(folder, tokens: 2)
            let error = #expect(throws: TrainingError.self) {
                _ = try RolloutTrainer(model, Self.settings).learn { HiddenWord($0) }
            }
            #expect(error?.code == .invalidSetting)
            var wrong = Self.settings
            wrong.attempts = 1
            #expect(throws: TrainingError.self) { _ = try RolloutTrainer(model, wrong) }
        }
    }

    @Test func `tokens are drawn as often as the model's probabilities have it`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let model = try Self.model(folder, tokens: 512)
            let texts = [[Int32]](repeating: [10, 11], count: 200)
            let drawn = (0..<10).flatMap { model.draw(behind: texts, seed: UInt64($0)) }
            // What it says of a token is what the loss has.
            for (token, logProbability) in drawn.prefix(5) {
                var batch = TrainingBatch()
                batch.add([10, 11, token], learned: [false, false, true])
                #expect(abs(model.loss(batch) + Double(logProbability)) < 1e-4)
            }
            let counts = Dictionary(drawn.map { ($0.token, 1) }, uniquingKeysWith: +)
            for (token, logProbability) in drawn where exp(logProbability) > 0.02 {
                let (wanted, found) = (2000 * Double(exp(logProbability)), Double(counts[token] ?? 0))
                #expect(abs(found - wanted) < 5 * wanted.squareRoot(), "\(token)")
            }
        }
    }

    /// Attempts of `scripts/make_golden_rollout.py`, and what torch makes of them.
    private struct Golden: Decodable {
        struct Attempt: Decodable {
            var tokens: [Int32]
            var written: [Bool]
            var before: [Float]
            var advantage: Double
        }
        var clip: Float
        var rewards: [[Double]]
        var attempts: [Attempt]
        var clipped: Int
    }

    @Test func `advantages and the clipped objective's gradient are those of torch`() throws {
        let file = URL(fileURLWithPath: TrainingFixture.path("rollout/golden.json"))
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
        let advantages = golden.rewards.flatMap(ClippedObjective.advantages)
        for (found, attempt) in zip(advantages, golden.attempts) {
            #expect(abs(Double(found) - attempt.advantage) < 1e-6)
        }
        let model = try TrainingFixture.model()
        var batch = TrainingBatch()
        for attempt in golden.attempts { batch.add(attempt.tokens, learned: attempt.written) }
        let old = zip(golden.attempts, advantages).flatMap { attempt, advantage in
            attempt.before.map { ($0, advantage) }
        }
        let objective = ClippedObjective(clip: golden.clip)
        var clipped = 0
        model.addPolicyGradient(batch) { token, logProbability in
            let slope = objective.slope(logProbability, before: old[token].0, advantage: old[token].1)
            if slope == nil { clipped += 1 }
            return (slope ?? 0) / Float(old.count)
        }
        #expect(clipped == golden.clipped && clipped > 0 && clipped < old.count)
        let expected = try TrainingFixture.factors("rollout/gradients.safetensors", model)
        let found = TrainingFixture.gradients(model)
        for slot in model.parameters.slots {
            for range in [slot.a..<slot.b, slot.b..<slot.end] {
                let distance = TrainingFixture.distance(Array(found[range]), Array(expected[range]))
                #expect(distance < 2e-5, "\(slot.linear) of layer \(slot.layer)")
            }
        }
    }

    @Test func `the policy's gradient is that of differences of its objective`() throws {
        try TrainingFixture.withFolder { folder in
            let model = try TrainingFixture.model()
            var batch = TrainingBatch()
            batch.add([3, 9, 4, 7, 5], learned: [false, true, false, true, true])
            let old: [Float] = [-3, -4, -2]
            let advantages: [Float] = [0.5, -1, 0.25]
            // Without clipping: Σ advantage · e^(log p − old).
            model.parameters.clearGradients()
            model.addPolicyGradient(batch) { advantages[$0] * exp($1 - old[$0]) }
            let gradients = TrainingFixture.gradients(model)
            func objective() -> Double {
                var values: [Double] = []
                model.addPolicyGradient(batch) { token, logProbability in
                    values.append(Double(advantages[token] * exp(logProbability - old[token])))
                    return 0
                }
                return values.reduce(0, +)
            }
            for at in stride(from: 7, to: gradients.count, by: gradients.count / 12) {
                let value = model.parameters.values.pointer[at]
                model.parameters.values.pointer[at] = value + 1e-2
                let up = objective()
                model.parameters.values.pointer[at] = value - 1e-2
                let numeric = (up - objective()) / 2e-2
                model.parameters.values.pointer[at] = value
                // The gradient is that of what is made small.
                #expect(abs(numeric + Double(gradients[at])) < 2e-2 * max(0.05, abs(numeric)))
            }
        }
    }
}
