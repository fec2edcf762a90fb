import ArgumentParser
import Foundation
import Mneme
import MnemeServer

extension Home {
    static var keys: String { folder + "/keys.json" }
}

/// keys: who may use the HTTP interface.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke keys of the HTTP interface.", subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key; its secret is shown once.")
        @Argument(help: "A name for the key.") var name: String
        @Option(help: ArgumentHelp("What it may do: read, write, erase, admin. Comma-separated.", valueName: "list")) var permissions = "read,write"
        @Option(help: "The only user whose memory it reaches; all if left out.") var user: String?
        @Option(help: "The user's tenant.") var tenant: String?
        @Option(help: ArgumentHelp("Days until it expires; never if left out.", valueName: "days")) var days: Int?

        func run() async throws {
            let wanted = permissions.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            let known = wanted.compactMap(Permission.init(rawValue:))
            guard known.count == wanted.count, !known.isEmpty else { throw InputError("Permissions are read, write, erase and admin.") }
            if let days, days < 1 { throw InputError("A key lives at least one day.") }
            let (_, secret) = try KeyFile(path: Home.keys).create(
                name: name, permissions: Set(known), user: user, tenant: tenant, expires: days.map { Date().addingTimeInterval(Double($0) * 86_400) })
            print(secret)
            FileHandle.standardError.write(
                Data("Keep it: it is not shown again. Send it as `Authorization: Bearer …`. The server requires a key from now on.\n".utf8))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys, without their secrets.")
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let keys = try KeyFile(path: Home.keys).keys
            if json {
                struct Shown: Encodable { var id, name: String; var permissions: [String]; var user: String?; var created: Date; var expires, revoked: Date? }
                return print(
                    try OperationTable.encode(
                        keys.map {
                            Shown(
                                id: $0.id, name: $0.name, permissions: $0.permissions.map(\.rawValue).sorted(), user: $0.user, created: $0.created,
                                expires: $0.expires, revoked: $0.revoked)
                        }, pretty: true))
            }
            if keys.isEmpty { print("There are no keys: the server answers callers on this machine only.") }
            for key in keys {
                let state = key.revoked != nil ? "revoked" : key.expires.map { $0 < Date() ? "expired" : "until " + DateText.format($0) } ?? "valid"
                print("\(key.id)  \(key.name)  \(key.permissions.map(\.rawValue).sorted().joined(separator: ","))  user: \(key.user ?? "all")  \(state)")
            }
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
