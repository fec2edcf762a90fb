import ArgumentParser
import Foundation
import MnemeBase
import MnemeEngine

/// `mneme perplexity`: how well a model predicts a text: exp of the mean negative log-likelihood
/// over the second half of each window, as llama.cpp counts it. For comparing weight types and
/// kernels; lower is better.
///
/// It prints perplexity, tokens counted and windows; the running value is on standard error.
/// Figures of two models compare only over the same text, window and tokenizer. Exit code 1 if the
/// model or the file cannot be read.
struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "How surprised a model is by a text (as llama.cpp measures it).")

    @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model: String
    @Argument(help: "A text file.") var file: String
    /// Length of a window; llama.cpp's default is 512 as well.
    @Option(help: "Tokens of a window.") var context = 512
    @Option(help: "Windows at most.") var windows: Int?
    @Flag(help: "Print JSON.") var json = false

    /// Counts windows from the beginning of the text, at most `--windows` of them.
    func run() async throws {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ModelError(.missingFile, "\(file) cannot be read as UTF-8 text.")
        }
        let model = try Home.languageModel(model)
        let progress = ProgressLine()
        let result = try Perplexity.measure(
            model, tokens: model.tokens(of: text), context: context, limit: windows
        ) {
            done, total, value in
            progress.show(done, total, String(format: "windows, perplexity %.3f", value))
        }
        progress.end()
        if json { return print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self)) }
        print(
            String(
                format: "%.4f over %d tokens in %d windows of %d", result.perplexity, result.tokens,
                result.windows,
                context))
    }
}
