import ArgumentParser

/// `mneme bench`: the measurements behind docs/measured.md, each a command. They are here
/// so that anybody can repeat a claim on a machine of their own.
///
/// The measurements are in the module MnemeBench, which nothing but this folder imports; here
/// stand options and tables. Each takes `--json`.
///
/// Figures depend on the processor and on whatever else runs: compare those of one machine only.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract:
            "Measure recall quality, embedding, the store, language models and what they keep on this machine.",
        subcommands: [
            BenchLocomoCommand.self, BenchEmbedCommand.self, BenchStoreCommand.self,
            BenchLoadCommand.self,
            BenchLLMCommand.self, BenchStepsCommand.self, BenchKVCommand.self, BenchEvictionCommand.self,
            BenchIndexCommand.self, BenchKernelsCommand.self, BenchDraftsCommand.self,
            BenchSchemasCommand.self, BenchTrainCommand.self, BenchEnergyCommand.self,
            BenchRecallCommand.self, BenchLongMemEvalCommand.self, BenchMemoryAgentCommand.self,
            BenchConvoMemCommand.self, BenchMemTrackCommand.self, BenchGlobalQACommand.self,
            BenchEvoMemoryCommand.self, BenchLocobenchAgentCommand.self, BenchSCBenchCommand.self,
            BenchEfficientLLMCommand.self,
            BenchCompareCommand.self, BenchAdaptersCommand.self,
        ])
}
