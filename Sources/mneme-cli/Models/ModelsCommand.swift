import ArgumentParser

/// `mneme models`: looks at model files, checks and converts them. Nothing of it is needed to chat;
/// it says what a file is, and whether it is whole.
///
/// A name is a folder's in `$MNEME_HOME/models`; commands take a path as well. No model is run
/// here.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract:
            "List, inspect, verify, convert and share models; look at their chat templates and tokens.",
        subcommands: [
            List.self, Inspect.self, Verify.self, Convert.self, Share.self, Render.self, Tokenize.self,
        ],
        defaultSubcommand: List.self)
}
