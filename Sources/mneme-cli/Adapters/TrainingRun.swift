import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeKV
import MnemeModels
import MnemeStore
import MnemeTrain

/// How a training runs, whatever it learns: its checkpoints, its log, its progress line.
struct TrainingRun: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A checkpoint beside the steps whenever so long has passed since the last; 0 writes one after each step.",
            valueName: "seconds"))
    var checkpointSeconds = 20.0
    @Option(
        help: ArgumentHelp(
            "Write a line of JSON for each step: step, loss, tokens, seconds.", valueName: "file"))
    var log: String?
    /// For comparisons with other programs on the same data.
    @Flag(help: .hidden) var logTokens = false

    func validate() throws {
        guard (0...86_400).contains(checkpointSeconds) else {
            throw ValidationError("--checkpoint-seconds is 0 to 86400.")
        }
    }

    /// The model of a plan, with the hash of its files.
    static func base(_ model: String) throws -> AdapterTraining.Base {
        let source = try ModelSource(path: Home.languageModelPath(model))
        return AdapterTraining.Base(
            source, hash: try ModelIdentity.hash(source.path, cache: Home.kv + "/models"))
    }

    /// The memories that a plan learns; its store is opened if it learns any.
    static func memories(_ plan: TrainingPlan) throws -> [MemCube] {
        guard plan.from != nil || !(plan.learned ?? []).isEmpty else { return [] }
        return try plan.chosen(
            in: Home.memoryStore(plan.store ?? Home.store), by: Caller(.local, operation: "adapters train"))
    }

    /// Trains until all steps are done, keeps the adapter and prints a line about it. The history of its
    /// memory names `operation`.
    ///
    /// - Throws: exit code 1 if somebody stopped it; what ``AdapterTraining`` throws.
    func learn(_ wanted: AdapterTraining, _ memories: [MemCube], replacing: Bool, operation: String) async throws {
        var training = wanted
        let stop = StopSignal()
        let trainer: AdapterTrainer
        do {
            trainer = try training.begin(memories) {
                try stop.check()
                return true
            }
        } catch is CancellationError {
            Terminal.report("Stopped before the first step. Nothing was learned, and there is no checkpoint.")
            throw ExitCode(1)
        }
        Terminal.note(
            "\(trainer.exampleCounts.learned) examples and \(trainer.exampleCounts.heldOut) held out, \(trainer.model.parameterCount) parameters, \(trainer.settings.precision.rawValue)"
        )
        if let (own, asked) = training.distilled {
            Terminal.note(
                "\(own) of \(asked) answers are the model's own, with the memories in its prompt; the others are the rules'."
            )
        }
        if training.isResumed, let step = try trainer.restoreKept(in: training.folder) {
            Terminal.note("It goes on behind step \(step), which was kept in memory.")
        }
        let team = try trainer.settings.strategies?.ranks.map { try RankTeam($0, training.name, trainer) }
        let isDone: Bool
        do {
            isDone = try steps(trainer, appends: training.isResumed, stop)
            try team?.end()
        } catch {
            team?.stop()
            throw error
        }
        guard isDone else {
            throw stopped(trainer.progress, "adapters train \(training.name)")
        }
        let record = training.record(trainer.progress)
        try training.finish(trainer.adapter, record, replacing: replacing)
        try await Home.remember(trainer.adapter, record, operation)
        print(summary(training.name, trainer.progress))
    }

    /// Tells where a training stopped and what goes on; gives the exit code.
    func stopped(_ progress: TrainingProgress, _ command: String) -> ExitCode {
        Terminal.report(
            "Stopped at step \(progress.step) of \(progress.steps), with a checkpoint. `mneme \(command) --resume` goes on."
        )
        return ExitCode(1)
    }

    /// Steps until all are done or somebody stops it; true if all are.
    func steps(_ trainer: some SteppedTraining, appends: Bool, _ stop: StopSignal) throws -> Bool {
        let steps = try log.map { try StepLog(path: $0, appends: appends, tokens: logTokens) }
        let line = ProgressLine()
        defer { line.end() }
        return try trainer.run(
            checkpointSeconds: checkpointSeconds, while: { !stop.isRaised },
            didStep: { before in
                let progress = trainer.progress
                try steps?.write(progress, (trainer as? AdapterTrainer)?.lastBatch, before: before)
                line.show(progress.step, progress.steps, Self.text(progress))
                if !Terminal.isInteractive(STDERR_FILENO),
                    progress.step % max(1, progress.steps / 10) == 0
                {
                    Terminal.report("step \(progress.step)/\(progress.steps), " + Self.text(progress))
                }
            })
    }

    private static func text(_ progress: TrainingProgress) -> String {
        let held = progress.heldOutLoss.map { String(format: ", held out %.3f", $0) } ?? ""
        let away = progress.divergence.map { String(format: ", from the base %.4f", $0) } ?? ""
        return String(format: "loss %.3f", progress.loss) + held + away
            + String(format: ", %.0f tokens/s, %.0f s left", progress.tokensPerSecond, progress.secondsLeft ?? 0)
    }

    func summary(_ name: String, _ progress: TrainingProgress) -> String {
        let steps = progress.step == 1 ? "step" : "steps"
        var text = "\(name)  \(progress.step) \(steps), " + String(format: "loss %.3f", progress.loss)
        if let first = progress.firstHeldOutLoss, let last = progress.heldOutLoss {
            text += String(format: ", held out %.3f → %.3f", first, last)
        }
        return text + String(format: ", %.0f tokens/s", progress.tokensPerSecond)
    }
}
