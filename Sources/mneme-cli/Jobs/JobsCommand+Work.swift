import ArgumentParser
import Mneme
import MnemeEngine
import MnemeStore

extension JobsCommand {
    /// The kind of work, its arguments and its owner: the options that `add` and `schedule` share.
    struct Work: ParsableArguments {
        /// The kind of job; `mneme jobs --help` says what each does.
        @Argument(
            help: "The kind: \(Maintainers.standard.map(\.kind.rawValue).joined(separator: ", ")).")
        var kind: String
        /// The owner whose memories the job works on; without one it works on those of all owners.
        @Option(help: "Whose memories; everybody's if left out.") var user: String?
        /// The tenant of `--user`; the one named `default` if left out.
        @Option(help: "The user's tenant.") var tenant: String?
        /// Pairs NAME=VALUE; of the same name twice the last counts. The value may hold further
        /// "=".
        @Option(
            name: [.customShort("a"), .customLong("argument")],
            help: ArgumentHelp(
                "Such as days=90. May be given several times.", valueName: "name=value"))
        var arguments: [String] = []
        /// Priority in the queue, 0 for most work.
        @Option(help: "Higher ones go first; from 10 on even while callers wait.") var priority = 0

        /// The job, its kind and arguments checked before it waits for anybody.
        ///
        /// - Throws: `InputError` for what no maintainer takes.
        func job() throws -> Job {
            let known = try Maintainers.standard.require(JobKind(rawValue: kind)).kind
            guard tenant == nil || user != nil else {
                throw InputError("A tenant's jobs are for one of its users: say which with --user.")
            }
            // Each is NAME=VALUE; the kind says which names it takes.
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
}
