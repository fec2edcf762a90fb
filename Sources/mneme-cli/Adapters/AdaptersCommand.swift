import ArgumentParser

/// `mneme adapters`: low-rank adapters of language models (LoRA), in `$MNEME_HOME/adapters`. Chats and
/// requests name them; the model's own weights stay as they are.
struct AdaptersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapters",
        abstract:
            "Learn, learn again, list, show, measure, import, export, merge and erase adapters (LoRA) of language models.",
        discussion: """
            An adapter is used by name: `mneme chat --adapter NAME`, or "adapter": "NAME" or "model": "MODEL:NAME" in a request \
            to `mneme serve`.
            """,
        subcommands: [
            List.self, Train.self, Retrain.self, Correct.self, Show.self, Eval.self, Operations.self, Layers.self,
            Import.self, Export.self,
            Merge.self,
            Average.self, Gather.self, Erase.self, TrainRank.self, TrainKeeper.self,
        ],
        defaultSubcommand: List.self)
}
