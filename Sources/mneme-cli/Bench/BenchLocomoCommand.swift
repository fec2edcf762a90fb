import ArgumentParser
import Foundation
import Mneme
import MnemeBench
import MnemeEmbedding

/// `mneme bench locomo`: how often recall finds the turns that answer LoCoMo's questions, by recall
/// mode and kind of question. `scripts/fit_fusion.py` fits the fusion weights on what `--features`
/// writes.
///
/// The columns any@k and all@k: the share of questions of which one piece, or all pieces, of the
/// evidence are among the first k. MRR: mean of 1 / rank of the first piece.
///
/// Without `--answers` no language model is asked: it measures recall alone. LoCoMo is not part of this
/// repository. Exit code 1 if the embedding model is not here.
struct BenchLocomoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locomo",
        abstract: "Recall of evidence turns on LoCoMo conversations, for recall and its parts.")

    /// The file `locomo10.json` of the data set, or one of its shape.
    @Argument(help: "A LoCoMo file.") var file: String
    /// The features of each turn, which fusion weights are fitted on.
    @Option(
        help: ArgumentHelp(
            "Also write the features of every turn for every question, for scripts/fit_fusion.py.",
            valueName: "file"))
    var features: String?
    @Option(
        help: "What finds the vectors: scan, graph, clusters or lookaside.",
        transform: {
            guard let index = LocomoBenchmark.Index(rawValue: $0) else {
                throw ValidationError(
                    "There is no index '\($0)': scan, graph, clusters or lookaside.")
            }
            return index
        }) var index = LocomoBenchmark.Index.scan
    /// Adds links between turns, so that recall can walk along them.
    @Flag(help: "Link the turns first, as the job `link` does.") var link = false
    /// A measurement of its own: a buffer of results as a cache before the index.
    @Flag(
        help:
            "Replay the conversations turn by turn before a buffer of what was just found, and report how often that knows the answer."
    ) var replay = false
    /// A measurement of its own: late interaction over token vectors. Recall does not use it.
    @Flag(help: "Rerank the fifty best by the vectors of single tokens, kept on disk.") var rerank =
        false

    /// The common runner of benchmarks, which answers as well.
    @Flag(
        help:
            "Answer the questions, too, and score the answers as LoCoMo's authors do; options as of `mneme bench recall`."
    )
    var answers = false
    @OptionGroup(title: "With --answers") var options: MemoryBenchOptions

    /// One of four measurements: answers, reranking, replaying, or recall itself.
    func run() async throws {
        if answers { return try await options.run(.locomo, file: file) }
        // What was measured and is not used: reranking by token vectors.
        if rerank {
            let progress = ProgressLine()
            let rows = try await LocomoBenchmark(file: file).rerank(
                encoder: try Home.miniLM().encoder()
            ) {
                progress.show($0, $1, $2)
            }
            progress.end()
            if options.json { return print(try OperationTable.encode(rows, pretty: true)) }
            print(
                "candidates   any@5 before  after   any@10 before  after   ms  KiB each  read ahead"
            )
            for row in rows {
                print(
                    row.mode.padded(to: 12),
                    String(
                        format: "%12.3f %6.3f %15.3f %6.3f %5.2f %8.1f %10.1f%%", row.before5,
                        row.after5, row.before10,
                        row.after10, row.milliseconds,
                        row.bytesEach / 1024, row.readAhead * 100))
            }
            return
        }
        // Likewise: a buffer of what was just found.
        if replay {
            let rows = try LocomoBenchmark(file: file).replay(embedder: try Home.miniLM())
            if options.json { return print(try OperationTable.encode(rows, pretty: true)) }
            print("slack  answered by the buffer  recall@10  µs there  µs of the index")
            for row in rows {
                print(
                    String(
                        format: "%5.2f %22.1f%% %10.3f %9.1f %16.1f", row.slack, row.hitRate * 100,
                        row.recall,
                        row.bufferMicroseconds, row.indexMicroseconds))
            }
            return
        }
        let progress = ProgressLine()
        let report = try await LocomoBenchmark(file: file).run(
            embedder: try Home.embedder(options.embedder ?? "minilm"), index: index, isLinked: link,
            featuresFile: features
        ) {
            progress.show($0, $1, $2)
        }
        progress.end()
        if options.json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.file): \(report.conversations) conversations, \(report.memories) turns; stored in \(String(format: "%.1f", report.storeSeconds)) s, embedded in \(String(format: "%.1f", report.embedSeconds)) s"
        )
        print(
            "mode     questions       any@1  any@5 any@10 any@20 any@50  all@5 all@10    MRR   p50 ms  p99 ms"
        )
        for row in report.rows {
            let name =
                row.category.map { "  " + ["", "multi-hop", "temporal", "open", "single-hop"][$0] }
                ?? row.mode
            let shares =
                [1, 5, 10, 20, 50].map { String(format: "%6.3f", row.any[$0] ?? 0) }
                + [5, 10].map { String(format: "%6.3f", row.all[$0] ?? 0) }
            print(
                name.padded(to: 14),
                String(format: "%5d", row.questions), " ",
                shares.joined(separator: " "),
                String(
                    format: "%6.3f  %7.2f %7.2f", row.meanReciprocalRank, row.p50Milliseconds,
                    row.p99Milliseconds))
        }
    }
}
