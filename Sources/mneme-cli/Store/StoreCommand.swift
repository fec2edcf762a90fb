import ArgumentParser

/// `mneme store`: what concerns a store as a whole, in a file or in a database.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Copy a whole store, between a file and PostgreSQL too.",
        subcommands: [Copy.self])
}
