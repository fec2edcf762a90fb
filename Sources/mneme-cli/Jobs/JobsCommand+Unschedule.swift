import ArgumentParser
import MnemeStore

extension JobsCommand {
    /// `mneme jobs unschedule`: ends a schedule; jobs that it has put into the queue stay.
    ///
    /// Exit code 1 if there is no schedule of that name.
    struct Unschedule: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unschedule",
            abstract: "Take a schedule away.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            try store.open().removeSchedule(name, by: JobsCommand.caller)
            print("Taken away.")
        }
    }
}
