import ArgumentParser
import MnemeStore

extension JobsCommand {
    /// `mneme jobs retry`: a job that failed for good, or was cancelled, waits again with all its
    /// attempts.
    ///
    /// For a job whose cause was removed, such as a full disk. Exit code 1 if there is no such job,
    /// or it waits or runs already.
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry",
            abstract: "Put a job that has ended back into the queue.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "The job's number.") var id: Int64
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let store = try store.open()
            var caller = JobsCommand.caller
            caller.time = store.now
            try JobsCommand.show([try store.retryJob(id, by: caller)], json: json)
        }
    }
}
