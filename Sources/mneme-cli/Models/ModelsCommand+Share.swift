import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeModels

extension ModelsCommand {
    /// `mneme models share`: stores models as chains of blocks, of which equal ones are stored once: for
    /// variants of one model that differ in some layers.
    ///
    /// The models are left as they are; the copies are run by their paths as any model is. Two of them in
    /// one process have what they share in memory once. Exit code 2 for a folder of safetensors, 1 if a
    /// name is there already or the folder cannot be written.
    struct Share: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "share",
            abstract: "Store models so that layers that are equal are stored once.",
            discussion: """
                Each layer, and each tensor beside the layers, is a block, named by what it holds. FOLDER/NAME/NAME.gguf has a model's header \
                and lists its blocks, which lie in FOLDER/.blocks. `mneme models verify` compares blocks with their names.
                """)

        @Argument(help: "Models' names, or GGUF files.") var models: [String] = []
        /// Where models and blocks are written.
        @Option(help: "The folder of shared models.") var output: String
        @Flag(help: "Remove blocks that no model of the folder has any more.") var prune = false
        @Flag(help: "Print JSON.") var json = false

        /// What `--json` prints.
        struct Report: Encodable {
            var models: [BlockFolder.Added]
            /// Of blocks that no model had any more.
            var removedBlocks: Int, removedBytes: Int
        }

        /// Refuses to do nothing.
        func validate() throws {
            guard !models.isEmpty || prune else { throw ValidationError("Name models, or --prune.") }
        }

        /// Adds one model after the other, and says what each took.
        func run() async throws {
            let folder = BlockFolder(path: output)
            let line = ProgressLine()
            var report = Report(models: [], removedBlocks: 0, removedBytes: 0)
            for model in models {
                let path = try Home.languageModelPath(model)
                guard case .gguf(let file) = try ModelSource(path: path) else {
                    throw InputError("\(model) is a folder of safetensors. GGUF files are shared.")
                }
                let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
                report.models.append(
                    try folder.add(file, as: name) { line.show($0, $1, "blocks of \(name)") })
                line.end()
            }
            if prune { (report.removedBlocks, report.removedBytes) = try folder.prune() }
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            func size(_ bytes: Int) -> String { String(format: "%.1f MiB", Double(bytes) / 1_048_576) }
            for added in report.models {
                print(
                    "\(added.path): \(added.newBlocks) of \(added.blocks) blocks are new, \(size(added.storedBytes)) of \(size(added.bytes))"
                )
            }
            if prune { print("\(report.removedBlocks) blocks removed, \(size(report.removedBytes))") }
        }
    }
}
