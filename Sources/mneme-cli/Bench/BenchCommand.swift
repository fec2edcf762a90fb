import ArgumentParser

/// Measurements, each a program.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract:
            "Measure recall quality, embedding, the store, language models and what they keep on this machine.",
        subcommands: [
            BenchLocomoCommand.self, BenchEmbedCommand.self, BenchStoreCommand.self,
            BenchLoadCommand.self,
            BenchLLMCommand.self, BenchKVCommand.self,
            BenchIndexCommand.self, BenchKernelsCommand.self, BenchDraftsCommand.self,
        ])
}
