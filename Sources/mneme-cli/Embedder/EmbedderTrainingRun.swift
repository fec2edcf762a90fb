import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeModels
import MnemeStore
import MnemeTrain

/// A training of an embedding model on the command line: from plan to folder.
struct EmbedderTrainingRun {
    var training: EmbedderTraining
    let base: EmbedderTraining.Base
    private let options: TrainingRun

    /// - Throws: `ModelError` if the base is not here.
    init(_ name: String, _ plan: TrainingPlan, _ options: TrainingRun) throws {
        let folder = try Home.trainableFolder(plan.model)
        base = EmbedderTraining.Base(folder: folder, try Home.embedder(plan.model))
        training = try EmbedderTraining(name, plan, in: Home.trainedEmbedders, on: base)
        self.options = options
    }

    /// Refuses names that are not free: of a model that was not trained here, or of another owner's.
    static func check(_ name: String, replace: Bool, by owner: Owner) throws {
        try AdapterStore.check(name: name)
        guard !["minilm", "none"].contains(name) else {
            throw InputError("'\(name)' means something else as an embedder. Choose another name.")
        }
        let trained = Home.trainedEmbedders
        guard FileManager.default.fileExists(atPath: trained.path + "/" + name) else { return }
        guard trained.names().contains(name) else {
            throw AdapterError(.exists, "There is a model '\(name)' that was not trained here. Choose another name.")
        }
        guard replace else {
            throw AdapterError(
                .exists, "There is an embedding model '\(name)' already. --replace trains it anew.")
        }
        guard let place = try trained.folder(name).record()?.cube,
            Owner(tenant: place.tenant, user: place.user) != owner
        else { return }
        throw InputError(
            "The embedding model '\(name)' is \(place.user)'s. Choose another name, or erase it: `mneme embedder erase \(name)`."
        )
    }

    /// The folder of a trained embedding model.
    ///
    /// - Throws: `AdapterError` if there is none of this name; it tells which there are.
    static func folder(_ name: String) throws -> AdapterFolder {
        let trained = Home.trainedEmbedders
        let names = trained.names()
        guard names.contains(name) else {
            let there =
                names.isEmpty ? "`mneme embedder train` makes one" : "there are " + names.joined(separator: ", ")
            throw AdapterError(.notFound, "There is no trained embedding model '\(name.prefix(80))'; \(there).")
        }
        return try trained.folder(name)
    }

    /// Trains until all steps are done, keeps the model and prints a line about it. The history of its memory
    /// names `operation`.
    ///
    /// - Throws: exit code 1 if somebody stopped it; what ``MnemeChat/EmbedderTraining`` throws.
    func learn(_ memories: [MemCube], replacing: Bool, operation: String) async throws {
        var training = training
        let stop = StopSignal()
        Terminal.note("Pairs are made, and their hard negatives found.")
        let trainer = try training.begin(memories)
        Terminal.note(
            "\(trainer.pairCounts.learned) pairs and \(trainer.pairCounts.heldOut) held out, \(trainer.parameterCount) parameters"
        )
        guard try options.steps(trainer, appends: training.isResumed, stop) else {
            throw options.stopped(trainer.progress, "embedder train \(training.name)")
        }
        let shares = trainer.heldOutShares()
        let (made, record) = try training.finish(trainer, replacing: replacing, shares: shares)
        try await Home.remember(made, record, operation)
        var line = options.summary(training.name, trainer.progress)
        if let shares {
            line += String(format: ", found first %.1f %% → %.1f %%", 100 * shares.base, 100 * shares.learned)
        }
        print(line)
        print("Use it: mneme embedder use \(training.name), then mneme reembed")
    }
}
