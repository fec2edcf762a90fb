import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeModels

extension AdaptersCommand {
    /// `mneme adapters export`: a folder that PEFT's `PeftModel.from_pretrained` loads. What Mneme
    /// knows of the memories behind it stays here.
    ///
    /// Exit code 2 if something is at the path already, or the adapter is out of use.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Write an adapter as a folder that PEFT loads.")

        @Argument(help: "The adapter's name.") var name: String
        @Argument(help: "The folder to make.") var path: String
        @Option(help: "The model that it is read for, if not the one it was made for.")
        var model: String?
        @Option(help: "What adapter_config.json calls the model, such as its name on the hub.")
        var baseName: String?

        func run() async throws {
            let folder = try Home.adapters.folder(name)
            let record = try folder.record()
            if let why = record?.withdrawn {
                throw InputError("The adapter '\(name)' was taken out of use: \(why)")
            }
            let base = try model ?? record?.base ?? folder.baseName() ?? ""
            let adapter = try folder.read(
                for: ModelSource(path: Home.languageModelPath(base)).configuration())
            try AdapterFolder(path: path).export(adapter, base: baseName ?? base)
            print(path)
        }
    }
}
