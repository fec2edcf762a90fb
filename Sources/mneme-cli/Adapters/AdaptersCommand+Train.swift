import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore
import MnemeTrain

extension AdaptersCommand {
    /// `mneme adapters train`: learns an adapter from memories or files, on this machine.
    ///
    /// It keeps a checkpoint beside the adapters until it is done; Control-C and a killed process
    /// lose the steps since the last one. Exit code 1 if the disk is full or the model cannot be
    /// read, 2 if there is nothing to learn or a file is none.
    struct Train: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Learn an adapter from memories or files, on this machine.",
            discussion: """
                Memories are learned as they are, and as answers to the questions that they answer by rule ("Where does Ana live?"); \
                files as paragraphs of text, or as lines of JSON with prompt and completion (.jsonl). A tenth of the examples is held \
                out and measured. So that the model stays what it is elsewhere, a part of each step are texts that the base wrote by \
                itself, in which its predictions are to stay (--keep). With --route tokens the model stays as it is, and each \
                procedure becomes a token that steers answers: lines name theirs ("procedure"), or have several ("parts", each \
                with procedure and text); all others are the adapter's own. --start adds procedures to an adapter of such. \
                Control-C stops after the step that runs; --resume goes on, to the same bits.
                """)

        @Argument(help: "The adapter's name.") var name: String
        @Option(help: "The base: a model's name, a GGUF file, or a folder as the hub has it.")
        var model: String?
        @OptionGroup var learned: LearnedOptions
        @Option(
            help: ArgumentHelp(
                "Learn an operation on memories in place of their texts: \(TaughtOperation.names). `mneme adapters operations` measures them.",
                valueName: "name"))
        var operation: String?
        @Flag(
            help: """
                Learn what the model says to questions with the memories in its prompt, where that is right, in place \
                of the rules' answers.
                """)
        var distill = false
        @Flag(
            help: """
                Have a model think of further questions about each memory: the one of --oracle, which is told the \
                memories, or the base itself.
                """)
        var ask = false
        @OptionGroup var oracle: OracleOptions
        @Option(help: "The rank of each low-rank term.") var rank = 8
        @Flag(
            help: "Learn rows' lengths beside the low-rank terms (DoRA): steps take about a third longer.")
        var dora = false
        @Option(
            help: "Steps; five times over the examples, at least 60, if left out (procedures: twenty times, 120).")
        var steps: Int?
        @Option(help: "The highest learning rate; 0.002 if left out (procedures 0.02, side networks 0.01).")
        var learningRate: Double?
        @Option(
            help: ArgumentHelp(
                "How much staying near the base counts beside what is learned; 0 leaves it and the projection of steps out.",
                valueName: "weight"))
        var keep = 1.0
        @Option(
            help: ArgumentHelp(
                "The optimizer: \(OptimizerKind.names).",
                valueName: "name"))
        var optimizer = "adamw"
        @Option(
            help: ArgumentHelp(
                "What is kept for the gradient: \(SavedTensors.names); with a part where there is one, such as tokenswap:0.25.",
                valueName: "name"))
        var savedTensors = "checkpoint"
        @Option(
            help: ArgumentHelp(
                """
                How gradients are found: \(LearningRoute.names); with a number of blocks, such as auglocal:4, of a \
                procedure's tokens, such as tokens:2, or by which a network beside the model is narrower, such as side:16.
                """,
                valueName: "name"))
        var route = "backprop"
        @Option(
            help: ArgumentHelp(
                "Where the base's weights are meanwhile: \(BasePlacement.names) (two layers in memory).",
                valueName: "name"))
        var placement = "mapped"
        @Option(
            help: ArgumentHelp(
                "Where the optimizer's state is between steps: \(StatePlacement.names) (a layer's in memory at a time).",
                valueName: "name"))
        var optimizerState = "memory"
        @Option(
            help: ArgumentHelp(
                "Processes on this machine that share the training, each with its own sequences of a batch.",
                valueName: "number"))
        var ranks = 1
        @Option(
            help: ArgumentHelp(
                "With --ranks: what each process has a part of; 1 the optimizer's state, 2 gradients too, 3 parameters too.",
                valueName: "stage"))
        var zero = 1
        @Option(
            help: ArgumentHelp(
                "With --ranks: how a batch is divided; by sequences, or by tokens, a part of every sequence on each process.",
                valueName: "sequences|tokens"))
        var split = "sequences"
        @Option(
            help: ArgumentHelp(
                "With --ranks: keep the state of each step in the memory of as many other processes, of which so many may be lost; --resume goes on from there.",
                valueName: "number"))
        var keepers: Int?
        @Option(help: "The same seed gives the same adapter.") var seed: UInt64 = 1
        @Flag(help: "Go on where a training of this name stopped, with its settings.")
        var resume = false
        @Option(
            help: ArgumentHelp(
                "Begin with an adapter's values, and its rank: a name, or a folder as PEFT writes it.",
                valueName: "adapter"))
        var start: String?
        @OptionGroup var training: TrainingRun
        @Flag(help: "Replace an adapter of this name.") var replace = false

        func run() async throws {
            try AdapterStore.check(name: name)
            let adapters = Home.adapters
            if !replace, !resume, adapters.names().contains(name) {
                throw AdapterError(
                    .exists,
                    "There is an adapter '\(name)' already. --replace trains it anew.")
            }
            if replace, !resume { try Home.adapters.checkReplaceable(name, by: learned.owner) }
            // What was asked for is checked before anything is read.
            let wanted = try settings()
            var plan = try plan(wanted)
            let base = try TrainingRun.base(plan.model)
            let memories = try TrainingRun.memories(plan)
            let start = try resume ? nil : plan.begin(in: adapters, base)
            if ask, !resume { plan.asked = try await questions(about: memories, plan) }
            var training = try AdapterTraining(name, plan, in: adapters, on: base)
            (training.start, training.isResumed) = (start, resume)
            if !resume, keep > 0, wanted.strategies?.route.kind != .tokens {
                Terminal.note("The base model writes texts that it is held to; this takes up to a minute or two.")
            }
            try await self.training.learn(
                training, memories, replacing: replace, operation: "adapters train")
        }

        /// What a model asks about the memories.
        private func questions(about memories: [MemCube], _ plan: TrainingPlan) async throws -> [ModelQuestions.Asked] {
            let line = ProgressLine()
            defer { line.end() }
            func ask(_ oracle: any Oracle) async throws -> [ModelQuestions.Asked] {
                let asked = try await ModelQuestions(oracle).ask(about: memories) {
                    line.show($0, memories.count, "memories that \(oracle.name) asks about")
                }
                line.end()
                Terminal.note("\(oracle.name) thought of \(asked.count) questions about \(memories.count) memories.")
                return asked
            }
            if let remote = try oracle.remote() { return try await ask(remote) }
            let model = try Home.languageModel(plan.model)
            let engine = try Engine(model, adapters: Home.adapters)
            defer { engine.close() }
            return try await ask(oracle.local(model, engine))
        }

        /// The plan of the command line, or the one that is resumed.
        private func plan(_ wanted: TrainingSettings) throws -> TrainingPlan {
            guard resume else {
                var plan = try learned.plan(model ?? Settings.current.text(.model) ?? "smollm2")
                plan.start = start.map { $0.contains("/") ? URL(fileURLWithPath: $0).path : $0 }
                plan.operation = try operation.map { try AdaptersCommand.operation($0, from: learned.from) }
                guard !distill || (operation == nil && learned.from != nil) else {
                    throw InputError(
                        "--distill is for memories and their texts: name some with --from, and no --operation.")
                }
                guard !ask || (operation == nil && learned.from != nil) else {
                    throw InputError("--ask is for memories: name some with --from, and no --operation.")
                }
                plan.distills = distill ? true : nil
                plan.settings = wanted
                return plan
            }
            guard start == nil else {
                throw InputError("--resume goes on from a checkpoint; --start is for a new training.")
            }
            guard var plan = try TrainingPlan.read(in: Home.adapters.trainingFolder(name)) else {
                throw TrainingError(
                    .invalidFile,
                    "No training of '\(name)' stopped here. Train without --resume.")
            }
            if let model { plan.model = model }
            return plan
        }

        private func settings() throws -> TrainingSettings {
            var settings = TrainingSettings()
            guard let optimizer = OptimizerKind(rawValue: optimizer) else {
                throw InputError("'\(optimizer)' is no optimizer; it is one of \(OptimizerKind.names).")
            }
            settings.shape.rank = rank
            settings.shape.alpha = Double(2 * rank)
            if dora { settings.shape.learnsMagnitudes = true }
            let strategies = try strategies()
            (settings.steps, settings.learningRate) = (steps, learningRate ?? strategies.route.usualRate)
            (settings.optimizer, settings.seed, settings.keep) = (optimizer, seed, keep)
            settings.strategies = strategies
            try settings.check()
            return settings
        }

        private func strategies() throws -> TrainingStrategies {
            var strategies = TrainingStrategies()
            strategies.savedTensors = try SavedTensors(savedTensors)
            strategies.route = try LearningRoute(route)
            guard let placement = BasePlacement(rawValue: placement) else {
                throw InputError("'\(placement)' is no placement; it is one of \(BasePlacement.names).")
            }
            strategies.placement = placement
            guard let state = StatePlacement(rawValue: optimizerState) else {
                throw InputError("'\(optimizerState)' is no place of the state; it is one of \(StatePlacement.names).")
            }
            strategies.optimizerState = state
            guard let splits = RankSettings.Split(rawValue: split) else {
                throw InputError("'\(split)' is no way to divide a batch; it is one of sequences, tokens.")
            }
            if ranks != 1 {
                strategies.ranks = try RankSettings(
                    count: ranks, stage: zero, splits: splits == .sequences ? nil : splits, parity: keepers)
            }
            return strategies
        }
    }
}
