import ArgumentParser
import Foundation
import MnemeBase
import MnemeServer
import MnemeStore

extension KeysCommand {
    /// `mneme keys create`: a key with permissions, a scope and bounds. The secret alone goes to
    /// standard output, so that a script can take it.
    ///
    /// Exit code 2 for a name that is taken, or a bound that makes no sense.
    ///
    /// Who runs it can read the store's files anyway, so no key is asked for. A message beside the
    /// secret goes to standard error. The first key ends the server's answering without one.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make a key; its secret is shown once.")
        @Argument(help: "A name for the key.") var name: String
        /// Permissions; an unknown one is refused, so that a slip never makes a weaker or a
        /// stronger key.
        @Option(
            help: ArgumentHelp(
                "What it may do: read, write, erase, share, admin. Comma-separated.",
                valueName: "list"))
        var permissions = "read,write"
        /// The user that the key stands for; without one it may name any user in its tenant.
        @Option(help: "Whose memory it reaches; everybody's in its tenant if left out.") var user: String?
        /// The tenant that it is confined to.
        @Option(
            help: "The only tenant that it reaches; 'default' for a key of a user, all for others.")
        var tenant: String?
        @Option(
            help:
                "The agent that it is for: of its user's memories it reaches that agent's, and those of none."
        )
        var agent: String?
        /// Roles, for grants that are given to a role instead of a user.
        @Option(
            help: ArgumentHelp(
                "A role that `share` may name. May be given several times.", valueName: "name"))
        var role: [String] = []
        @Option(
            help: ArgumentHelp(
                "The highest sensitivity that it sees; all if left out.",
                valueName: "public|internal|confidential|restricted"))
        var clearance: String?
        /// The quota, counted over all of a user's memories; changes and erasures are always
        /// allowed.
        @Option(
            help: ArgumentHelp(
                "Memories that a user may have for this key to add more.", valueName: "count"))
        var quota: Int?
        @Option(
            help: ArgumentHelp(
                "Requests a minute; the server's --rate-limit if left out.", valueName: "count"))
        var rateLimit: Int?
        /// Lifetime from now on, in days of 24 hours.
        @Option(help: ArgumentHelp("Days until it expires; never if left out.", valueName: "days"))
        var days: Int?

        /// Checks all options before the file of keys is opened, then prints the secret once.
        func run() async throws {
            // A permission that is misspelt is refused, not left out.
            let wanted = permissions.split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            let known = wanted.compactMap(Permission.init(rawValue:))
            guard known.count == wanted.count, !known.isEmpty else {
                throw InputError("Permissions are read, write, erase, share and admin.")
            }
            if let days, days < 1 { throw InputError("A key lives at least one day.") }
            let label = clearance.flatMap(Sensitivity.init(name:))
            guard (clearance == nil) == (label == nil) else {
                throw InputError("The clearance is public, internal, confidential or restricted.")
            }
            guard quota ?? 1 >= 0, rateLimit ?? 1 >= 1 else {
                throw InputError("A quota is at least 0, a rate limit at least 1.")
            }
            let (_, secret) = try KeyFile(path: Home.keys).create(
                name: name, permissions: Set(known), user: user, tenant: tenant,
                expires: days.map { Date().addingTimeInterval(Double($0) * 86_400) }
            ) { key in
                key.agent = agent
                key.roles = role.isEmpty ? nil : Set(role)
                key.clearance = label
                key.quota = quota
                key.requestsPerMinute = rateLimit
            }
            print(secret)
            Terminal.report(
                "Keep it: it is not shown again. Send it as `Authorization: Bearer …`. The server requires a key from now on."
            )
        }
    }
}
