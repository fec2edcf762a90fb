import ArgumentParser

/// `mneme adapters`: adapters of language models, which are learned from memories and files.
struct AdaptersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapters",
        abstract: "Adapters (LoRA): learn one from memories or files.",
        subcommands: [Train.self])
}
