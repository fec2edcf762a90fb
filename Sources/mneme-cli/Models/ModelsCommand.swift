import ArgumentParser

/// Looks at model files.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract:
            "List, inspect, verify and convert models; look at their chat templates and tokens.",
        subcommands: [
            List.self, Inspect.self, Verify.self, Convert.self, Render.self, Tokenize.self,
        ],
        defaultSubcommand: List.self)
}
