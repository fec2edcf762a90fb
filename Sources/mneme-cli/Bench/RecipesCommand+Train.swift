import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeRecipes

extension RecipesCommand {
    /// `mneme recipes train`: trains the manager of a recipe on outcomes, and judges it on conversations that it was not
    /// trained on, beside the standard recipe and the recipe's own rule.
    ///
    /// Exit code 1 if the embedding model is not here, 2 for a recipe that learns nothing and for a file that cannot be read.
    struct Train: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Train a recipe's manager on what recalls find, and compare it with its rule.",
            discussion: """
                Managers that learn: \(ManagedRecipes.names.joined(separator: ", ")). Each chooses by a linear softmax, trained \
                by REINFORCE with the mean of a group of attempts as the baseline. Conversations are dealt into --folds parts; \
                each is judged by a policy trained on the others, as mneme eval judges recipes. What is saved is trained on all; \
                --recipe FILE and mneme eval --recipes FILE take it. Without --data it learns from made conversations, of which \
                every second one is worded in another way: with --folds 2 (the default there) it is judged on the other wording.
                """)

        @Argument(help: "The recipe whose manager is trained.") var name: String
        @Option(help: ArgumentHelp("A LoCoMo file (locomo10.json or one of its shape).", valueName: "file"))
        var data: String?
        @Option(help: ArgumentHelp("Write the trained weights here.", valueName: "file")) var save: String?
        @Option(help: "Conversations of the file at most; without a file, how many are made.") var limit: Int?
        @Option(help: "Parts that conversations are dealt into.") var folds: Int?
        @Option(help: "Weight of the price (memories looked at, or kept) beside what is found.") var price = 0.1
        @Option(help: "Of mem1: memories of its state, in training and when it is judged.") var bound: Int?
        @Option(help: "Passes over what is learned from.") var passes = 30
        @Option(help: "Attempts at each question, window or conversation in a pass.") var attempts = 8
        @Option(help: "The same seed gives the same weights.") var seed: UInt64 = 1
        @Flag(help: "Recall by words alone; needs no model.") var noEmbedder = false
        @Flag(help: "Print JSON.") var json = false

        /// Trains, judges, writes the weights, and prints both tables.
        func run() async throws {
            guard (1...10_000).contains(passes), (2...1_000).contains(attempts) else {
                throw InputError("--passes lies between 1 and 10000, --attempts between 2 and 1000.")
            }
            guard limit ?? 2 > 1, folds ?? 2 > 1 else { throw InputError("--limit and --folds are at least 2.") }
            guard price.isFinite, price >= 0 else { throw InputError("--price is a number that is not negative.") }
            guard bound ?? 1 > 0, bound == nil || name == "mem1" else {
                throw InputError("--bound is of mem1, and at least 1.")
            }
            var plan = ManagerTraining.Plan()
            plan.bound = bound
            (plan.trainer.passes, plan.trainer.attempts, plan.trainer.seed) = (passes, attempts, seed)
            (plan.folds, plan.price) = (folds ?? (data == nil ? 2 : 5), price)
            let model = noEmbedder ? "none" : Settings.current.text(.embedder) ?? "minilm"
            let training = try ManagerTraining(
                name, on: try conversations(), embedder: model == "none" ? nil : try Home.embedder(model), plan: plan)
            let line = ProgressLine()
            let (policy, outcome) = try await training.run(over: .standard) { line.show($0, $1, $2) }
            line.end()
            if let save { try AtomicFile.write(try policy.json, to: save) }
            if json { return print(try OperationTable.encode(outcome, pretty: true)) }
            print("On what the policy was not trained on (\(outcome.tasks) tasks in \(outcome.folds) parts):")
            print("choices           found  price reward")
            for reward in outcome.rewards {
                print(
                    reward.name.padded(to: 16),
                    String(format: "%6.3f %6.3f %6.3f", reward.found, reward.price, reward.reward))
            }
            for line in RecipeTable(outcome.rows).lines { print(line) }
        }

        /// What it learns from.
        private func conversations() throws -> [LocomoConversation] {
            guard let data else { return try ManagerSample.conversations(limit ?? 40, seed: seed) }
            guard let file = FileManager.default.contents(atPath: data) else {
                throw InputError("\(data) cannot be read.")
            }
            return Array(try LocomoConversation.read(file).prefix(limit ?? .max))
        }
    }
}
