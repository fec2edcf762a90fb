import ArgumentParser
import Foundation
import Mneme
import MnemeEngine

/// `mneme generate`: continues a text, without a chat template and without memory. The text goes to
/// standard output as it comes, figures to standard error where that is a terminal.
///
/// For base models, and for looking at a model without its template. Exit code 1 if the model is
/// missing or fails, 2 for a prompt that does not fit the context or sampling out of bounds.
struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Continue a text with a language model.")

    @Argument(help: "The text to continue.") var prompt: String
    @OptionGroup var language: LanguageModelOptions
    @Option(help: "An adapter of the model, as `mneme adapters` lists them.") var adapter: String?
    @Option(help: "The most tokens to write.") var maxTokens = 256
    /// Texts that end the answer; they are not written themselves.
    @Option(help: "End before this text; may be given several times.") var stop: [String] = []
    /// Without it `<|im_end|>` in a prompt is plain text, as users write it.
    @Flag(help: "Read names of special tokens in the prompt as those tokens.") var special = false
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var kv: KVOptions

    /// Streams one answer; the KV blocks of the prompt are kept when the engine is closed.
    func run() async throws {
        try Home.requireInUse(adapter)
        let model = try language.open()
        let engine = try kv.engine(model)
        defer { engine.close() }
        var request = GenerationRequest(prompt: model.tokens(of: prompt, special: special))
        request.maxTokens = maxTokens
        request.stop = stop
        request.adapter = adapter
        request.sampling = sampling.parameters
        var output = AnswerOutput()
        // Text as it comes, figures at the end.
        for try await event in try engine.generate(request) {
            switch event {
            case .token(let text, _, _, _): output.write(text)
            case .finished(_, let usage):
                print()
                fflush(nil)
                if output.isBlank {
                    Terminal.note(
                        "The model wrote nothing: it takes the text for complete. Models that follow instructions answer in `mneme chat`."
                    )
                }
                if Terminal.isInteractive(STDERR_FILENO) { Terminal.note(usage.summary) }
            }
        }
    }
}
