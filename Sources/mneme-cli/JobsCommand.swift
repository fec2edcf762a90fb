import ArgumentParser
import Foundation
import Mneme
import MnemeChat
import MnemeEngine
import MnemeServer
import MnemeStore

/// A model on another server, for jobs that need one.
struct OracleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Ask the model of an OpenAI-compatible server, such as http://localhost:11434/v1: memories are sent there. MNEME_ORACLE_KEY holds its key.",
            valueName: "address"))
    var oracle: String?
    @Option(help: "What that server calls the model.") var oracleModel: String?

    func remote() throws -> (any Oracle)? {
        guard let oracle else {
            guard oracleModel == nil else { throw InputError("--oracle-model goes with --oracle.") }
            return nil
        }
        guard let oracleModel else { throw InputError("--oracle goes with --oracle-model.") }
        return try RemoteOracle(
            base: oracle, model: oracleModel,
            key: ProcessInfo.processInfo.environment["MNEME_ORACLE_KEY"])
    }
}

/// jobs: work behind the answers.
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

    private static let caller = Caller(.local, operation: "jobs")

    /// What is to be done, and for whom.
    struct Work: ParsableArguments {
        @Argument(
            help: "The kind: \(Maintainers.standard.map(\.kind.rawValue).joined(separator: ", ")).")
        var kind: String
        @Option(help: "Whose memories; everybody's if left out.") var user: String?
        @Option(help: "The user's tenant.") var tenant: String?
        @Option(
            name: [.customShort("a"), .customLong("argument")],
            help: ArgumentHelp(
                "Such as days=90. May be given several times.", valueName: "name=value"))
        var arguments: [String] = []
        @Option(help: "Higher ones go first; from 10 on even while callers wait.") var priority = 0

        func job() throws -> Job {
            let known = try Maintainers.standard.require(JobKind(rawValue: kind)).kind
            guard tenant == nil || user != nil else {
                throw InputError("A tenant's jobs are for one of its users: say which with --user.")
            }
            var given: [String: String] = [:]
            for text in arguments {
                let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { throw InputError("An argument looks like days=90.") }
                given[parts[0]] = parts[1]
            }
            return try MemoryOS.job(
                known, owner: user.map { Owner(tenant: tenant ?? "default", user: $0) },
                arguments: given,
                priority: priority)
        }
    }

    private static func line(_ job: Job) -> String {
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
            "\(job.id)  \(job.state.rawValue.padding(toLength: 9, withPad: " ", startingAt: 0))  \(job.kind)\(given)  user \(whose)  \(when)\(attempts)"
                + (job.message.map { "  " + $0 } ?? ""))
    }

    private static func show(_ jobs: [Job], json: Bool) throws {
        if json { return print(try OperationTable.encode(jobs, pretty: true)) }
        if jobs.isEmpty { print("There are no such jobs.") }
        for job in jobs { print(line(job)) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, the latest first.")
        @OptionGroup var store: StoreFileOptions
        @Option(
            help: ArgumentHelp(
                "Only those: waiting, running, done, dead, cancelled.", valueName: "state"))
        var state: String?
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

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one job.")
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

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask for work. The same again, while it waits or runs, is asked for once.")
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var work: Work

        func run() async throws {
            try JobsCommand.show(
                [try store.open().enqueue(work.job(), by: JobsCommand.caller)], json: false)
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Do what is due, here and now.")
        @OptionGroup var store: StoreOptions
        @Option(
            help:
                "A language model for jobs that need one: its name, a GGUF file, or a folder as the hub has it."
        )
        var model: String?
        @OptionGroup var oracle: OracleOptions
        @OptionGroup var kv: KVOptions

        func run() async throws {
            let language = try model.map { name in
                let model = try Home.languageModel(name)
                return (model: model, engine: try kv.engine(model))
            }
            defer { language?.engine.close() }
            let asked = try oracle.remote() ?? language.map { EngineOracle($0.model, $0.engine) }
            let memory = try store.open()
            if let asked { memory.attach(oracle: asked) }
            if let language {
                let keys = try KeyFile(path: Home.keys)
                memory.attach(
                    promoter: ProfilePromoter(language.model, language.engine) { keys.principals })
            }
            let runner = JobRunner(memory), start = Date()
            let count = try await runner.drain()
            await memory.close(deadline: .zero)
            let ended = try memory.store.jobs(
                in: [.done, .dead, .waiting], limit: 1_000, by: .local
            ).filter {
                $0.started.map { $0 >= start } ?? false
            }
            for job in ended.reversed() { print(JobsCommand.line(job)) }
            if count == 0 { print("Nothing is due.") }
            if ended.contains(where: { $0.state != .done }) { throw ExitCode(1) }
        }
    }

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

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what becomes of jobs as it happens, until Control-C.")
        @OptionGroup var store: StoreFileOptions

        func run() async throws {
            let store = try store.open()
            var seen: [Int64: Job] = [:], isFirst = true
            while true {
                for job in try store.jobs(
                    in: Set(Job.State.allCases), limit: 200, by: JobsCommand.caller
                ).reversed() {
                    var shown = job
                    // A lease that is renewed is no news.
                    shown.leaseEnd = nil
                    if seen[job.id] != shown, !isFirst || !job.state.isFinal {
                        print(JobsCommand.line(job))
                    }
                    seen[job.id] = shown
                }
                fflush(nil)
                isFirst = false
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    struct Schedule: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask for work again and again.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "A name for the schedule.") var name: String
        @Argument(
            help:
                "When, as cron writes it, in UTC: '0 3 * * *' is each night at three; @hourly, @daily, @weekly, @monthly."
        ) var cron: String
        @OptionGroup var work: Work

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

    struct Unschedule: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a schedule away.")
        @OptionGroup var store: StoreFileOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            try store.open().removeSchedule(name, by: JobsCommand.caller)
            print("Taken away.")
        }
    }

    struct Schedules: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List schedules.")
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
