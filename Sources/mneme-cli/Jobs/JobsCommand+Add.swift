import ArgumentParser
import MnemeEngine
import MnemeStore

extension JobsCommand {
    /// `mneme jobs add`: puts a job into the queue and prints it. It is not done here: `mneme
    /// serve` or `mneme jobs run` does it. Exit code 2 for a kind or an argument that does not
    /// exist.
    ///
    /// Kind and arguments are checked here, so that no worker finds a job that it cannot do. The
    /// same job that waits or runs already is printed instead of a new one.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Ask for work. The same again, while it waits or runs, is asked for once.")
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var work: Work
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            var job = try work.job()
            let store = try store.open()
            // By the clock of those who will do it.
            (job.created, job.due) = (store.now, store.now)
            try JobsCommand.show([try store.enqueue(job, by: JobsCommand.caller)], json: json)
        }
    }
}
