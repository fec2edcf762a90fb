import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench

/// `mneme bench index`: recall, speed, memory and build time of each kind of vector index, on real
/// vectors, beside those of other libraries. Queries are for each second of CPU time, by one
/// thread.
///
/// The first run embeds the texts, which takes long; it goes on where it was cut off.
///
/// It writes FILE.npy beside the texts and the pictures that are asked for; indexes are built in a
/// temporary folder that is removed. A million vectors of 384 elements take 1.4 GiB of memory
/// before the first index is built.
struct BenchIndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract:
            "Recall and speed of vector search, memory, filters and updates, at several sizes.",
        discussion:
            "scripts/index_texts.py makes a file of texts from what a Debian system has; scripts/peers/index_peers.py measures other libraries on the same vectors."
    )

    /// The texts or vectors. The last `--queries` of them are the queries.
    @Argument(
        help:
            "Texts, one a line, which are embedded once into FILE.npy; or vectors as NumPy writes them (.npy, f32)."
    )
    var file: String
    /// Sizes to measure one after the other.
    @Option(
        parsing: .upToNextOption, help: "How many vectors; 10000 100000 1000000 as far as they go.")
    var sizes: [Int] = []
    @Option(help: "Queries: the last vectors of the file.") var queries = 1000
    /// Measurements of other libraries, as `scripts/peers/index_peers.py` writes them.
    @Option(help: ArgumentHelp("Show these measurements beside.", valueName: "json")) var peers: String?
    /// An SVG picture of the largest size that was measured.
    @Option(help: ArgumentHelp("Draw recall against speed at the largest size.", valueName: "svg"))
    var plot: String?
    /// An SVG picture of reads from disk over the size of the index.
    @Option(
        help: ArgumentHelp("Draw how much is read from disk as the index grows.", valueName: "svg"))
    var growth: String?
    @Flag(help: "Print JSON.") var json = false

    /// Embeds, measures, draws, and prints up to four tables: indexes, filters, disk, updates.
    func run() async throws {
        // Texts are embedded once; the vectors stay beside them for the next run and for peers.
        let vectors = file.hasSuffix(".npy") ? file : file + ".npy"
        if !FileManager.default.fileExists(atPath: vectors) {
            let progress = ProgressLine()
            try VectorFile.embed(lines: file, to: vectors, embedder: try Home.miniLM()) {
                progress.show($0, $1, "embedded")
            }
            progress.end()
        }
        let folder = NSTemporaryDirectory() + "/mneme-bench-index-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let report = try IndexBenchmark(
            file: vectors, sizes: sizes.isEmpty ? nil : sizes, queries: queries, peersFile: peers
        ).run(folder: folder) {
            if Terminal.isInteractive(STDERR_FILENO) { Terminal.note($0) }
        }
        // Drawn before the table, so that a file that cannot be written is told.
        let pictures = [
            (plot, report.rows.map(\.size).max().map { IndexBenchmark.plot(report, size: $0) }),
            (growth, IndexBenchmark.growth(report)),
        ]
        for case (let path?, let picture?) in pictures {
            try AtomicFile.write(Data(picture.utf8), to: path, mode: 0o644)
        }
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            String(
                format:
                    "%@: %d elements, %d queries, one thread; memory reads %.1f GB/s, a scan reaches %.0f%% of it",
                vectors, report.dimension,
                report.queries,
                report.bandwidth / 1e9, report.scanShare * 100))
        print(
            "index                        vectors  recall  queries/s  at 0.95  at 0.99  p50 ms  p99 ms  build s     MiB  open ms"
        )
        for row in report.rows {
            /// A number in a column of fixed width, or a dash where it was not measured.
            func text(_ value: Double?, _ format: String, _ width: Int) -> String {
                let text = value.map { String(format: format, $0) } ?? "–"
                return String(repeating: " ", count: max(0, width - text.count)) + text
            }
            // The first effort that finds 99 in 100, or the most that was reached.
            let point =
                row.points.first { $0.recall >= 0.99 } ?? row.points.max { $0.recall < $1.recall }
            print(
                row.name.padded(to: 26)
                    + text(Double(row.size), "%.0f", 10)
                    + text(point?.recall, "%.3f", 8)
                    + text(point?.queriesPerSecond, "%.0f", 11)
                    + text(
                        row.points.count > 1 ? IndexBenchmark.speed(row, recall: 0.95) : nil,
                        "%.0f", 9)
                    + text(
                        row.points.count > 1 ? IndexBenchmark.speed(row, recall: 0.99) : nil,
                        "%.0f", 9)
                    + text(row.p50, "%.2f", 8)
                    + text(row.p99, "%.2f", 8) + text(row.buildSeconds, "%.1f", 9)
                    + text(row.memory.map { Double($0) / 1_048_576 }, "%.0f", 8)
                    + text(row.openMilliseconds, "%.1f", 9))
        }
        if !report.filtered.isEmpty {
            print("graph, filtered to    recall  time of one without")
            for row in report.filtered {
                print(
                    String(
                        format: "  1 in %-6.0f          %.3f  %.2f", 1 / row.share, row.recall,
                        row.timesUnfiltered))
            }
        }
        if !report.clustered.isEmpty {
            print(
                "on disk    vectors  lists  MiB in memory  MiB on disk  build s  lists read  recall  pages   ms  ms cold"
            )
            for row in report.clustered {
                for point in row.points {
                    print(
                        String(
                            format: "%18d %6d %14.0f %12.0f %8.1f %11d %7.3f %6.0f %5.2f %7.2f",
                            row.size,
                            row.centroids, Double(row.memory) / 1_048_576,
                            Double(row.disk) / 1_048_576, row.buildSeconds, point.effort,
                            point.recall, point.pages,
                            point.warm, point.cold))
                }
            }
        }
        if let updates = report.updates {
            print(
                String(
                    format:
                        "a fifth replaced: %.0f a second on all threads, recall %.3f before and %.3f after",
                    updates.replacementsPerSecond,
                    updates.recallBefore, updates.recallAfter))
        }
    }
}
