import ArgumentParser
import Mneme
import MnemeStore

/// `mneme jobs`: shows and looks after background work. Jobs are in the store and survive every
/// crash; `mneme serve` does them, or `mneme jobs run` from cron.
///
/// For whoever runs the store: jobs of all owners are shown. Each call that changes a job stands in
/// the audit log.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Show and look after work that is done behind the answers.",
        discussion: """
            Jobs are in the store and survive every crash. `mneme serve` does them; without a server, `mneme jobs run` does what is due. Kinds:

            \(Maintainers.standard.map { "  \($0.kind.rawValue): \($0.help)" }.joined(separator: "\n"))
            """,
        subcommands: [
            List.self, Show.self, Add.self, Run.self, Retry.self, Cancel.self, Watch.self,
            Schedule.self,
            Unschedule.self, Schedules.self,
        ], defaultSubcommand: List.self)

    /// The owner of this machine, who may look after the jobs of all; `jobs` stands in the audit
    /// log.
    static let caller = Caller(.local, operation: "jobs")

    /// A job on one line: number, state, kind, arguments, whose it is, when, attempts, and its last
    /// message. Times are in UTC.
    static func line(_ job: Job) -> String {
        // The tenant is named only where it is not the usual one.
        let whose =
            job.owner.map { $0.tenant == "default" ? $0.user : "\($0.tenant)/\($0.user)" } ?? "all"
        var when = "due \(DateText.format(job.due))"
        if let started = job.started {
            when = "\(job.state == .running ? "since" : "began") \(DateText.format(started))"
        }
        if job.state == .waiting, job.attempts > 0 { when = "again \(DateText.format(job.due))" }
        let attempts =
            job.attempts > 1 || job.state == .dead
            ? "  attempt \(job.attempts) of \(job.maximumAttempts)" : ""
        let given = job.arguments.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            .joined()
        return Terminal.line(
            "\(job.id)  \(job.state.rawValue.padded(to: 9))  \(job.kind)\(given)  user \(whose)  \(when)\(attempts)"
                + (job.message.map { "  " + $0 } ?? ""))
    }

    /// Prints jobs, as lines or as a JSON array.
    static func show(_ jobs: [Job], json: Bool) throws {
        if json { return print(try OperationTable.encode(jobs, pretty: true)) }
        if jobs.isEmpty { print("There are no such jobs.") }
        for job in jobs { print(line(job)) }
    }
}
