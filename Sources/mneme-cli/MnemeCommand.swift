import ArgumentParser
import Foundation
import Logging
import Mneme
import MnemeBase
import MnemeChat
import MnemeEmbedding
import MnemeEngine
import MnemeHub
import MnemeKV
import MnemeModels
import MnemeSeal
import MnemeStore

/// The root command. Operations come from ``OperationTable``; the rest are programs of their own.
@main
struct MnemeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mneme",
        abstract: "Memory for language models: remember, recall, and keep it on your machine.",
        discussion: """
            No model service, network or key is needed. Memories live in one file, $MNEME_HOME/memory.db (~/.mneme/memory.db). \
            Shell completions: mneme --generate-completion-script zsh|bash|fish.
            """,
        version: version,
        subcommands: [
            ServeCommand.self, TopCommand.self, MCPCommand.self, DemoCommand.self,
            BenchCommand.self, KeysCommand.self,
            AuditCommand.self,
            VerifyErasureCommand.self,
            JobsCommand.self, VaultCommand.self, EncryptionCommand.self,
            GenerateCommand.self,
            ChatCommand.self,
            PullCommand.self, ModelsCommand.self, KVCommand.self, PerplexityCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "Memory",
                subcommands: [
                    OperationCommand<RememberOperation>.self,
                    OperationCommand<RecallOperation>.self,
                    OperationCommand<GetOperation>.self,
                    OperationCommand<ListOperation>.self, OperationCommand<UpdateOperation>.self,
                    OperationCommand<ForgetOperation>.self,
                    OperationCommand<RestoreOperation>.self,
                    OperationCommand<RollbackOperation>.self,
                    OperationCommand<CorrectOperation>.self,
                    OperationCommand<FeedbackOperation>.self,
                    OperationCommand<FreezeOperation>.self,
                    OperationCommand<QuarantineOperation>.self,
                    OperationCommand<ReleaseOperation>.self,
                    OperationCommand<EraseOperation>.self,
                    OperationCommand<HistoryOperation>.self,
                    OperationCommand<LinkOperation>.self, OperationCommand<ShareOperation>.self,
                    OperationCommand<UnshareOperation>.self, OperationCommand<GrantsOperation>.self,
                    OperationCommand<ImportOperation>.self,
                    OperationCommand<ExportOperation>.self,
                    OperationCommand<StatsOperation>.self, OperationCommand<TiersOperation>.self,
                    OperationCommand<PolicyOperation>.self,
                    OperationCommand<SetPolicyOperation>.self,
                    OperationCommand<DoctorOperation>.self,
                ])
        ])

    static let version = "0.1.0"

    static func main() async {
        // Output that goes into a closed pipe (`| head`) ends the program quietly.
        signal(SIGPIPE, SIG_DFL)
        // A write beyond a file size limit is an error to report, not a reason to die.
        signal(SIGXFSZ, SIG_IGN)
        // What is written is its owner's alone, from its first byte on.
        umask(0o077)
        Home.makePrivate()
        LoggingSystem.bootstrap { TerminalLog(label: $0) }
        do {
            var command = try parseAsRoot()
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
            let code = exitCode(for: error), message = fullMessage(for: error)
            if !message.isEmpty {
                if code.isSuccess { print(message) } else { Terminal.report(message) }
            }
            fflush(nil)
            Foundation.exit(code.rawValue)
        }
    }
}

extension ErrorClass {
    /// The program's exit code: 2 if something else has to be asked for, 1 if it failed.
    fileprivate var exitCode: Int32 { self == .input ? 2 : 1 }
}

