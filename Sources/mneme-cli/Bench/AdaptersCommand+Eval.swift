import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeEngine
import MnemeModels
import MnemeTrain

extension AdaptersCommand {
    /// `mneme adapters eval`: what an adapter knows that the model does not, and what it costs
    /// elsewhere.
    ///
    /// Questions go through the model's chat template, as in training. Exit code 2 for a file that
    /// holds none, 1 for an adapter that cannot be used.
    struct Eval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "eval",
            abstract: "Measure answers with and without an adapter.")

        @Argument(help: "The adapter's name.") var name: String
        @Option(
            help: ArgumentHelp(
                """
                Lines of {\"prompt\": \"…\", \"answer\": \"…\"}: right is an answer that contains it. With "procedure" the \
                line names the one that the answer is to follow.
                """,
                valueName: "questions.jsonl"))
        var file: String
        @Option(help: "A text that has nothing to do with them, whose perplexity is measured.")
        var text: String?
        @Option(help: "The model, if not the one it was made for.") var model: String?
        @Option(help: "The most tokens of an answer.") var maxTokens = 64
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard (1...4096).contains(maxTokens) else {
                throw InputError("--max-tokens is 1 to 4096.")
            }
            let questions = try AdapterEvaluation.Question.read(file)
            let folder = try Home.adapters.folder(name)
            let base = try model ?? folder.record()?.base ?? folder.baseName() ?? ""
            let language = try Home.languageModel(base)
            let tokens = try text.map { path in
                guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                    throw InputError("\(path) cannot be read as UTF-8 text.")
                }
                return language.tokens(of: text)
            }
            let encoder = try ExampleEncoder(
                language.tokenizer, template: language.chatTemplate,
                limit: min(language.decoder.configuration.contextLength, 2048) - maxTokens)
            let engine = try Engine(language, adapters: Home.adapters)
            defer { engine.close() }
            let line = ProgressLine()
            defer { line.end() }
            let result = try await AdapterEvaluation.run(
                engine, adapter: name, questions: questions, text: tokens ?? [],
                maxTokens: maxTokens
            ) {
                let sequence = encoder.encode(
                    TrainingExample(prompt: $0.prompt, completion: $0.answer))
                return (sequence.tokens, sequence.promptTokens)
            } progress: {
                line.show($0, $1, "questions and windows of text")
            }
            line.end()
            if json { return print(try OperationTable.encode(result, pretty: true)) }
            show(result)
        }

        private func show(_ result: AdapterEvaluation) {
            func row(_ label: String, _ without: String, _ with: String) {
                print(Terminal.line("\(label.padded(to: 17))  \(without.padded(to: 12))  \(with)"))
            }
            func number(_ value: Double?) -> String { String(format: "%.3f", value ?? .nan) }
            let (a, b) = (result.without, result.with)
            row("\(result.questions) questions", "without", "with \(name)")
            row("answered right", "\(a.right)", "\(b.right)")
            if let procedures = b.procedures { row("procedure right", "", "\(procedures)") }
            row("loss of answers", number(a.answerLoss), number(b.answerLoss))
            guard let before = a.perplexity, let after = b.perplexity else { return }
            row(
                "perplexity", number(before),
                number(after) + String(format: " (%+.1f %%)", 100 * (after / before - 1)))
        }
    }
}
