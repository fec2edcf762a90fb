import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine

extension KVCommand {
    /// `mneme kv stream`: whether a stream stays readable past the model's context, in how many bytes.
    ///
    /// A line for each window of tokens. Exit code 2 for a file that is no UTF-8 text, or a policy that
    /// cannot stream.
    struct Stream: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stream",
            abstract: "Perplexity and bytes of a stream that goes on past the model's context.",
            discussion: """
                The text is read token by token, from its beginning again where it ends, and rows are evicted on the way: by streamingllm, \
                which keeps the first rows and the last, at positions next to each other. A line tells of each window of tokens; perplexity \
                stays where it was if the policy holds. window and h2o end at the model's context.
                """)
        @Argument(help: "A text file.") var file: String
        @OptionGroup var language: LanguageModelOptions
        @Option(help: "The policy: streamingllm, window or h2o.") var policy = "streamingllm"
        @Option(help: "Rows of keys and values that a head keeps on average.") var budget = 1024
        @Option(help: "Tokens of the stream.") var tokens = 32_768
        @Option(help: "Tokens of a line of the table.") var window = 4096
        @Option(help: "Of so many tokens the last is predicted and counted.") var every = 8
        @Flag(help: "Print JSON, a line a window.") var json = false

        /// Prints windows as they come.
        func run() async throws {
            guard let data = FileManager.default.contents(atPath: file),
                let text = String(data: data, encoding: .utf8)
            else { throw InputError("\(file) cannot be read as UTF-8 text.") }
            let model = try language.open()
            var settings = KVStreamBenchmark.Settings()
            (settings.policy, settings.budget, settings.every) = (policy, budget, every)
            (settings.tokens, settings.window) = (tokens, window)
            if !json { print("    tokens  perplexity   rows      bytes  most bytes  tokens/s") }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            var failure: (any Error)?
            try KVStreamBenchmark.run(model, text: model.tokens(of: text), settings: settings) { window in
                guard json else {
                    return print(
                        String(
                            format: "%10d %11.3f %6.0f %10d %11d %9.0f", window.tokens, window.perplexity,
                            window.rows, window.bytes, window.peakBytes, window.tokensPerSecond))
                }
                do { print(String(decoding: try encoder.encode(window), as: UTF8.self)) } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }
}
