import ArgumentParser
import Foundation
import MnemeBase
import MnemeModels

extension ModelsCommand {
    /// `mneme models convert`: a GGUF file with weights of another type: fewer bits for less
    /// memory, or F32 where each bit counts.
    ///
    /// The file is there whole or not at all. Exit code 2 for a folder of safetensors, which is run
    /// as it is.
    ///
    /// It prints path and size of the result; progress is on standard error. Exit code 2 for a type
    /// that is none of the three, 1 if the model cannot be read.
    struct Convert: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "convert",
            abstract: "Write a GGUF file with weights of another type.",
            discussion:
                "Fewer bits lose precision; more gain none, but that F16 and BF16 run in 12 bits and F32 in all of its own."
        )

        @Argument(help: "A model's name, or a GGUF file.") var model: String
        /// The path of the result, which needs room beside the model.
        @Argument(help: "The file to write.") var output: String
        /// The weight type of the result.
        @Option(help: "f32, f16, q8_0 or q2_64.", transform: Self.target) var type = GGUFConversion.Target
            .q8_0

        /// The type that `--type` names, in any case.
        private static func target(_ name: String) throws -> GGUFConversion.Target {
            guard let target = GGUFConversion.Target(rawValue: name.lowercased()) else {
                throw ValidationError(
                    "'\(name)' is not \(GGUFConversion.Target.allCases.map(\.rawValue).joined(separator: ", "))."
                )
            }
            return target
        }

        /// Converts GGUF files only, and reports the size of the result.
        func run() async throws {
            // Folders of the hub have no GGUF metadata to keep.
            guard case .gguf(let file) = try ModelSource(path: Home.languageModelPath(model)) else {
                throw InputError(
                    "Folders of safetensors are run as they are; GGUF files are converted.")
            }
            let line = ProgressLine()
            try GGUFConversion.convert(file, to: type, path: output) {
                line.show(Int($0 * 100), 100, "percent")
            }
            line.end()
            let size =
                (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int) ?? 0
            print("\(output), \(String(format: "%.0f", Double(size) / 1_048_576)) MiB")
        }
    }
}
