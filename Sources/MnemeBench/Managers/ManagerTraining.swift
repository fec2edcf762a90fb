import Foundation
public import Mneme
public import MnemeBase
public import MnemePipeline
public import MnemeRecipes

/// Trains the manager of a recipe on what real recalls found, and judges it on conversations that it was not trained on.
///
/// Conversations are dealt into folds; each fold is judged by a policy that was trained on all others, in the same way as
/// `mneme eval` judges recipes. The policy that comes out is trained on all.
public struct ManagerTraining: Sendable {
    /// How it is done.
    public struct Plan: Sendable {
        /// How the policy is trained.
        public var trainer = PolicyTrainer.Plan()
        /// Parts that conversations are dealt into; at most as many as there are conversations.
        public var folds = 5
        /// The weight of the price beside what is found.
        public var price = 0.1
        /// Memories of MEM1's state; nil learns from a third of each window, and is judged at the recipe's own bound.
        public var bound: Int?

        /// The standard plan.
        public init() {}
    }

    /// What choices come to on tasks that the policy was not trained on.
    public struct Reward: Sendable, Codable, Equatable {
        /// Who chose: `trained`, `untrained`, and fixed choices where there are such.
        public var name: String
        /// What was found, the price, and the one less the weighed other: means over all tasks.
        public var found: Double, price: Double, reward: Double
    }

    /// What came of it.
    public struct Outcome: Sendable, Codable {
        /// Tasks, and folds.
        public var tasks: Int, folds: Int
        /// The outcomes of choices, on tasks kept aside.
        public var rewards: [Reward]
        /// Whole recipes on conversations kept aside: flat memory, the standard one, the one by rule, the trained one.
        public var rows: [RecipeEvaluation.Row]
        /// The weights of the policy trained on all, by feature.
        public var weights: [String: Double]
    }

    private let conversations: [LocomoConversation]
    private let embedder: (any TextEmbedder)?
    private let name: String
    private let plan: Plan

    /// A training of one recipe's manager.
    ///
    /// - Parameters:
    ///   - name: one of `ManagedRecipes.names` of MnemeRecipes.
    ///   - conversations: what it learns from, at least two.
    ///   - embedder: nil trains on recall by words; managers that compare memories by vectors then have nothing to do.
    ///   - plan: how it is trained and judged.
    /// - Throws: `InputError` for another recipe, and for a single conversation.
    public init(
        _ name: String, on conversations: [LocomoConversation], embedder: (any TextEmbedder)?, plan: Plan = Plan()
    ) throws {
        _ = try ManagedRecipes.untrained(name)
        guard conversations.count > 1 else {
            throw InputError("A training needs two conversations at least: one is kept aside to judge by.")
        }
        self.conversations = conversations
        self.embedder = embedder.map { RememberedEmbedder($0) }
        (self.name, self.plan) = (name, plan)
    }

