import ArgumentParser

/// keys: who may use the HTTP interface.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke keys of the HTTP interface.",
        subcommands: [Create.self, List.self, Revoke.self])
}
