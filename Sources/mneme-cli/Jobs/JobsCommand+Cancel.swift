import ArgumentParser
import Mneme

extension JobsCommand {
    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a job. One that runs ends within a quarter of a minute.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "The job's number.") var id: Int64
        func run() async throws {
            try JobsCommand.show(
                [try store.open().cancelJob(id, by: JobsCommand.caller)], json: false)
        }
    }
}
