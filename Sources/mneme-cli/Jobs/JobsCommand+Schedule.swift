import ArgumentParser
import Foundation
import Mneme
import MnemeEngine
import MnemeStore

extension JobsCommand {
    /// `mneme jobs schedule`: a job at the times that a cron expression gives, in UTC. The same
    /// name again replaces it. Times that pass while nothing runs are made up for once.
    ///
    /// It prints the name and the next time. Exit code 2 for an expression that is not cron's, or
    /// for a job that no maintainer takes.
    struct Schedule: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "schedule",
            abstract: "Ask for work again and again.")
        @OptionGroup var store: StoreFileOptions
        /// The name that `unschedule` takes.
        @Argument(help: "A name for the schedule.") var name: String
        @Argument(
            help:
                "When, as cron writes it, in UTC: '0 3 * * *' is each night at three; @hourly, @daily, @weekly, @monthly."
        ) var cron: String
        @OptionGroup var work: Work

        /// Checks expression and job before the store is opened.
        func run() async throws {
            guard let times = CronExpression(cron) else {
                throw InputError(
                    "'\(cron)' is no time. It has five fields: minute, hour, day, month, weekday; '30 4 * * 1' is each Monday at half past four."
                )
            }
            let schedule = JobSchedule(name: name, cron: times, job: try work.job())
            try store.open().setSchedule(schedule, by: JobsCommand.caller)
            print("\(name)  next \(times.next(after: Date()).map(DateText.format) ?? "never")")
        }
    }
}
