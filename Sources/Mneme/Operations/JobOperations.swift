import Foundation
import MnemeBase
public import MnemeStore

extension Job.State: ParameterValue {}

/// A job by its number.
private let number = Parameter<Int>(
    "job", "The job's number, as `jobs` shows it.", required: true, range: 1...9e15)

/// The answer of operations on one job.
private struct JobOutput: Encodable, Sendable { var job: Job }

/// jobs: work behind the answers.
public enum JobsOperation: Operation {
    /// `operationId` in OpenAPI.
    public static let name = "jobs"
    /// The sentence that OpenAPI shows.
    public static let summary = "Show jobs, the latest first, their counts, and the kinds there are."
    /// `admin`: the queue is one for all owners.
    public static let permission = Permission.admin
    /// State and limit are in the query.
    public static let route: Route? = Route(.get, "/v1/jobs")
    /// HTTP alone: on the command line `mneme jobs` has its own commands.
    public static let surfaces: Set<Surface> = [.http]
    static let state = Parameter<Job.State>("state", "Only jobs in this state.")
    static let limit = Parameter<Int>("limit", "At most so many; 50 if left out.", range: 1...1000)
    /// A state (any if left out) and a limit (50); both optional.
    public static let parameters: [any AnyParameter] = [state, limit]

    /// Jobs and what is known of the queue.
    struct Output: Encodable, Sendable {
        var jobs: [Job]
        /// Jobs by state.
        var counts: [String: Int]
        /// Kinds that can be asked for.
        var kinds: [String]
    }

    /// Lists jobs of all owners.
    ///
    /// - Throws: `AccessError` for whoever does not look after the whole store.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let states = input[state].map { [$0] } ?? Job.State.allCases
        let limit = input[limit] ?? 50
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                let jobs = try store.jobs(in: Set(states), limit: limit, by: caller)
                let counts = try store.jobCounts().map { ($0.key.rawValue, $0.value) }
                return Output(
                    jobs: jobs, counts: Dictionary(uniqueKeysWithValues: counts),
                    kinds: Maintainers.standard.map(\.kind.rawValue))
            })
    }
}

/// add-job: asks for work.
public enum AddJobOperation: Operation {
    /// `operationId` in OpenAPI.
    public static let name = "add-job"
    /// The sentence that OpenAPI shows; says that asking twice makes one job.
    public static let summary =
        "Ask for work behind the answers; the same, while it waits or runs, is asked for once."
    /// `admin`: a job may be for any owner.
    public static let permission = Permission.admin
    /// Kind, arguments and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/jobs")
    /// HTTP alone: on the command line `mneme jobs` has its own commands.
    public static let surfaces: Set<Surface> = [.http]
    static let kind = Parameter<String>("kind", "The kind, as `jobs` names them.", required: true)
    static let arguments = Parameter<[String: String]>(
        "arguments", "An object of text values, such as {\"days\": \"90\"}.")
    static let user = Parameter<String>("user", "Whose memories; everybody's if left out.")
    static let tenant = Parameter<String>("tenant", "The user's tenant; 'default' if left out.")
    /// The kind (required), its arguments (none), the owner (everybody).
    public static let parameters: [any AnyParameter] = [kind, arguments, user, tenant]

    /// Puts a job into the queue.
    ///
    /// - Throws: `InputError` for a kind or arguments that mean nothing, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        guard input[tenant] == nil || input[user] != nil else {
            throw InputError("A tenant's jobs are for one of its users: say which in 'user'.")
        }
        let owner = try input[user].map {
            try context.principal.owner(tenant: input[tenant], user: $0)
        }
        let job = try MemoryOS.job(
            JobKind(rawValue: try input.require(kind)), owner: owner,
            arguments: input[arguments] ?? [:], now: context.now)
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                JobOutput(job: try store.enqueue(job, by: caller))
            })
    }
}

/// retry-job: a job that has ended waits again.
public enum RetryJobOperation: Operation {
    /// `operationId` in OpenAPI.
    public static let name = "retry-job"
    /// The sentence that OpenAPI shows.
    public static let summary = "Put a job that has ended back into the queue."
    /// `admin`: the queue is one for all owners.
    public static let permission = Permission.admin
    /// The job's number is part of the path; the body is empty.
    public static let route: Route? = Route(.post, "/v1/jobs/{job}/retry")
    /// HTTP alone: on the command line `mneme jobs` has its own commands.
    public static let surfaces: Set<Surface> = [.http]
    /// The job's number, from 1; required.
    public static let parameters: [any AnyParameter] = [number]

    /// - Throws: `StoreError` if there is no such job, or it waits or runs; `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let id = Int64(try input.require(number))
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                JobOutput(job: try store.retryJob(id, by: caller))
            })
    }
}

/// cancel-job: ends a job.
public enum CancelJobOperation: Operation {
    /// `operationId` in OpenAPI.
    public static let name = "cancel-job"
    /// The sentence that OpenAPI shows; says in what time a running job ends.
    public static let summary = "End a job; one that runs ends within a quarter of a minute."
    /// `admin`: the queue is one for all owners.
    public static let permission = Permission.admin
    /// The job's number is part of the path; the body is empty.
    public static let route: Route? = Route(.post, "/v1/jobs/{job}/cancel")
    /// HTTP alone: on the command line `mneme jobs` has its own commands.
    public static let surfaces: Set<Surface> = [.http]
    /// The job's number, from 1; required.
    public static let parameters: [any AnyParameter] = [number]

    /// - Throws: `StoreError` if there is no such job, or it has ended; `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let id = Int64(try input.require(number))
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                JobOutput(job: try store.cancelJob(id, by: caller))
            })
    }
}

/// schedules: work that is asked for again and again.
public enum SchedulesOperation: Operation {
    /// `operationId` in OpenAPI.
    public static let name = "schedules"
    /// The sentence that OpenAPI shows.
    public static let summary = "Show what is scheduled, and when it is due next."
    /// `admin`: schedules make jobs for all owners.
    public static let permission = Permission.admin
    /// Takes no query.
    public static let route: Route? = Route(.get, "/v1/schedules")
    /// HTTP alone: on the command line `mneme jobs` has its own commands.
    public static let surfaces: Set<Surface> = [.http]
    /// None: all schedules are shown.
    public static let parameters: [any AnyParameter] = []

    /// A schedule and its next time; none for a time that never comes.
    struct Row: Encodable, Sendable { var schedule: JobSchedule, next: Date? }
    /// All schedules.
    struct Output: Encodable, Sendable { var schedules: [Row] }

    /// - Throws: `AccessError` for whoever does not look after the whole store.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                Output(
                    schedules: try store.schedules(by: caller).map {
                        Row(schedule: $0, next: $0.cron.next(after: $0.last))
                    })
            })
    }
}
