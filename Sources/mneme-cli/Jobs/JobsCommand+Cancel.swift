import ArgumentParser
import Mneme

extension JobsCommand {
    /// `mneme jobs cancel`: a waiting job never begins. A running one is told within a quarter of a
    /// minute, by whichever process does it; what it has committed stays.
    ///
    /// It prints the job as it is then. Exit code 1 if there is none of that number, or it has
    /// ended.
    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel",
            abstract: "End a job. One that runs ends within a quarter of a minute.")
        @OptionGroup var store: StoreFileOptions
        /// The number that `mneme jobs list` shows first.
        @Argument(help: "The job's number.") var id: Int64
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try JobsCommand.show(
                [try store.open().cancelJob(id, by: JobsCommand.caller)], json: json)
        }
    }
}
