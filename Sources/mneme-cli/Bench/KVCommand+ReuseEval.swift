import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine

extension KVCommand {
    /// `mneme kv reuse-eval`: what it saves and costs to reuse cached texts at other positions of a
    /// prompt (`--kv-reuse`), by method and recompute ratio.
    ///
    /// The first token is in milliseconds; agreement is the share of tokens that equal those of a
    /// full prefill.
    ///
    /// KL divergence is in nats, against the full prefill in the first row. Nothing of the cache on
    /// disk is used. Exit code 2 for a file that is no text or for counts out of bounds.
    struct ReuseEval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reuse-eval",
            abstract: "What reusing texts at other positions of a prompt saves, and what it costs.",
            discussion: """
                Chunks of the text are computed in earlier prompts, each of which has half of them in the same order among other chunks, then put together \
                in one; a tail that follows one of them in the text is compared with a full prefill: how often the likeliest token is the same, and how far the distributions are apart. naive \
                computes nothing again, starts the beginning of each chunk (EPIC's LegoLink), cacheblend what changes most in the second layer, \
                cachecraft what looked most at other texts where it was computed, \
                attention what the question attends to, chunks the chunks that it attends to most.
                """)
        @Argument(help: "A text file.") var file: String
        /// Takes recalled memories for chunks, as `--kv-reuse` does in chats; `--chunks` times
        /// `--chunk-tokens` is then the least length of a prompt.
        @Flag(
            help:
                "The file is LoCoMo's: its questions are asked with the memories that recall finds, and the model's answers are compared."
        )
        var locomo = false
        @OptionGroup var language: LanguageModelOptions
        @Option(help: "Prompts.") var prompts = 10
        @Option(help: "Chunks in a prompt.") var chunks = 16
        @Option(help: "Tokens of a chunk.") var chunkTokens = 128
        @Option(help: "Tokens of the question, which end the prompt.") var question = 24
        /// Tokens that are compared with the full prefill; at least 2.
        @Option(help: "Tokens of the tail.") var tail = 64
        /// Recompute ratios, a row each and method.
        @Option(
            name: .customLong("share"), parsing: .upToNextOption,
            help: "Shares of the chunks' tokens that are computed again.") var shares = [
                0.05, 0.15, 0.3,
            ]
        /// Then one earlier prompt stands for all, whose tokens are found by locality-sensitive hashing.
        @Option(
            help:
                "Reuse an earlier prompt of the same text in other words, of whose tokens this share differs: tokens that are alike are matched (SemShareKV)."
        )
        var reworded: Double?
        @Flag(help: "Print JSON.") var json = false

        /// Cuts prompts from the file, or from conversations, and runs each method on the same
        /// ones.
        func run() async throws {
            guard prompts > 0, chunks > 0, chunkTokens > 0, question > 0, tail > 1,
                shares.allSatisfy({ (0...1).contains($0) }), (0...1).contains(reworded ?? 0)
            else {
                throw InputError(
                    "Counts are positive, the tail has two tokens at least, and shares lie between 0 and 1."
                )
            }
            let model = try language.open()
            let line = ProgressLine()
            // Real memories of conversations, or chunks of any text.
            let list: [ReuseBenchmark.Prompt]
            if locomo {
                list = try await ReuseBenchmark.prompts(
                    model, locomo: file, embedder: try Home.miniLM(), count: prompts,
                    least: chunks * chunkTokens)
            } else {
                guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                    throw InputError("\(file) cannot be read as UTF-8 text.")
                }
                list = try ReuseBenchmark.prompts(
                    model, text: model.tokens(of: text), count: prompts, chunks: chunks,
                    chunkTokens: chunkTokens,
                    question: question, tail: tail)
            }
            let rows = try ReuseBenchmark.run(model, prompts: list, answer: tail, shares: shares, reworded: reworded) {
                line.show($0, $1, "prompts")
            }
            line.end()
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            let tokens = list.reduce(0) { $0 + $1.chunks.joined().count } / max(1, list.count)
            print(
                "\(list.count) prompts with \(tokens) tokens of \(locomo ? "memories" : "chunks"), \(locomo ? "answers" : "tails") of up to \(tail)"
            )
            if let matched = rows.first?.matched {
                print(String(format: "like tokens were found for %.1f %% of them", matched * 100))
            }
            print("method       again   first token speed-up   same token   KL, nats   loss")
            for row in rows {
                print(
                    row.method.padded(to: 11),
                    String(
                        format: "%5.0f%% %10.1f ms %7.1f× %11.3f %10.4f %7.3f", row.share * 100,
                        row.milliseconds,
                        rows[0].milliseconds / row.milliseconds,
                        row.agreement, row.divergence, row.loss))
            }
        }
    }
}
