import ArgumentParser

/// `mneme keys`: makes, lists and revokes keys of the HTTP interface. Only hashes of their secrets
/// are kept, in `$MNEME_HOME/keys.json`; a running server sees changes at once.
///
/// For whoever runs `mneme serve`. Keys do not protect the files: who can read those needs none.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke keys of the HTTP interface.",
        subcommands: [Create.self, List.self, Revoke.self])
}
