import ArgumentParser
import Foundation
import Mneme
import MnemeChat
import MnemeEngine
import MnemeServer

extension JobsCommand {
    /// `mneme jobs run`: does all jobs that are due, those of schedules among them, and ends. For
    /// cron, where no server runs.
    ///
    /// Exit code 1 if one of them failed, which is tried again later, as its line says; or if Control-C or SIGTERM
    /// stopped it: what runs then is put back, a training with its checkpoint.
    ///
    /// It prints a line for each job of this run. Several may run at once, beside a server too: a
    /// lease gives each job to one of them.
    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "run",
            abstract: "Do what is due, here and now.")
        @OptionGroup var store: StoreOptions
        /// The model that answers jobs here, if `--oracle` names no server.
        @Option(
            help:
                "A language model for jobs that need one: its name, a GGUF file, or a folder as the hub has it."
        )
        var model: String?
        @OptionGroup var oracle: OracleOptions
        @OptionGroup var kv: KVOptions

        /// Opens model and store, works until nothing is due, and closes both, so that no answer is
        /// lost.
        func run() async throws {
            let language = try model.map { name in
                let model = try Home.languageModel(name)
                return (model: model, engine: try kv.engine(model))
            }
            defer { language?.engine.close() }
            // A server that is named goes before the model that runs here.
            let asked = try oracle.remote() ?? language.map { try oracle.local($0.model, $0.engine) }
            let memory = try store.open()
            if let asked { memory.attach(oracle: asked) }
            if let language {
                let keys = try KeyFile(path: Home.keys)
                memory.attach(
                    promoter: ProfilePromoter(language.model, language.engine) { keys.principals })
                memory.attach(
                    learner: Home.learner(language.model, named: model ?? "", store: store.file.path))
            }
            // What ends from now on is what this run did.
            let runner = JobRunner(memory)
            let start = Date()
            let work = Task { try await runner.drain() }
            let stop = StopSignal { work.cancel() }
            let count: Int?
            do { count = try await work.value } catch is CancellationError { count = nil }
            await memory.close(deadline: .zero)
            let ended = try memory.store.jobs(
                in: [.done, .dead, .waiting], limit: 1_000, by: .local
            ).filter {
                $0.started.map { $0 >= start } ?? false
            }
            for job in ended.reversed() { print(JobsCommand.line(job)) }
            if count == 0 { print("Nothing is due.") }
            if stop.isRaised {
                Terminal.report("Stopped. What ran was put back; `mneme jobs run` goes on with it.")
                throw ExitCode(1)
            }
            if ended.contains(where: { $0.state != .done }) { throw ExitCode(1) }
        }
    }
}
