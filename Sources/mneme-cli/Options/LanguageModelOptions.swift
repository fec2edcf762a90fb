import ArgumentParser
import MnemeEngine

/// The language model to run, and its context length in tokens.
///
/// A name stands for a folder in `$MNEME_HOME/models`, which `mneme pull` fills; a path is taken as
/// it is.
struct LanguageModelOptions: ParsableArguments {
    /// The model; the default is the small one that `mneme pull smollm2` fetches.
    @Option(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
        Settings.current.text(.model) ?? "smollm2"
    /// The context length; a shorter one than the model's takes less memory.
    @Option(
        help: ArgumentHelp(
            "Tokens of a prompt and its answer together, if not the model's.", valueName: "tokens"))
    var context: Int?

    /// Loads the model.
    ///
    /// - Throws: `ModelError` if it is not there, or its files are damaged.
    func open() throws -> LanguageModel {
        try Home.languageModel(model, context: context ?? Settings.current.whole(.context))
    }
}
