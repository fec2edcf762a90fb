import Foundation
import Mneme
import MnemeBase
import MnemeRecipes
import Testing

/// What managers choose by, and how that is learned.
@Suite struct PolicyTrainerTests {
    private static let rows = [[1, 0.5, -1], [0, 2, 0.25], [-0.5, 0.1, 1]]

    private static func policy(_ weights: [Double]) -> ManagerPolicy {
        var policy = ManagerPolicy(manager: "test", features: weights.indices.map { "f\($0)" })
        policy.weights = weights
        return policy
    }

    @Test func `chances are a softmax, and the likeliest of equals is the first`() {
        let policy = Self.policy([0, 0, 0])
        #expect(policy.chances(of: Self.rows).allSatisfy { abs($0 - 1.0 / 3) < 1e-15 })
        #expect(policy.best(of: Self.rows) == 0)
        let sure = Self.policy([0, 400, 0])
        #expect(sure.best(of: Self.rows) == 1 && sure.chances(of: Self.rows)[1] == 1)
    }

    @Test(arguments: 0..<3)
    func `the gradient of a choice is that of finite differences`(_ choice: Int) {
        let weights = [0.3, -0.7, 0.2]
        let gradient = Self.policy(weights).gradient(of: choice, among: Self.rows)
        for i in weights.indices {
            let step = 1e-6
            let sides = [step, -step].map { change in
                var moved = weights
                moved[i] += change
                return log(Self.policy(moved).chances(of: Self.rows)[choice])
            }
            #expect(abs((sides[0] - sides[1]) / (2 * step) - gradient[i]) < 1e-8)
        }
    }

    @Test func `many attempts estimate the gradient of the expected reward`() {
        let weights = [0.3, -0.7, 0.2]
        let rewards = [0.2, 1, 0.4]
        var plan = PolicyTrainer.Plan()
        plan.attempts = 60_000
        var random = SplitMix64(seed: 7)
        let found = PolicyTrainer(plan).gradient(
            of: Self.policy(weights), at: { choose in rewards[choose(Self.rows)] }, &random)
        for i in weights.indices {
            let sides = [1e-5, -1e-5].map { change in
                var moved = weights
                moved[i] += change
                return zip(Self.policy(moved).chances(of: Self.rows), rewards).reduce(0) { $0 + $1.0 * $1.1 }
            }
            // Three standard errors of 60,000 draws lie below a hundredth.
            #expect(abs((sides[0] - sides[1]) / 2e-5 - found[i]) < 0.01, "\(found)")
        }
    }

    @Test func `it learns from rewards alone which option to take when, and the same seed learns the same`() throws {
        // Three contexts; the right one of three options changes with them.
        let contexts = (0..<3).map { right in
            (0..<3).map { option in (0..<9).map { $0 == 3 * right + option ? 1.0 : 0 } }
        }
        let tasks = contexts.enumerated().map { right, rows -> PolicyTrainer.Attempt in
            { choose in choose(rows) == right ? 1 : 0 }
        }
        let untrained = ManagerPolicy(manager: "test", features: (0..<9).map { "f\($0)" })
        let trainer = PolicyTrainer()
        let trained = try trainer.train(untrained, on: tasks)
        #expect(trainer.reward(of: untrained, on: tasks) < 0.5 && trainer.reward(of: trained, on: tasks) == 1)
        #expect(try trainer.train(untrained, on: tasks) == trained)
        var other = PolicyTrainer.Plan()
        other.seed = 2
        #expect(try PolicyTrainer(other).train(untrained, on: tasks) != trained)
    }

    @Test func `several choices share one reward`() throws {
        // Of five the two with the high number are to be taken, one after the other.
        let tasks = (0..<6).map { turn -> PolicyTrainer.Attempt in
            { choose in
                var left = (0..<5).map { ($0 + turn) % 5 }
                var sum = 0
                for _ in 0..<2 { sum += left.remove(at: choose(left.map { [Double($0) / 4] })) }
                return Double(sum) / 7
            }
        }
        let trained = try PolicyTrainer().train(ManagerPolicy(manager: "test", features: ["high"]), on: tasks)
        #expect(trained.weights[0] > 0.5 && PolicyTrainer().reward(of: trained, on: tasks) == 1)
    }

    @Test func `a policy is read as it was written, and what it cannot weigh is refused`() throws {
        var policy = try ManagedRecipes.untrained("budgetmem")
        policy.weights = policy.weights.indices.map { Double($0) / 3 - 1 }
        #expect(ManagerPolicy.isPolicy(try policy.json))
        let read = try ManagedRecipes.policy(json: policy.json)
        #expect(read == policy && read.name == policy.name && policy.name.hasPrefix("budgetmem-"))
        #expect(try ManagedRecipes.untrained("budgetmem").name != policy.name)
        #expect(try ManagedRecipes.recipe(policy, over: .standard).name == policy.name)
        for wrong in [
            #"{"manager": "budgetmem", "weights": {"none": 1}}"#, #"{"manager": "gam", "weights": {}}"#, "[]",
            #"{"manager": "budgetmem"}"#, #"{"manager": "budgetmem", "weights": {"low": 1e9}}"#,
        ] {
            #expect(throws: InputError.self, "\(wrong)") { try ManagedRecipes.policy(json: Data(wrong.utf8)) }
        }
        #expect(!ManagerPolicy.isPolicy(Data(#"{"name": "mine"}"#.utf8)))
    }
}