/// Options of every command that opens the store.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's file; $MNEME_HOME/memory.db if left out.", valueName: "file"))
    var store: String?
    @Flag(help: "Recall by words alone; needs no model.")
    var noEmbedder = false

    /// - Parameter requiresModel: whether it is an error if the embedding model is not here;
    ///   otherwise what is done goes without.
    func open(requiresModel: Bool = true) throws -> MemoryOS {
        try Self.open(store: store, noEmbedder: noEmbedder || (!requiresModel && !Home.hasEmbedder))
    }

    static func open(store path: String?, noEmbedder: Bool) throws -> MemoryOS {
        let memory = MemoryOS(
            store: try StoreFileOptions.open(path),
            embedder: noEmbedder ? nil : try Home.embedder(),
            indexFolder: (path ?? Home.store) + ".index")
        memory.attach(keys: Home.packageKeys)
        if FileManager.default.fileExists(atPath: Home.kv) {
            memory.attach(FolderMemory(try Home.kvFolder()))
        }
        return memory
    }
}

/// Options of commands that need the store alone, and no model.
struct StoreFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's file; $MNEME_HOME/memory.db if left out.", valueName: "file"))
    var store: String?

    func open() throws -> SQLiteMemoryStore { try Self.open(store) }

    static func open(_ path: String?) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(
            path: path ?? Home.store, analyzer: MemoryOS.analyzerVersion,
            auditKey: Home.signingKey(),
            key: Home.encryptionKey())
    }
}

/// Where things lie on this machine.
enum Home {
    static var folder: String {
        ProcessInfo.processInfo.environment["MNEME_HOME"] ?? NSHomeDirectory() + "/.mneme"
    }
    static var store: String { folder + "/memory.db" }

    /// Takes from others what they could do with a folder that an earlier version made, if it is
    /// this user's.
    static func makePrivate() {
        // The user's own folder is for other things, too.
        let isOwn = ["/audit.key", "/memory.db"].contains {
            FileManager.default.fileExists(atPath: folder + $0)
        }
        guard isOwn, URL(fileURLWithPath: folder).standardizedFileURL.path != NSHomeDirectory()
        else { return }
        Privacy.tighten(folder)
    }

    static var models: String { folder + "/models" }
    static var kv: String { folder + "/kv" }
    static func kvFolder(limit: Int? = nil) throws -> KVFolder {
        try KVFolder(path: kv, limit: limit, key: encryptionKey())
    }
    static var model: String { EmbedderChoice.miniLMFolder }

    /// A model by its name among the models, or by the path of a file or folder.
    static func languageModel(_ name: String, context: Int? = nil, threads: Int? = nil) throws
        -> LanguageModel
    {
        try LanguageModel(path: languageModelPath(name), context: context, threads: threads)
    }

    /// The tokenizer of a model that lies here under this name, or whose file is called so.
    static func tokenizer(_ name: String) -> (any Tokenizer)? {
        if let path = try? languageModelPath(name), let source = try? ModelSource(path: path) {
            return try? source.tokenizer()
        }
        for folder in (try? FileManager.default.contentsOfDirectory(atPath: models)) ?? [] {
            let file = "\(models)/\(folder)/\(name).gguf"
            if FileManager.default.fileExists(atPath: file) {
                return try? ModelSource(path: file).tokenizer()
            }
        }
        return nil
    }

    static func languageModelPath(_ name: String) throws -> String {
        if name.hasSuffix(".gguf") || name.hasPrefix(".") || name.hasPrefix("/") { return name }
        // A hub name is found by its last part, under which it was fetched.
        let known = ModelWheel.all.first { $0.name == name }?.folder
        let folder =
            models + "/"
            + (known ?? String(name.split(separator: "/").last ?? "").replacing(":", with: "-"))
        if FileManager.default.fileExists(atPath: folder) { return folder }
        if FileManager.default.fileExists(atPath: name) { return name }
        throw ModelError(
            .missingFile,
            "There is no model '\(name)' in \(models). `mneme pull \(name)` fetches it; `mneme models` lists what is there."
        )
    }

    static var hasEmbedder: Bool {
        FileManager.default.fileExists(atPath: model + "/model.safetensors")
    }

    static func embedder() throws -> LazyEmbedder { try EmbedderChoice.miniLM(in: model) }
}
