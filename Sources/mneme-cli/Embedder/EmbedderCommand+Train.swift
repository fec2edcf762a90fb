import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeModels
import MnemeStore
import MnemeTrain

extension EmbedderCommand {
    /// `mneme embedder train`: learns an embedding model from memories, on this machine.
    ///
    /// It keeps a checkpoint beside the models until it is done; Control-C and a killed process lose
    /// the steps since the last one. Exit code 1 if the disk is full or the model cannot be read, 2 if
    /// there is too little to learn from.
    struct Train: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Learn an embedding model from your memories, on this machine.",
            discussion: """
                Pairs are made of memories by rule: questions that they answer ("Where does Ana live?"), a turn and the next, a \
                question in a memory's own words; each with a memory beside it that is near and wrong. A low-rank term of each \
                matrix is learned so that questions find their texts among all others of a step, then added to the base's \
                matrices. A tenth of the memories is held out and measured. Use it: `mneme embedder use NAME`, then `mneme \
                reembed`. Erasing a memory takes the models that were made from it out of use; the base serves then.
                """)

        @Argument(help: "The new embedding model's name.") var name: String
        @Option(help: "The base: an embedding model's name, or its folder.") var model = "minilm"
        @OptionGroup var learned: LearnedOptions
        @Option(help: "The rank of each low-rank term.") var rank = EmbedderTrainer.defaults.shape.rank
        @Option(
            help: "Steps; once over the pairs, of which there have to be \(EmbedderTraining.fewestPairs), if left out.")
        var steps: Int?
        @Option(help: "The highest learning rate.") var learningRate = EmbedderTrainer.defaults.learningRate
        @Option(help: "The same seed gives the same model.") var seed: UInt64 = 1
        @Flag(help: "Go on where a training of this name stopped, with its settings.") var resume = false
        @OptionGroup var training: TrainingRun
        @Flag(help: "Replace a trained embedding model of this name.") var replace = false

        func run() async throws {
            try EmbedderTrainingRun.check(name, replace: replace || resume, by: learned.owner)
            let plan = try plan()
            var run = try EmbedderTrainingRun(name, plan, training)
            run.training.isResumed = resume
            try await run.learn(TrainingRun.memories(plan), replacing: replace, operation: "embedder train")
        }

        /// The plan of the command line, or the one that is resumed.
        private func plan() throws -> TrainingPlan {
            guard !resume else {
                guard let plan = try TrainingPlan.read(in: Home.trainedEmbedders.trainingFolder(name)) else {
                    throw TrainingError(
                        .invalidFile, "No training of '\(name)' stopped here. Train without --resume.")
                }
                return plan
            }
            // A path is meant from here, wherever a later command is started.
            let isFolder = model.contains("/") && FileManager.default.fileExists(atPath: model)
            var settings = EmbedderTrainer.defaults
            settings.shape.rank = rank
            settings.shape.alpha = Double(2 * rank)
            (settings.steps, settings.learningRate, settings.seed) = (steps, learningRate, seed)
            try settings.check()
            var plan = try learned.plan(isFolder ? URL(fileURLWithPath: model).path : model)
            plan.settings = settings
            return plan
        }
    }

    /// `mneme embedder retrain`: learns a trained embedding model anew, of the memories that are still
    /// there. Exit code 2 if it was not trained here.
    struct Retrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retrain",
            abstract:
                "Learn a trained embedding model anew: the same settings and seed, the memories that are still there.",
            discussion: """
                After a memory was erased, the models made from it are out of use; this makes one that never saw it. `mneme \
                reembed` makes its vectors.
                """)

        @Argument(help: "The embedding model's name.") var name: String
        @OptionGroup var training: TrainingRun

        func run() async throws {
            let folder = try EmbedderTrainingRun.folder(name)
            guard let record = try folder.record(), let plan = try TrainingPlan.read(in: folder.path)?.again(name)
            else {
                throw InputError("'\(name)' was not trained here. `mneme embedder train \(name)` trains one.")
            }
            let run = try EmbedderTrainingRun(name, plan, training)
            guard record.baseHash == run.base.embedder.identifier else {
                throw TrainingError(
                    .wrongBase,
                    "'\(name)' was learned from \(record.baseHash ?? "another model"), and '\(plan.model)' is \(run.base.embedder.identifier) now. Train another: `mneme embedder train`."
                )
            }
            try await run.learn(TrainingRun.memories(plan), replacing: true, operation: "embedder retrain")
        }
    }

    /// `mneme embedder erase`: a trained embedding model's files, its name and its memory are gone; its vectors in
    /// stores stay until `mneme reembed` replaces them. Exit code 1 if there is none.
    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase",
            abstract: "Erase an embedding model that was trained here.")

        @Argument(help: "The embedding model's name.") var name: String

        func run() async throws {
            _ = try EmbedderTrainingRun.folder(name)
            try await Home.eraseEmbedder(name)
            print("Erased \(name).")
            if Settings.current.text(.embedder) == name {
                Terminal.note("It is the embedder in use: choose another with `mneme embedder use`.")
            }
        }
    }
}
