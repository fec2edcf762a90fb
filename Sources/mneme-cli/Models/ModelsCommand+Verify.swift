import ArgumentParser
import Foundation
import MnemeHub
import MnemeModels

extension ModelsCommand {
    /// `mneme models verify`: reads a model whole. Checksums are compared if `mneme pull` fetched
    /// it; then every tensor is looked through for numbers that are not finite, and vocabulary and
    /// settings are compared with the shapes.
    ///
    /// Exit code 1 if there is a fault; each is a line on standard error.
    ///
    /// For a model that answers nonsense, and after a copy between machines. Embedding models have
    /// their checksums compared only.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Read all of a model and say what is wrong with it.",
            discussion:
                "Files that were fetched are compared with their checksums. Ends with 1 if there is a fault."
        )

        @Argument(help: "A model's name, a GGUF file, or a folder.") var model: String

        /// Compares checksums first: where a file differs, its tensors are not looked at.
        func run() async throws {
            let path = try Home.languageModelPath(model)
            let line = ProgressLine()
            var faults: [String] = []
            // What was fetched is compared with the checksums of then.
            if let manifest = ModelManifest(folder: path) {
                faults = manifest.faults(in: path)
                if faults.isEmpty {
                    print(
                        "\(manifest.files.count) file\(manifest.files.count == 1 ? " is" : "s are") as fetched from \(manifest.source)"
                    )
                }
            } else {
                print("no checksums: it was not fetched by `mneme pull`")
            }
            if faults.isEmpty,
                !FileManager.default.fileExists(atPath: path + "/sentence_bert_config.json")
            {
                let source = try ModelSource(path: path)
                faults = try source.faults { line.show($0, $1, "tensors") }
                line.end()
                if faults.isEmpty {
                    print(
                        "\(source.tensors.count) tensors, all numbers finite; vocabulary and settings fit them"
                    )
                }
            }
            for fault in faults { Terminal.error(fault) }
            if !faults.isEmpty { throw ExitCode(1) }
        }
    }
}
