import ArgumentParser
import MnemeEngine

/// Which language model is run, and with which context length in tokens.
struct LanguageModelOptions: ParsableArguments {
    @Option(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
        "smollm2"
    @Option(
        help: ArgumentHelp(
            "Tokens of a prompt and its answer together, if not the model's.", valueName: "tokens"))
    var context: Int?

    /// Loads the model.
    ///
    /// - Throws: `ModelError` if it is not there, or its files are damaged.
    func open() throws -> LanguageModel { try Home.languageModel(model, context: context) }
}
