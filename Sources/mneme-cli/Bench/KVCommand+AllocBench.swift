import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine
import MnemeModels

extension KVCommand {
    /// `mneme kv alloc-bench`: waste, latency and speed of attention for three ways to give
    /// sequences their memory. It is why the engine maps blocks side by side.
    ///
    /// Nothing is kept: the KV cache is neither read from the disk nor written. Exit code 2 if
    /// `--tokens` and the 64 tokens that are decoded do not fit the model's context.
    struct AllocBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "alloc-bench",
            abstract:
                "Compare ways to give sequences memory: waste, latency and speed of attention.",
            discussion: """
                reserve sets the whole context aside. aliases maps blocks side by side, as the engine does. table finds blocks through a table \
                (PagedAttention). commit is the time to get memory, +touch that to write to it first; again is both for what another text gives \
                up, emptied, as when memory is full. The best of the repetitions counts.
                """)
        @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
            "smollm2"
        /// Length of the prompt that is prefilled before decoding is timed.
        @Option(help: "Tokens of the prompt.") var tokens = 4096
        @Option(help: "Repetitions.") var repetitions = 3
        @Flag(help: "Print JSON.") var json = false

        /// Runs each allocator with the same prompt and prints a row for it.
        func run() async throws {
            let model = try Home.languageModel(model)
            guard tokens > 0, tokens + 64 <= model.decoder.configuration.contextLength else {
                throw InputError("--tokens does not fit the model's context.")
            }
            let rows = try KVAllocationBenchmark.run(
                model, tokens: tokens, repetitions: max(1, repetitions))
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print(
                "             memory    wasted   commit   +touch    again  prefill   decode   (µs a block of 32 tokens; tokens/s)"
            )
            for row in rows {
                let memory = String(
                    format: "%6.1f MiB %5d KiB", Double(row.bytes) / 1_048_576,
                    row.wastedBytes / 1024)
                let speed = String(
                    format: "%8.1f %8.1f %8.1f %8.0f %8.0f", row.commitMicroseconds,
                    row.touchMicroseconds,
                    row.againMicroseconds, row.prefill, row.decode)
                print(
                    "\(row.allocator.padded(to: 8)) \(memory) \(speed)"
                )
            }
        }
    }
}
