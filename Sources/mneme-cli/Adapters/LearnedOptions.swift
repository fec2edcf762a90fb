import ArgumentParser
import Foundation
import Mneme
import MnemeChat
import MnemeStore

/// What a training learns: memories of a user, or files. The commands that train share them.
struct LearnedOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Memories to learn: all, tag:NAME, type:NAME, session:NAME or agent:NAME.",
            valueName: "selection"))
    var from: String?
    @Option(
        help: ArgumentHelp(
            "A file to learn: .jsonl with prompt and completion; for adapters text, too. May be repeated.",
            valueName: "file"))
    var file: [String] = []
    @OptionGroup var whose: OwnerOptions
    @OptionGroup var store: StoreFileOptions

    /// Whose memories are learned.
    var owner: Owner { whose.owner }

    /// A plan of a training that learns them.
    ///
    /// - Parameter model: the base, by its name or path.
    /// - Throws: `InputError` if there is nothing to learn.
    func plan(_ model: String) throws -> TrainingPlan {
        guard from != nil || !file.isEmpty else {
            throw InputError("Name what to learn: --from tag:NAME (or all), or --file FILE.")
        }
        var plan = TrainingPlan(model: model)
        // A path is meant from here, wherever a later command is started.
        (plan.from, plan.files) = (from, file.map { URL(fileURLWithPath: $0).path })
        (plan.user, plan.tenant, plan.store) = (whose.user, whose.tenant, Home.remembered(store.path))
        return plan
    }
}
