import ArgumentParser
import Foundation
import Mneme
import MnemeServer
import MnemeStore

extension Home {
    static var keys: String { folder + "/keys.json" }
}

/// keys: who may use the HTTP interface.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke keys of the HTTP interface.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key; its secret is shown once.")
        @Argument(help: "A name for the key.") var name: String
        @Option(
            help: ArgumentHelp(
                "What it may do: read, write, erase, share, admin. Comma-separated.",
                valueName: "list"))
        var permissions = "read,write"
        @Option(help: "Whose memory it reaches; everybody's in its tenant if left out.") var user: String?
        @Option(
            help: "The only tenant that it reaches; 'default' for a key of a user, all for others.")
        var tenant: String?
        @Option(
            help:
                "The agent that it is for: of its user's memories it reaches that agent's, and those of none."
        )
        var agent: String?
        @Option(
            help: ArgumentHelp(
                "A role that `share` may name. May be given several times.", valueName: "name"))
        var role: [String] = []
        @Option(
            help: ArgumentHelp(
                "The highest sensitivity that it sees; all if left out.",
                valueName: "public|internal|confidential|restricted"))
        var clearance: String?
        @Option(
            help: ArgumentHelp(
                "Memories that a user may have for this key to add more.", valueName: "count"))
        var quota: Int?
        @Option(
            help: ArgumentHelp(
                "Requests a minute; the server's --rate-limit if left out.", valueName: "count"))
        var rateLimit: Int?
        @Option(help: ArgumentHelp("Days until it expires; never if left out.", valueName: "days"))
        var days: Int?

        func run() async throws {
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

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List keys, without their secrets.")
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let keys = try KeyFile(path: Home.keys).keys
            if json {
                struct Shown: Encodable {
                    var id, name: String, permissions: [String], tenant, user, agent: String?,
                        roles: [String]?,
                        clearance: Sensitivity?
                    var quota, requestsPerMinute: Int?, created: Date, expires, revoked: Date?
                }
                return print(
                    try OperationTable.encode(
                        keys.map {
                            Shown(
                                id: $0.id, name: $0.name,
                                permissions: $0.permissions.map(\.rawValue).sorted(),
                                tenant: $0.tenant, user: $0.user,
                                agent: $0.agent, roles: $0.roles?.sorted(), clearance: $0.clearance,
                                quota: $0.quota,
                                requestsPerMinute: $0.requestsPerMinute, created: $0.created,
                                expires: $0.expires,
                                revoked: $0.revoked)
                        }, pretty: true))
            }
            if keys.isEmpty {
                print("There are no keys: the server answers callers on this machine only.")
            } else if keys.allSatisfy({ $0.revoked != nil }) {
                print("All keys are revoked: the server refuses everybody until you make one.")
            }
            for key in keys {
                let state =
                    key.revoked != nil
                    ? "revoked"
                    : key.expires.map { $0 < Date() ? "expired" : "until " + DateText.format($0) }
                        ?? "valid"
                let permissions = key.permissions.map(\.rawValue).sorted().joined(separator: ",")
                print(
                    Terminal.line(
                        "\(key.id)  \(key.name)  \(permissions)  \(Self.reach(key))  \(state)"))
            }
        }

        /// Whose memories a key reaches, and how far.
        private static func reach(_ key: APIKey) -> String {
            var parts = [
                "user: "
                    + [key.tenant, key.user ?? "all"].compactMap(\.self).joined(separator: "/")
            ]
            if let agent = key.agent { parts.append("agent: " + agent) }
            if let roles = key.roles {
                parts.append("roles: " + roles.sorted().joined(separator: ","))
            }
            if let clearance = key.clearance { parts.append("up to " + clearance.name) }
            if let quota = key.quota { parts.append("\(quota) memories") }
            if let rate = key.requestsPerMinute { parts.append("\(rate) requests a minute") }
            return parts.joined(separator: "  ")
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key useless at once.")
        @Argument(help: "The key's name or id.") var name: String

        func run() async throws {
            try KeyFile(path: Home.keys).revoke(name)
            print("Revoked.")
        }
    }
}
