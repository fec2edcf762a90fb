import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine
import MnemeKV
import MnemeModels

/// `mneme bench kv`: how long the first token takes with the prompt computed, in memory, on disk or
/// on a server; and what sequences that share a prefix take of memory.
///
/// The table gives milliseconds to the first token and the speed-up over a full prefill. KV blocks
/// are written into a folder of this run and removed. Exit code 2 for `--tokens` out of bounds, 1
/// if the server cannot be reached.
struct BenchKVCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kv",
        abstract:
            "Time to the first token of a remembered context, and memory of sequences that share a prefix."
    )

    @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
        "smollm2"
    @Option(help: "Tokens of the prompt, 2000 at least.") var tokens = 4000
    @Option(help: "Repetitions; the median counts.") var repetitions = 3
    /// They differ each time, so that none of them is known.
    @Option(help: "New tokens behind the prompt, computed while its layers come or when all have; 0 for none.")
    var following = 256
    /// The server's URL. The blocks are sent as they are: the encryption key of this machine is not
    /// used.
    @Option(help: "A Redis or Valkey server to measure, too; its blocks of this prompt stay there.")
    var remote: String?
    @Flag(help: "Print JSON.") var json = false

    /// Measures in a folder of its own below `$MNEME_HOME`, on the same disk as the KV cache.
    func run() async throws {
        let model = try Home.languageModel(model)
        let folder = Home.folder + "/bench-kv-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard tokens >= 2000, following >= 0, tokens + following < model.decoder.configuration.contextLength,
            repetitions > 0
        else {
            throw InputError(
                "--tokens is 2000 at least, with --following below the model's context, \(model.decoder.configuration.contextLength)."
            )
        }
        let report = try await KVBenchmark.run(
            model, tokens: tokens, repetitions: repetitions, folder: folder, following: following,
            remote: remote.map { try RedisTier(url: $0) }
        ) {
            if Terminal.isInteractive(STDERR_FILENO) { Terminal.note($0) }
        }
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.model), a prompt of \(report.tokens) tokens, \(report.diskBytes / 1_048_576) MiB on disk"
        )
        print("                                                  first token  speed-up")
        // What the rows are called in the table.
        let names = [
            "anew": "full prefill", "memory": "from memory", "disk": "from disk, in its cache",
            "disk-cold": "from disk, cold", "remote": "from the server",
        ]
        for row in report.rows {
            let times =
                row.from == "anew" || row.following > 0
                ? "" : String(format: "%7.0f×", report.rows[0].milliseconds / row.milliseconds)
            let way = row.byLayers.map { ", \(row.following) behind\($0 ? ", by layers" : "")" } ?? ""
            print(
                ((names[row.from] ?? row.from) + way).padded(to: 48)
                    + String(format: "%9.1f ms", row.milliseconds) + times)
        }
        print(
            String(
                format:
                    "%d sequences share %d tokens: %.1f MiB once, and %.1f MiB for what each has of its own",
                report.sharing, report.sharedTokens,
                Double(report.sharedBytes) / 1_048_576, Double(report.furtherBytes) / 1_048_576))
    }
}
