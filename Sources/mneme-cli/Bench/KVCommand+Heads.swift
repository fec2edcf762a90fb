import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine
import MnemeModels

extension KVCommand {
    /// `mneme kv heads`: keys and values on disk, of which two groups of heads are in memory at a time,
    /// beside all of them in memory: bytes in memory, what is read a token, speed, and whether the
    /// logits are the same bits.
    ///
    /// Nothing is kept. Exit code 1 if logits differ, 2 if `--tokens` does not fit the model's context.
    struct Heads: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "heads",
            abstract: "Compare keys and values on disk, two groups of heads in memory, with all in memory.",
            discussion: """
                Attention reads one group of heads while the next comes from the disk (HeadInfer). Memory is what the system counts; \
                hidden is the share of reading and writing that no step waited for. Answers of the server do not use it.
                """)
        @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
            "smollm2"
        /// Length of the prompt that tokens are computed behind.
        @Option(help: "Tokens of the prompt.") var tokens = 2048
        @Option(help: "Tokens behind it, one by one.") var tail = 16
        /// Numbers of heads, a row each.
        @Option(name: .customLong("group"), parsing: .upToNextOption, help: "Key-value heads of a group.")
        var groups = [1]
        @Flag(help: "Print JSON.") var json = false

        /// Refuses counts that make no sense.
        func validate() throws {
            guard tokens > 0, tail > 0, groups.allSatisfy({ $0 > 0 }) else {
                throw ValidationError("Tokens and heads of a group are one at least.")
            }
        }

        /// Runs the same tokens in each way and prints a row for it.
        func run() async throws {
            let model = try Home.languageModel(model)
            guard tokens + tail <= model.decoder.configuration.contextLength else {
                throw InputError("--tokens and --tail do not fit the model's context.")
            }
            let rows = try HeadwiseBenchmark.run(model, tokens: tokens, tail: tail, groups: groups)
            if json {
                print(try OperationTable.encode(rows, pretty: true))
            } else {
                print("heads   in memory  by formula  read a token  hidden  prefill  decode   logits")
                for row in rows {
                    let bytes = [row.residentBytes, row.formulaBytes, row.readBytesPerToken]
                        .map { String(format: "%7.2f MiB", Double($0) / 1_048_576) }.joined(separator: " ")
                    let rates = String(
                        format: "%5.0f%% %8.0f %7.1f", 100 * row.overlapped, row.prefill, row.decode)
                    let name = row.groupHeads == 0 ? "all" : "2 × \(row.groupHeads)"
                    print("\(name.padded(to: 6)) \(bytes) \(rates)   \(row.isEqual ? "equal" : "DIFFER")")
                }
            }
            if rows.contains(where: { !$0.isEqual }) { throw ExitCode(1) }
        }
    }
}
