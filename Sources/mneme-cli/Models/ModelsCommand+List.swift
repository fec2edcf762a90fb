import ArgumentParser
import Foundation

extension ModelsCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the models in $MNEME_HOME/models.")

        func run() async throws {
            let files = FileManager.default
            for folder in ((try? files.contentsOfDirectory(atPath: Home.models)) ?? []).sorted()
            where !folder.hasPrefix(".") {
                for file
                    in ((try? files.contentsOfDirectory(atPath: Home.models + "/" + folder)) ?? [])
                    .sorted()
                where file.hasSuffix(".gguf") || file.hasSuffix(".safetensors") {
                    let size =
                        (try? files.attributesOfItem(atPath: "\(Home.models)/\(folder)/\(file)")[
                            .size] as? Int) ?? 0
                    print(
                        "\(folder.padded(to: 20))  \(String(format: "%6.0f MiB", Double(size) / 1_048_576))  \(file)"
                    )
                }
            }
        }
    }
}
