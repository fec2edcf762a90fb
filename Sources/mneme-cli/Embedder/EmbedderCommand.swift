import ArgumentParser

/// `mneme embedder`: which embedding models are here, which one is in use, and another in its place.
///
/// Vectors of different models are never compared: after a change `mneme reembed` makes those of a
/// store anew.
struct EmbedderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embedder",
        abstract: "List the embedding models, choose one, see which one is in use, and train your own.",
        discussion: """
            NAME is minilm, none, a folder in $MNEME_HOME/models (mneme pull OWNER/NAME puts one there) or its path, or an OpenAI-compatible endpoint \
            with its model, http://localhost:11434/v1#nomic-embed-text: texts are then sent there, with the key in MNEME_EMBEDDER_KEY.
            """,
        subcommands: [List.self, Use.self, Show.self, Train.self, Retrain.self, Erase.self],
        defaultSubcommand: Show.self)
}
