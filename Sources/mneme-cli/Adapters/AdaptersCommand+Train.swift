import ArgumentParser
import Dispatch
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeKV
import MnemeModels
import MnemeStore
import MnemeTrain
import NIOConcurrencyHelpers

extension AdaptersCommand {
    /// `mneme adapters train`: learns an adapter from memories or files, on this machine.
    ///
    /// It keeps a checkpoint beside the adapters until it is done; Control-C and a killed process
    /// lose the steps since the last one. Exit code 1 if the disk is full or the model cannot be
    /// read, 2 if there is nothing to learn or a file is none.
    struct Train: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Learn an adapter from memories or files, on this machine.",
            discussion: """
                Memories are learned as they are, and as answers to the questions that they answer by rule ("Where does Ana live?"); \
                files as paragraphs of text, or as lines of JSON with prompt and completion (.jsonl). A tenth of the examples is held \
                out and measured. So that the model stays what it is elsewhere, a part of each step are texts that the base wrote by \
                itself, in which its predictions are to stay (--keep). Control-C stops after the step that runs; --resume goes on, to the same bits.
                """)

        @Argument(help: "The adapter's name.") var name: String
        @Option(help: "The base: a model's name, a GGUF file, or a folder as the hub has it.")
        var model: String?
        @Option(
            help: ArgumentHelp(
                "Memories to learn: all, tag:NAME, type:NAME, session:NAME or agent:NAME.",
                valueName: "selection"))
        var from: String?
        @Option(
            help: ArgumentHelp(
                "A file to learn: text, or .jsonl with prompt and completion. May be repeated.",
                valueName: "file"))
        var file: [String] = []
        @Option(help: "Whose memories.") var user = "default"
        @Option(help: "An organisation or deployment.") var tenant = "default"
        @OptionGroup var store: StoreFileOptions
        @Option(help: "The rank of each low-rank term.") var rank = 8
        @Option(help: "Steps; five times over the examples, at least 60, if left out.")
        var steps: Int?
        @Option(help: "The highest learning rate.") var learningRate = 5e-4
        @Option(
            help: ArgumentHelp(
                "How much staying near the base counts beside what is learned; 0 leaves it out.",
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
                "How gradients are found: \(LearningRoute.names); with a number of blocks where there are some, such as auglocal:4.",
                valueName: "name"))
        var route = "backprop"
        @Option(
            help: ArgumentHelp(
                "Where the base's weights are meanwhile: \(BasePlacement.names) (two layers in memory).",
                valueName: "name"))
        var placement = "mapped"
        @Option(help: "The same seed gives the same adapter.") var seed: UInt64 = 1
        @Flag(help: "Go on where a training of this name stopped, with its settings.")
        var resume = false
        @Option(
            help: ArgumentHelp(
                "Begin with an adapter's values, and its rank: a name, or a folder as PEFT writes it.",
                valueName: "adapter"))
        var start: String?
        @Option(
            help: ArgumentHelp(
                "Write a line of JSON for each step: step, loss, tokens, seconds.", valueName: "file"))
        var log: String?
        /// For comparisons with other programs on the same data.
        @Flag(help: .hidden) var logTokens = false
        @Flag(help: "Replace an adapter of this name.") var replace = false

        /// The settings that a training is resumed with, besides its checkpoint.
        private struct Plan: Codable {
            var model: String
            var from: String?
            var files: [String]
            var user: String
            var tenant: String
            var store: String?
            /// Ids of the memories that are learned: erasing one erases the training.
            var memories: [String] = []
            /// Ids of the memories behind the adapter that the training began with.
            var startMemories: [String]?
        }

        func run() async throws {
            try AdapterStore.check(name: name)
            let adapters = Home.adapters
            if !replace, !resume, adapters.names().contains(name) {
                throw AdapterError(
                    .exists,
                    "There is an adapter '\(name)' already. --replace trains it anew.")
            }
            // What was asked for is checked before anything is read.
            let wanted = try settings()
            let folder = adapters.trainingFolder(name)
            var plan = try plan(folder)
            let source = try ModelSource(path: Home.languageModelPath(plan.model))
            let base = try ModelIdentity.hash(source.path, cache: Home.kv + "/models")
            let (examples, chosen) = try examples(plan)
            let (start, startMemories) = try startAdapter(source, base)
            plan.startMemories = plan.startMemories ?? startMemories
            let earlier = plan.startMemories ?? []
            let memories = chosen + earlier.filter { !chosen.contains($0) }
            if !resume, keep > 0 {
                Terminal.note("The base model writes texts that it is held to; this takes up to a minute or two.")
            }
            let trainer = try AdapterTrainer(
                source, base: base, examples: examples, settings: wanted,
                checkpoint: folder + "/checkpoint", resume: resume, start: start)
            if !resume {
                try? FileManager.default.removeItem(atPath: folder)
                try Privacy.makeFolder(adapters.path)
                try Privacy.makeFolder(folder)
                plan.memories = memories
                try AtomicFile.write(
                    try JSONEncoder().encode(plan), to: folder + "/" + AdapterStore.trainingFile)
                try trainer.save()
            }
            Terminal.note(
                "\(trainer.exampleCounts.learned) examples and \(trainer.exampleCounts.heldOut) held out, \(trainer.model.parameterCount) parameters, \(trainer.settings.precision.rawValue)"
            )
            guard try train(trainer) else {
                Terminal.report(
                    "Stopped at step \(trainer.progress.step) of \(trainer.progress.steps). `mneme adapters train \(name) --resume` goes on."
                )
                throw ExitCode(1)
            }
            // Another process may have erased a memory meanwhile, and this training with it.
            guard FileManager.default.fileExists(atPath: folder + "/" + AdapterStore.trainingFile)
            else {
                throw TrainingError(
                    .emptySelection,
                    "A memory that '\(name)' learned from was erased meanwhile. Train it anew.")
            }
            try adapters.add(
                trainer.adapter, record(plan, base, memories, trainer.progress),
                replacing: replace || resume)
            try? FileManager.default.removeItem(atPath: folder)
            print(summary(trainer.progress))
        }

        /// The plan of the command line, or the one that is resumed.
        private func plan(_ folder: String) throws -> Plan {
            guard resume else {
                guard from != nil || !file.isEmpty else {
                    throw InputError(
                        "Name what to learn: --from tag:NAME (or all), or --file FILE.")
                }
                return Plan(
                    model: model ?? Settings.current.text(.model) ?? "smollm2", from: from,
                    files: file.map { URL(fileURLWithPath: $0).path }, user: user,
                    tenant: tenant, store: Home.remembered(store.path))
            }
            guard
                let data = FileManager.default.contents(
                    atPath: folder + "/" + AdapterStore.trainingFile),
                var plan = try? JSONDecoder().decode(Plan.self, from: data)
            else {
                throw TrainingError(
                    .invalidFile,
                    "No training of '\(name)' stopped here. Train without --resume.")
            }
            if let model { plan.model = model }
            return plan
        }

        /// The adapter to begin with, and the memories that it was made from.
        private func startAdapter(_ source: ModelSource, _ base: String) throws -> (
            Adapter?, [String]?
        ) {
            guard let start else { return (nil, nil) }
            guard !resume else {
                throw InputError("--resume goes on from a checkpoint; --start is for a new training.")
            }
            let folder =
                start.contains("/") ? AdapterFolder(path: start) : try Home.adapters.folder(start)
            let record = try folder.record()
            if let why = record?.withdrawn {
                throw InputError("The adapter '\(start)' was taken out of use: \(why)")
            }
            if let record, !record.memories.isEmpty, record.owner ?? user != user {
                throw InputError("The adapter '\(start)' was made from another user's memories.")
            }
            guard record?.baseHash.map({ $0 == base }) ?? true else {
                throw TrainingError(
                    .wrongBase, "The adapter '\(start)' was made for another model than \(source.path).")
            }
            return (try folder.read(for: source.configuration()), record?.memories)
        }

        private func settings() throws -> TrainingSettings {
            var settings = TrainingSettings()
            guard let optimizer = OptimizerKind(rawValue: optimizer) else {
                throw InputError("'\(optimizer)' is no optimizer; it is one of \(OptimizerKind.names).")
            }
            settings.shape.rank = rank
            settings.shape.alpha = Double(2 * rank)
            (settings.steps, settings.learningRate) = (steps, learningRate)
            (settings.optimizer, settings.seed, settings.keep) = (optimizer, seed, keep)
            settings.strategies = try strategies()
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
            return strategies
        }

        /// The training examples, and the ids of the memories that they come from.
        private func examples(_ plan: Plan) throws -> ([TrainingExample], [String]) {
            var examples = try plan.files.flatMap { try TrainingExample.read($0) }
            guard let from = plan.from else { return (examples, []) }
            let selection = try TrainingSelection(from)
            let memories = try selection.memories(
                in: Home.memoryStore(plan.store ?? Home.store),
                of: Owner(tenant: plan.tenant, user: plan.user),
                by: Caller(.local, operation: "adapters train"))
            examples += memories.flatMap(\.trainingExamples)
            return (examples, memories.map { "\($0.id)" })
        }

        /// Steps until all are done or somebody stops it; true if all are.
        private func train(_ trainer: AdapterTrainer) throws -> Bool {
            let isStopped = NIOLockedValueBox(false)
            signal(SIGINT, SIG_IGN)
            signal(SIGTERM, SIG_IGN)
            let sources = [SIGINT, SIGTERM].map { number in
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { isStopped.withLockedValue { $0 = true } }
                source.resume()
                return source
            }
            defer { for source in sources { source.cancel() } }
            let steps = try log.map { try StepLog(path: $0, appends: resume, tokens: logTokens) }
            let line = ProgressLine()
            defer { line.end() }
            var saved = ContinuousClock.now
            while !trainer.isDone, !isStopped.withLockedValue({ $0 }) {
                let before = trainer.progress
                try trainer.step()
                try steps?.write(trainer, before: before)
                let progress = trainer.progress
                line.show(progress.step, progress.steps, Self.text(progress))
                if !Terminal.isInteractive(STDERR_FILENO),
                    progress.step % max(1, progress.steps / 10) == 0
                {
                    Terminal.report("step \(progress.step)/\(progress.steps), " + Self.text(progress))
                }
                if ContinuousClock.now - saved > .seconds(20) {
                    try trainer.saveInBackground()
                    saved = .now
                }
            }
            try trainer.save()
            return trainer.isDone
        }

        private static func text(_ progress: TrainingProgress) -> String {
            let held = progress.heldOutLoss.map { String(format: ", held out %.3f", $0) } ?? ""
            let away = progress.divergence.map { String(format: ", from the base %.4f", $0) } ?? ""
            return String(format: "loss %.3f", progress.loss) + held + away
                + String(format: ", %.0f tokens/s, %.0f s left", progress.tokensPerSecond, progress.secondsLeft ?? 0)
        }

        private func record(
            _ plan: Plan, _ base: String, _ memories: [String], _ progress: TrainingProgress
        ) -> AdapterRecord {
            var record = AdapterRecord(name: name, base: plan.model)
            (record.baseHash, record.memories, record.created) = (base, memories, Date())
            if !memories.isEmpty { record.owner = plan.user }
            record.training = [
                "steps": Double(progress.step), "loss": progress.loss,
                "tokens": Double(progress.tokens), "seconds": progress.seconds,
            ]
            record.training["heldOutLoss"] = progress.heldOutLoss
            record.training["divergence"] = progress.divergence
            return record
        }

        private func summary(_ progress: TrainingProgress) -> String {
            var text = "\(name)  \(progress.step) steps, " + String(format: "loss %.3f", progress.loss)
            if let first = progress.firstHeldOutLoss, let last = progress.heldOutLoss {
                text += String(format: ", held out %.3f → %.3f", first, last)
            }
            return text + String(format: ", %.0f tokens/s", progress.tokensPerSecond)
        }
    }
}
