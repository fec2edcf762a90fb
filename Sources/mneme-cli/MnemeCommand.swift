import ArgumentParser
import Foundation
import Logging
import Mneme
import MnemeBase

/// `mneme`: the root command. The commands of operations follow from ``Mneme/OperationTable``; the
/// others are listed here, a folder each.
///
/// Each command has its name written out: the one that ArgumentParser makes from the type's name costs
/// the runtime a search for conformances, for every command there is, at each start.
///
/// Exit codes: 0 done; 1 it failed, or a check found something (`doctor`, `verify`, `diff`); 2
/// something else has to be asked for. Answers go to standard output, everything else to standard
/// error.
@main
struct MnemeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mneme",
        abstract: "Memory for language models: remember, recall, and keep it on your machine.",
        discussion: """
            No model service, network or key is needed. Memories live in one file, $MNEME_HOME/memory.db (~/.mneme/memory.db). \
            Settings: mneme config; --config FILE names their file. With --server URL (or MNEME_SERVER) the commands under \
            Memory speak to a running server. Shell completions: mneme --generate-completion-script zsh|bash|fish.
            """,
        version: version,
        subcommands: [
            ServeCommand.self, ProxyCommand.self, CacheCommand.self, TopCommand.self, MCPCommand.self, DemoCommand.self,
            ConfigCommand.self, FormsCommand.self, RecipesCommand.self, EvalCommand.self, ComposeCommand.self,
            GuardCommand.self, BenchCommand.self, PlanCommand.self,
            KeysCommand.self,
            AuditCommand.self,
            VerifyErasureCommand.self,
            JobsCommand.self, VaultCommand.self, StoreCommand.self, BackupCommand.self, EncryptionCommand.self,
            GenerateCommand.self,
            ChatCommand.self,
            PullCommand.self, ModelsCommand.self, AdaptersCommand.self, EmbedderCommand.self,
            ReembedCommand.self, KVCommand.self, PerplexityCommand.self,
        ],
        groupedSubcommands: [CommandGroup(name: "Memory", subcommands: operations)])

    /// A command for each operation of the table that has one.
    private static let operations: [any ParsableCommand.Type] =
        OperationTable.all.filter { $0.surfaces.contains(.commandLine) }.map { command(of: $0) }

    /// The command of one operation; the type is opened here, as a list of types cannot name it.
    private static func command<Declared: Mneme.Operation>(of operation: Declared.Type)
        -> any ParsableCommand.Type
    { OperationCommand<Declared>.self }

    /// Shown by `--version`, and told to clients of HTTP and MCP.
    static let version = ProgramVersion.text

    /// Prepares the process, runs the command, and turns what it throws into a message and an exit
    /// code.
    ///
    /// Errors of Mneme exit with 2 for wrong input and 1 for anything else, their message on
    /// standard error; none of them ends in a crash or a stack trace.
    static func main() async {
        // Output that goes into a closed pipe (`| head`) ends the program quietly.
        signal(SIGPIPE, SIG_DFL)
        // A write beyond a file size limit is an error to report, not a reason to die.
        signal(SIGXFSZ, SIG_IGN)
        // What is written is its owner's alone, from its first byte on.
        umask(0o077)
        Home.makePrivate()
        LoggingSystem.bootstrap { TerminalLog(label: $0) }
        // Messages of ArgumentParser and of Mneme's errors go the same way.
        do {
            // Options have their defaults from the settings.
            let arguments = try Settings.load(Array(CommandLine.arguments.dropFirst()))
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as any MnemeError {
            Terminal.error(error.message)
            fflush(nil)
            Foundation.exit(error.errorClass.exitCode)
        } catch {
            // ArgumentParser's message may quote what was typed.
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if !message.isEmpty {
                if code.isSuccess { print(message) } else { Terminal.report(message) }
            }
            fflush(nil)
            // What the command line has wrong is wrong input, as anything else that is asked for.
            Foundation.exit(code == .validationFailure ? ErrorClass.input.exitCode : code.rawValue)
        }
    }
}

extension ErrorClass {
    /// The program's exit code: 2 if something else has to be asked for, 1 if it failed.
    fileprivate var exitCode: Int32 { self == .input ? 2 : 1 }
}
