import ArgumentParser
import MnemeStore

extension JobsCommand {
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a job that has ended back into the queue.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "The job's number.") var id: Int64
        func run() async throws {
            try JobsCommand.show(
                [try store.open().retryJob(id, by: JobsCommand.caller)], json: false)
        }
    }
}
