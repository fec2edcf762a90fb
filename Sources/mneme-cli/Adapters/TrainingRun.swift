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

    /// Trains until all steps are done, keeps the adapter and prints a line about it.
    ///
    /// - Throws: exit code 1 if somebody stopped it; what ``AdapterTraining`` throws.
    func learn(_ wanted: AdapterTraining, _ memories: [MemCube], replacing: Bool) async throws {
        var training = wanted
        let trainer = try training.begin(memories)
        Terminal.note(
            "\(trainer.exampleCounts.learned) examples and \(trainer.exampleCounts.heldOut) held out, \(trainer.model.parameterCount) parameters, \(trainer.settings.precision.rawValue)"
        )
        guard try steps(trainer, appends: training.isResumed) else {
            Terminal.report(
                "Stopped at step \(trainer.progress.step) of \(trainer.progress.steps). `mneme adapters train \(training.name) --resume` goes on."
            )
            throw ExitCode(1)
        }
        let record = training.record(trainer.progress)
        try training.finish(trainer.adapter, record, replacing: replacing)
        try await Home.remember(trainer.adapter, record, "adapters train")
        print(summary(training.name, trainer.progress))
    }

    /// Steps until all are done or somebody stops it; true if all are.
    private func steps(_ trainer: AdapterTrainer, appends: Bool) throws -> Bool {
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
        let steps = try log.map { try StepLog(path: $0, appends: appends, tokens: logTokens) }
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
            if ContinuousClock.now - saved >= .seconds(checkpointSeconds) {
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

    private func summary(_ name: String, _ progress: TrainingProgress) -> String {
        var text = "\(name)  \(progress.step) steps, " + String(format: "loss %.3f", progress.loss)
        if let first = progress.firstHeldOutLoss, let last = progress.heldOutLoss {
            text += String(format: ", held out %.3f → %.3f", first, last)
        }
        return text + String(format: ", %.0f tokens/s", progress.tokensPerSecond)
    }
}
