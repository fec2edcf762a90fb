import ArgumentParser
import Foundation
import MnemeBase
import MnemeModels

extension ModelsCommand {
    /// `mneme models tokenize`: token ids of texts, a JSON line each. `scripts/check_tokenizers.py`
    /// compares them with the reference tokenizers.
    ///
    /// Exit code 2 for a line that is no JSON string.
    ///
    /// It answers line by line and ends with the input.
    struct Tokenize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "tokenize",
            abstract: "Print the token ids of texts.",
            discussion:
                "Each line of standard input is a text as a JSON string; each line of the output is the list of its ids."
        )

        @Argument(help: "A model's name, or a GGUF file (its vocabulary is enough).") var model: String
        /// True makes `<|im_end|>` one token; without it a text cannot hold special tokens.
        @Flag(help: "Read names of special tokens in the texts as those tokens.") var special =
            false

        /// Loads the tokenizer without the weights.
        func run() async throws {
            let tokenizer = try ModelSource(path: Home.languageModelPath(model)).tokenizer()
            let decoder = JSONDecoder()
            // Line by line, so that a program can ask as it goes.
            while let line = readLine() {
                guard let text = try? decoder.decode(String.self, from: Data(line.utf8)) else {
                    throw InputError("This line is not a JSON string: \(line.prefix(80))")
                }
                print(
                    "[\(tokenizer.encode(text, special: special).map(String.init).joined(separator: ","))]"
                )
            }
        }
    }
}
