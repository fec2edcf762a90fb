import ArgumentParser
import MnemeStore

extension JobsCommand {
    /// `mneme jobs show`: one job. Exit code 1 if there is none of that number.
    ///
    /// The same line as in `mneme jobs list`, or with `--json` all that is kept of the job.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show one job.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "The job's number.") var id: Int64
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard let job = try store.open().job(id, by: JobsCommand.caller) else {
                throw StoreError(.notFound, "There is no job \(id).")
            }
            try JobsCommand.show([job], json: json)
        }
    }
}
