import ArgumentParser
import Foundation
import Mneme
import MnemeFormats
import MnemeModels

extension AdaptersCommand {
    /// `mneme adapters merge`: a GGUF file of the model with the adapter's terms in its matrices.
    ///
    /// Exit code 2 for a model in a folder of safetensors, which PEFT merges.
    struct Merge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "merge",
            abstract: "Write a GGUF file of the model with an adapter's terms in it.")

        @Argument(help: "The adapter's name.") var name: String
        @Argument(help: "The file to write.") var output: String
        @Option(help: "The model, if not the one it was imported for.") var model: String?
        @Option(help: "f32, f16, q8_0 or q2_64.", transform: Self.target) var type = GGUFConversion.Target.f16

        private static func target(_ name: String) throws -> GGUFConversion.Target {
            guard let target = GGUFConversion.Target(rawValue: name.lowercased()) else {
                throw ValidationError(
                    "'\(name)' is not \(GGUFConversion.Target.allCases.map(\.rawValue).joined(separator: ", "))."
                )
            }
            return target
        }

        func run() async throws {
            let folder = try Home.adapters.folder(name)
            let base = try model ?? folder.record()?.base ?? folder.baseName() ?? ""
            guard case .gguf(let file) = try ModelSource(path: Home.languageModelPath(base)) else {
                throw InputError(
                    "'\(base)' is a folder of safetensors; GGUF files are merged here, folders by PEFT's merge_and_unload."
                )
            }
            let adapter = try folder.read(for: file.decoderConfiguration())
            let line = ProgressLine()
            try adapter.merge(into: file, as: type, path: output) {
                line.show(Int($0 * 100), 100, "percent")
            }
            line.end()
            print(output)
        }
    }
}
