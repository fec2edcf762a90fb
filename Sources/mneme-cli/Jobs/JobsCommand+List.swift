import ArgumentParser
import MnemeBase
import MnemeEngine
import MnemeStore

extension JobsCommand {
    /// `mneme jobs list`, and `mneme jobs` alone: the latest jobs of all users. It is for whoever
    /// runs the store: no scope is asked for.
    ///
    /// Columns: number, state, kind with arguments, user, time, attempts, message. Exit code 2 for
    /// a state that does not exist or a limit out of bounds.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List jobs, the latest first.")
        @OptionGroup var store: StoreFileOptions
        /// One state; jobs of all states if nil.
        @Option(
            help: ArgumentHelp(
                "Only those: waiting, running, done, dead, cancelled.", valueName: "state"))
        var state: String?
        /// Jobs to show, 1 to 100,000.
        @Option(help: "So many.") var limit = 50
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let wanted = state.flatMap(Job.State.init(rawValue:))
            guard (state == nil) == (wanted == nil) else {
                throw InputError("A state is waiting, running, done, dead or cancelled.")
            }
            guard (1...100_000).contains(limit) else {
                throw InputError("The limit lies between 1 and 100000.")
            }
            try JobsCommand.show(
                try store.open().jobs(
                    in: wanted.map { [$0] } ?? Set(Job.State.allCases), limit: limit,
                    by: JobsCommand.caller),
                json: json)
        }
    }
}
