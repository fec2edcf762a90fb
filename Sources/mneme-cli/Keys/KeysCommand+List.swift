import ArgumentParser
import Foundation
import Mneme
import MnemeServer
import MnemeStore

extension KeysCommand {
    /// `mneme keys list`: a line a key: id, name, permissions, whose memories it reaches, and
    /// whether it is valid.
    ///
    /// Expired and revoked keys stay in the list, as the audit log names them. Neither a secret nor
    /// its hash is ever shown.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List keys, without their secrets.")
        @Flag(help: "Print JSON.") var json = false

        /// Prints also what an empty list means for the server, as both cases surprise.
        func run() async throws {
            let keys = try KeyFile(path: Home.keys).keys
            if json {
                return print(
                    try OperationTable.encode(keys.map(\.listing), pretty: true))
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

        /// The owners that a key reaches, and its bounds: roles, clearance, quota, requests a
        /// minute.
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
}
