import ArgumentParser
import Foundation
import Mneme
import MnemeModels

extension ModelsCommand {
    /// `mneme models inspect`: architecture, shapes and sizes from a model's headers: for choosing
    /// a context length, and for seeing how much memory a token takes. No weights are loaded.
    ///
    /// Exit code 1 if the model is not here, or its headers cannot be read.
    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inspect",
            abstract: "Show a model's architecture, shapes, bytes by type, context and template.")

        @Argument(help: "A model's name, a GGUF file, or a folder.") var model: String
        @Flag(help: "Print JSON.") var json = false

        /// The figures that are shown; `--json` prints them. `kvBytesPerToken` counts keys and
        /// values in f16, two bytes each, over all layers.
        struct Report: Encodable {
            var path, architecture, window: String
            var parameters, layers, hiddenSize, heads, kvHeads, contextLength, vocabularySize: Int
            var bytesByType: [String: Int]
            var kvBytesPerToken: Int
            var chatTemplate: String?
        }

        /// Reads headers and prints one block of lines, or the report as JSON.
        func run() async throws {
            // Header and tensors' shapes only; no weights are read.
            let file = try ModelSource(path: Home.languageModelPath(model))
            let c = try file.configuration()
            let tensors = file.tensors
            let report = Report(
                path: file.path, architecture: c.architecture,
                window: c.slidingWindow.map {
                    "\($0) positions in \((0..<c.layers).filter { c.window(layer: $0) != nil }.count) layers"
                }
                    ?? "all positions in all layers",
                parameters: tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }, layers: c.layers,
                hiddenSize: c.hiddenSize, heads: c.heads, kvHeads: c.kvHeads,
                contextLength: c.contextLength,
                vocabularySize: c.vocabularySize,
                bytesByType: Dictionary(tensors.map { ($0.type, $0.bytes) }, uniquingKeysWith: +),
                kvBytesPerToken: 4 * c.layers * c.kvSize, chatTemplate: file.chatTemplate)
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                """
                \(report.path)
                architecture  \(report.architecture), \(String(format: "%.1f", Double(report.parameters) / 1e6)) million parameters
                layers        \(report.layers), \(report.hiddenSize) wide, \(report.heads) heads over \(report.kvHeads) KV heads
                window        \(report.window)
                context       \(report.contextLength) tokens, \(report.kvBytesPerToken) bytes of KV cache each
                vocabulary    \(report.vocabularySize) tokens
                weights       \(report.bytesByType.sorted { $0.value > $1.value }.map { "\($0.key) \(String(format: "%.1f MiB", Double($0.value) / 1_048_576))" }.joined(separator: ", "))
                template      \(report.chatTemplate.map { "\($0.utf8.count) bytes of Jinja" } ?? "none")
                """)
        }
    }
}
