import ArgumentParser
import Mneme

extension JobsCommand {
    /// `mneme jobs schedules`: a line a schedule, with the next time in UTC.
    ///
    /// "never" stands for an expression without a next time, such as the 30th of February. `--json`
    /// adds the whole job of each.
    struct Schedules: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "schedules",
            abstract: "List schedules.")
        @OptionGroup var store: StoreFileOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let schedules = try store.open().schedules(by: JobsCommand.caller)
            if json { return print(try OperationTable.encode(schedules, pretty: true)) }
            if schedules.isEmpty { print("Nothing is scheduled.") }
            for schedule in schedules {
                print(
                    "\(schedule.name)  '\(schedule.cron)'  \(schedule.job.kind)  next \(schedule.cron.next(after: schedule.last).map(DateText.format) ?? "never")"
                )
            }
        }
    }
}
