import ArgumentParser
import Foundation
import Mneme
import MnemeChat
import MnemeKV
import MnemeModels
import MnemeStore

extension AdaptersCommand {
    /// `mneme adapters import`: takes in an adapter as PEFT writes it (`adapter_config.json`,
    /// `adapter_model.safetensors`) or a GGUF file of llama.cpp, and binds it to a model's files.
    ///
    /// Exit code 2 for what is damaged, not read, or made for another model; nothing is kept then.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Import an adapter: a folder as PEFT writes it, or a GGUF file.",
            discussion:
                "LoRA, rsLoRA and DoRA of the layers' attention and feed-forward matrices are read. Others are refused by name."
        )

        @Argument(help: "The folder or the .gguf file.") var path: String
        @Option(help: "The name that requests use; the file's if left out.") var name: String?
        /// Requests that run another model than this one are refused.
        @Option(help: "The model that it was made for.") var model =
            Settings.current.text(.model) ?? "smollm2"
        @Option(help: "Whose memory it becomes.") var user = "default"
        @Option(help: "An organisation or deployment.") var tenant = "default"
        @OptionGroup var store: StoreFileOptions
        @Flag(help: "Replace an adapter of this name.") var replace = false

        func run() async throws {
            let base = try Home.languageModelPath(model)
            let source = try ModelSource(path: base)
            let file = URL(fileURLWithPath: path).standardizedFileURL
            var record = AdapterRecord(
                name: name
                    ?? (file.pathExtension == "gguf" ? file.deletingPathExtension() : file)
                    .lastPathComponent, base: model)
            guard FileManager.default.fileExists(atPath: file.path) else {
                throw InputError("\(path) is not there: a folder as PEFT writes it, or a .gguf file.")
            }
            try AdapterStore.check(name: record.name)
            if replace { try Home.adapters.checkReplaceable(record.name, by: Owner(tenant: tenant, user: user)) }
            record.cube = AdapterRecord.Cube(user: user, tenant: tenant, store: Home.remembered(store.path))
            (record.source, record.created) = (file.path, Date())
            record.baseHash = try ModelIdentity.hash(source.path, cache: Home.kv + "/models")
            let folder = try Home.adapters.add(
                importing: file.path, record, for: source.configuration(), replacing: replace)
            try await Home.remember(folder.read(for: source.configuration()), record, "adapters import")
            print("\(folder.path)\nUse it: mneme chat --model \(model) --adapter \(record.name)")
        }
    }
}