    /// Trains and judges.
    ///
    /// - Parameters:
    ///   - standard: the recipe whose stages the trained one changes.
    ///   - progress: is told what begins, and steps done and in all.
    /// - Returns: the policy trained on all, and what was found without it and with others like it.
    /// - Throws: `StoreError`, `ModelError`, `CancellationError`.
    public func run(
        over standard: Recipe, progress: @escaping @Sendable (_ done: Int, _ total: Int, _ what: String) -> Void
    ) async throws -> (policy: ManagerPolicy, outcome: Outcome) {
        let folds = min(plan.folds, conversations.count)
        let steps = conversations.count + 2 * folds + 4
        var tasks: [[ManagerTask]] = []
        for (number, conversation) in conversations.enumerated() {
            progress(number, steps, "what recalls find")
            let feedback = ManagerFeedback(
                conversation: conversation, embedder: embedder, standard: standard, bound: plan.bound)
            tasks.append(try await feedback.tasks(of: name))
        }
        var untrained = try ManagedRecipes.untrained(name)
        untrained.bound = plan.bound
        var (found, rows): ([ManagerTask.Outcome], [RecipeEvaluation.Row]) = ([], [])
        var weights: [Double] = []
        for fold in 0..<folds {
            progress(conversations.count + 2 * fold, steps, "fold \(fold + 1) of \(folds)")
            let aside = conversations.indices.filter { $0 % folds == fold }
            let policy = try trained(untrained, on: tasks.indices.filter { $0 % folds != fold }.flatMap { tasks[$0] })
            let judged = aside.flatMap { tasks[$0] }
            found.append(ManagerTask.mean(judged) { policy.best(of: $0) })
            weights.append(Double(judged.count))
            progress(conversations.count + 2 * fold + 1, steps, "fold \(fold + 1) of \(folds), judged")
            rows.append(
                try await evaluation(aside.map { conversations[$0] }).run(ManagedRecipes.recipe(policy, over: standard))
                {
                    _, _ in
                })
        }
        progress(steps - 4, steps, "all")
        let all = tasks.flatMap(\.self)
        let policy = try trained(untrained, on: all)
        let parts = zip(found, weights)
        let mean = ManagerTask.Outcome(
            found: parts.reduce(0) { $0 + $1.0.found * $1.1 } / weights.reduce(0, +),
            price: parts.reduce(0) { $0 + $1.0.price * $1.1 } / weights.reduce(0, +))
        var rewards = [reward("trained", mean), reward("untrained", ManagerTask.mean(all) { untrained.best(of: $0) })]
        if name == "budgetmem" {
            // Each tier of search with each size of an answer.
            rewards += BudgetMem.Tier.allCases.flatMap { tier in
                (0..<3).map { size in
                    // The first choice of a task is of the search.
                    reward("\(tier) of \(BudgetMem.size(size, of: 10))", ManagerTask.mean(all, [tier.rawValue, size]))
                }
            }
        }
        var compared: [RecipeEvaluation.Row] = []
        let flat = StructureGrid.recipe(StructureGrid.flat, over: standard) ?? standard
        let others = [(flat, flat.name), (standard, standard.name), (try rule(over: standard), name + " by rule")]
        for (recipe, title) in others {
            progress(steps - 3 + compared.count, steps, title)
            var row = try await evaluation(conversations).run(recipe) { _, _ in }
            row.recipe = title
            compared.append(row)
        }
        compared.append(Self.joined(rows, name + " trained"))
        return (
            policy,
            Outcome(
                tasks: all.count, folds: folds, rewards: rewards, rows: compared,
                weights: Dictionary(uniqueKeysWithValues: zip(policy.features, policy.weights)))
        )
    }

    private func trained(_ policy: ManagerPolicy, on tasks: [ManagerTask]) throws -> ManagerPolicy {
        let learned = tasks.flatMap { $0.lessons.isEmpty ? [$0] : $0.lessons }
        return try PolicyTrainer(plan.trainer).train(policy, on: learned.map { $0.attempt(price: plan.price) })
    }

    private func evaluation(_ some: [LocomoConversation]) -> RecipeEvaluation {
        RecipeEvaluation(some, embedder: embedder)
    }

    private func rule(over standard: Recipe) throws -> Recipe {
        let name = plan.bound.map { "\(self.name):\($0)" } ?? self.name
        guard let recipe = RecipeCatalog.recipe(name, over: standard) else {
            throw InputError("There is no recipe '\(name)': a bound is of mem1.")
        }
        return recipe
    }

    private func reward(_ name: String, _ outcome: ManagerTask.Outcome) -> Reward {
        Reward(
            name: name, found: outcome.found, price: outcome.price, reward: outcome.found - plan.price * outcome.price)
    }

    /// One row of several folds': means by questions, sums of what is counted.
    private static func joined(_ rows: [RecipeEvaluation.Row], _ name: String) -> RecipeEvaluation.Row {
        var joined = rows[0]
        joined.recipe = name
        let questions = rows.reduce(0) { $0 + $1.questions }
        let means: [WritableKeyPath<RecipeEvaluation.Row, Double>] = [
            \.any1, \.any5, \.any10, \.all10, \.temporal10, \.tokens, \.writeMilliseconds, \.maintainMilliseconds,
            \.recallMilliseconds,
        ]
        for path in means {
            joined[keyPath: path] =
                rows.reduce(0) { $0 + $1[keyPath: path] * Double($1.questions) } / Double(max(1, questions))
        }
        for path in [\RecipeEvaluation.Row.modelCalls, \.bytes, \.memories] {
            joined[keyPath: path] = rows.reduce(0) { $0 + $1[keyPath: path] }
        }
        joined.questions = questions
        return joined
    }
}
