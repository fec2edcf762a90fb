import ArgumentParser
import Mneme
import MnemeBase
import MnemeChat
import MnemeModels
import MnemeTrain

extension AdaptersCommand {
    /// `mneme adapters retrain`: learns an adapter anew, as its training was asked for, of the
    /// memories that are still there.
    ///
    /// The adapter before serves until the new one takes its place, unless it is out of use. Exit
    /// code 2 if nothing is left to learn, or it was not trained here.
    struct Retrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retrain",
            abstract: "Learn an adapter anew: the same settings and seed, the memories that are still there.",
            discussion: """
                After a memory was erased, the adapters made from it are out of use; this makes one that never saw it. Files are \
                read again. Control-C stops after the step that runs; `mneme adapters train NAME --resume` goes on.
                """)

        @Argument(help: "The adapter's name.") var name: String
        @Option(help: "The model, if it is not called any more what it was.") var model: String?
        @OptionGroup var training: TrainingRun

        func run() async throws {
            let folder = try Home.adapters.folder(name)
            guard let record = try folder.record(), var plan = try TrainingPlan.read(in: folder.path)?.again(name)
            else {
                throw InputError(
                    "'\(name)' was not trained here, or before settings were kept. `mneme adapters train \(name) --replace` trains it."
                )
            }
            if let model { plan.model = model }
            let base = try TrainingRun.base(plan.model)
            guard record.baseHash.map({ $0 == base.hash }) ?? true else {
                throw TrainingError(
                    .wrongBase,
                    "'\(name)' was learned for other files of a model than those of '\(plan.model)'. Name its model: --model."
                )
            }
            let memories = try TrainingRun.memories(plan)
            let start = try plan.begin(in: Home.adapters, base)
            var learned = try AdapterTraining(name, plan, in: Home.adapters, on: base)
            learned.start = start
            try await training.learn(learned, memories, replacing: true, operation: "adapters retrain")
        }
    }
}
