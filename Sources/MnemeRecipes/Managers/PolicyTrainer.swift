import Foundation
package import MnemeBase

/// Trains a ``ManagerPolicy`` on outcomes alone: REINFORCE (Williams 1992) whose baseline is the mean of a group of
/// attempts at the same task, as in GRPO (Shao et al. 2024).
///
/// A task is anything that asks for choices and answers with a reward at the end. One trainer serves all managers. The
/// same seed gives the same weights.
public struct PolicyTrainer: Sendable {
    /// How it is trained.
    public struct Plan: Sendable, Equatable {
        /// Passes over all tasks, and attempts at each in a pass.
        public var passes = 30, attempts = 8
        /// The step of Adam (Kingma and Ba 2015), which falls to a tenth over the passes.
        public var rate = 0.05
        /// The pull of weights towards zero, a step.
        public var decay = 1e-4
        /// Tasks whose gradients make a step.
        public var batch = 16
        /// Where the random numbers begin.
        public var seed: UInt64 = 1

        /// The standard plan.
        public init() {}
    }

    /// Takes part in a task: is asked with rows, and answers with the place of one.
    public typealias Choose = (_ options: [[Double]]) -> Int

    /// One attempt at a task: asks for its choices, in order, and returns the reward.
    public typealias Attempt = (_ choose: Choose) -> Double

    private let plan: Plan

    /// A trainer with a plan.
    public init(_ plan: Plan = Plan()) { self.plan = plan }

    /// Trains on tasks.
    ///
    /// - Parameters:
    ///   - policy: where it begins.
    ///   - tasks: each can be attempted any number of times; its reward depends on the choices alone.
    ///   - progress: is told the pass that begins, and how many there are.
    /// - Returns: the policy with the weights of the last step.
    /// - Complexity: O(passes · tasks · attempts) attempts.
    /// - Throws: `CancellationError`.
    public func train(
        _ policy: ManagerPolicy, on tasks: [Attempt], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> ManagerPolicy {
        var policy = policy
        var random = SplitMix64(seed: plan.seed)
        var mean = policy.weights.map { _ in 0.0 }
        var square = mean
        var steps = 0
        for pass in 0..<plan.passes {
            progress(pass, plan.passes)
            let order = tasks.indices.shuffled(using: &random)
            for start in stride(from: 0, to: order.count, by: plan.batch) {
                try Task.checkCancellation()
                let batch = order[start...].prefix(plan.batch)
                var gradient = policy.weights.map { -plan.decay * $0 }
                for place in batch {
                    let part = self.gradient(of: policy, at: tasks[place], &random)
                    for i in gradient.indices { gradient[i] += part[i] / Double(batch.count) }
                }
                steps += 1
                let rate = plan.rate * (1 - 0.9 * Double(pass) / Double(plan.passes))
                for i in gradient.indices {
                    mean[i] = 0.9 * mean[i] + 0.1 * gradient[i]
                    square[i] = 0.99 * square[i] + 0.01 * gradient[i] * gradient[i]
                    let scale = (square[i] / (1 - pow(0.99, Double(steps)))).squareRoot() + 1e-8
                    policy.weights[i] += rate * mean[i] / (1 - pow(0.9, Double(steps))) / scale
                }
            }
        }
        return policy
    }

    /// The gradient of the expected reward of one task, from a group of attempts.
    ///
    /// Each attempt's reward less the mean of the group weighs the gradients of its choices. Choices of a long task are
    /// many, and their gradients add up: they are divided by the square root of their number.
    package func gradient(of policy: ManagerPolicy, at task: Attempt, _ random: inout SplitMix64) -> [Double] {
        var sums: [[Double]] = []
        var rewards: [Double] = []
        for _ in 0..<plan.attempts {
            var sum = policy.weights.map { _ in 0.0 }
            var choices = 0
            var generator = random
            let reward = task { options in
                let choice = Self.sample(policy.chances(of: options), &generator)
                let part = policy.gradient(of: choice, among: options)
                for i in sum.indices { sum[i] += part[i] }
                choices += 1
                return choice
            }
            random = generator
            sums.append(sum.map { $0 / Double(max(1, choices)).squareRoot() })
            rewards.append(reward)
        }
        let mean = rewards.reduce(0, +) / Double(max(1, rewards.count))
        var gradient = policy.weights.map { _ in 0.0 }
        for (sum, reward) in zip(sums, rewards) {
            for i in gradient.indices { gradient[i] += (reward - mean) * sum[i] / Double(max(1, rewards.count - 1)) }
        }
        return gradient
    }

    /// The mean reward of the likeliest choices.
    public func reward(of policy: ManagerPolicy, on tasks: [Attempt]) -> Double {
        tasks.reduce(0) { sum, task in sum + task { policy.best(of: $0) } } / Double(max(1, tasks.count))
    }

    /// An option by its chance.
    private static func sample(_ chances: [Double], _ random: inout SplitMix64) -> Int {
        var left = random.unit()
        for (place, chance) in chances.enumerated() {
            left -= chance
            if left < 0 { return place }
        }
        return chances.count - 1
    }
}
