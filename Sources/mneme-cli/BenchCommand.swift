import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEmbedding
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeNumerics

/// Measurements, each a program.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract:
            "Measure recall quality, embedding, the store, language models and what they keep on this machine.",
        subcommands: [
            BenchLocomoCommand.self, BenchEmbedCommand.self, BenchStoreCommand.self,
            BenchLoadCommand.self,
            BenchLLMCommand.self, BenchKVCommand.self,
            BenchIndexCommand.self, BenchKernelsCommand.self,
        ])
}

struct BenchLocomoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locomo",
        abstract: "Recall of evidence turns on LoCoMo conversations, for recall and its parts.")

    @Argument(help: "A LoCoMo file.") var file: String
    @Flag(help: "Print JSON.") var json = false
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
    @Flag(help: "Link the turns first, as the job `link` does.") var link = false
    @Flag(
        help:
            "Replay the conversations turn by turn before a buffer of what was just found, and report how often that knows the answer."
    ) var replay = false
    @Flag(help: "Rerank the fifty best by the vectors of single tokens, kept on disk.") var rerank =
        false

    func run() async throws {
        if rerank {
            let progress = ProgressLine()
            let rows = try await LocomoBenchmark(file: file).rerank(
                encoder: try Home.embedder().encoder()
            ) {
                progress.show($0, $1, $2)
            }
            progress.end()
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print(
                "candidates   any@5 before  after   any@10 before  after   ms  KiB each  read ahead"
            )
            for row in rows {
                print(
                    row.mode.padding(toLength: 12, withPad: " ", startingAt: 0),
                    String(
                        format: "%12.3f %6.3f %15.3f %6.3f %5.2f %8.1f %10.1f%%", row.before5,
                        row.after5, row.before10,
                        row.after10, row.milliseconds,
                        row.bytesEach / 1024, row.readAhead * 100))
            }
            return
        }
        if replay {
            let rows = try LocomoBenchmark(file: file).replay(embedder: try Home.embedder())
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
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
            embedder: try Home.embedder(), index: index, isLinked: link, featuresFile: features
        ) {
            progress.show($0, $1, $2)
        }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
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
                name.padding(toLength: 14, withPad: " ", startingAt: 0),
                String(format: "%5d", row.questions), " ",
                shares.joined(separator: " "),
                String(
                    format: "%6.3f  %7.2f %7.2f", row.meanReciprocalRank, row.p50Milliseconds,
                    row.p99Milliseconds))
        }
    }
}

struct BenchKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract:
            "Speed of each matrix product on each instruction set of this machine, by one thread.")

    @Option(help: "Columns of the product, a multiple of 16.") var outputs = 1536
    @Option(help: "Length of a row, a multiple of 64.") var inputs = 576
    @Option(parsing: .upToNextOption, help: "Rows of activations.") var rows = [1, 8, 64, 512]
    @Option(help: "Seconds for each measurement.") var seconds = 0.2
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (16...65_536).contains(outputs), outputs % 16 == 0 else {
            throw ValidationError("--outputs is a multiple of 16, at most 65536.")
        }
        guard (64...65_536).contains(inputs), inputs % 64 == 0 else {
            throw ValidationError("--inputs is a multiple of 64, at most 65536.")
        }
        guard rows.allSatisfy((1...4096).contains) else {
            throw ValidationError("--rows are 1 to 4096.")
        }
    }

    func run() throws {
        let progress = ProgressLine()
        let report = KernelBenchmark.run(
            outputs: outputs, inputs: inputs, rows: rows, seconds: seconds
        ) {
            progress.show($0, $1, "measured")
        }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "rows × \(inputs) × \(outputs), one thread, billions of multiply-adds a second (share of the path's peak)"
        )
        print("format        path    " + rows.map { "\($0) rows".leftPadded(to: 15) }.joined())
        for start in stride(from: 0, to: report.rows.count, by: rows.count) {
            let line = report.rows[start..<start + rows.count]
            let cells = line.map { row in
                let share = row.shareOfPeak.map { String(format: " (%2.0f%%)", $0 * 100) } ?? ""
                return (String(format: "%.1f", row.gigaMultiplyAdds) + share).leftPadded(to: 15)
            }
            let name = line[start].format.padding(toLength: 14, withPad: " ", startingAt: 0)
            print(
                name + line[start].path.padding(toLength: 8, withPad: " ", startingAt: 0)
                    + cells.joined())
        }
    }
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}

struct BenchEmbedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Texts a second of the embedder, per precision, and its share of the matrix peak."
    )

    @Option(
        help: ArgumentHelp("One text a line; a built-in sample if left out.", valueName: "file"))
    var texts: String?
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Option(help: "Seconds for each measurement.") var seconds = 3.0
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        _ = try Home.embedder()
        let report = try EmbedBenchmark.run(
            folder: Home.model, textsFile: texts, threads: threads, seconds: seconds)
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.texts) texts of \(String(format: "%.1f", report.meanTokens)) tokens, \(report.threads) threads, \(report.features.joined(separator: " "))"
        )
        print("precision  batch  texts/s  median ms  GFLOP/s  share of peak")
        for row in report.rows {
            print(
                row.precision.padding(toLength: 10, withPad: " ", startingAt: 0),
                String(
                    format: "%5d %8.1f  %9.2f  %7.0f", row.batch, row.textsPerSecond,
                    row.medianMilliseconds,
                    row.gigaflops),
                row.shareOfPeak.map { String(format: "  %4.0f%%", $0 * 100) } ?? "     –")
        }
    }
}

struct BenchStoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Writes and recalls a second, with latencies, at a size of your choice.")

    @Option(help: "Memories to load before recalling.") var memories = 10_000
    @Option(help: "Single writes to time.") var writes = 500
    @Option(help: "Questions to time.") var questions = 300
    @Option(
        help: ArgumentHelp(
            "Folder for the store; a temporary one if left out.", valueName: "folder")) var folder: String?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let progress = ProgressLine()
        let report = try await StoreBenchmark(
            memories: memories, writes: writes, questions: questions, folder: folder,
            key: Home.encryptionKey()
        )
        .run(embedder: try Home.embedder()) { progress.show($0, $1, $2) }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(report.summary)
    }
}

struct BenchLoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract:
            "Many tenants at once: writers and readers for some minutes, with latencies, errors and memory.",
        discussion: "Each client has the rights of one tenant.")

    @Option(help: "Tenants, each with one user.") var tenants = 10
    @Option(help: "Memories of each tenant before the load.") var memories = 10_000
    @Option(help: "Clients that remember.") var writers = 8
    @Option(help: "Memories a second of each writer.") var rate = 10.0
    @Option(help: "Clients that recall.") var readers = 8
    @Option(help: "Questions a second of each reader; as fast as the answers come if left out.")
    var asks: Double?
    @Option(help: "How long.") var minutes = 1.0
    @Option(
        help: ArgumentHelp(
            "Folder for the store; a temporary one if left out. What it holds is not loaded again.",
            valueName: "folder"
        )) var folder: String?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        guard tenants > 0, memories > 0, writers >= 0, readers >= 0, rate > 0, asks ?? 1 > 0,
            minutes > 0,
            writers < 1000, readers < 1000
        else {
            throw InputError(
                "Tenants, memories, rate and minutes are above 0; there are fewer than 1,000 writers and readers."
            )
        }
        let progress = ProgressLine()
        let report = try await LoadBenchmark(
            tenants: tenants, memories: memories, writers: writers, readers: readers,
            writesPerSecond: rate,
            asksPerSecond: asks,
            seconds: minutes * 60, folder: folder
        ).run(embedder: try Home.embedder()) { progress.show($0, $1, $2) }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(report.summary)
    }
}

struct BenchLLMCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llm",
        abstract:
            "Prefill and decode of a language model, and their share of what the machine can do.")

    @Argument(help: "A model's name, or a GGUF file.") var model: String
    @Option(name: .customLong("prompt"), parsing: .upToNextOption, help: "Lengths of prompts.")
    var prompts = [
        128, 512, 2048,
    ]
    @Option(parsing: .upToNextOption, help: "Sequences that decode at once.") var sequences = [
        1, 8,
    ]
    @Option(help: "Tokens of an answer.") var answer = 128
    @Option(help: "Repetitions; the best counts.") var repetitions = 3
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let model = try Home.languageModel(model, threads: threads)
        let report = try LLMBenchmark.run(
            model, prompts: prompts, sequences: sequences, answer: max(1, answer),
            repetitions: max(1, repetitions))
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.model), \(report.threads) threads, \(report.features.joined(separator: " "))")
        print(
            String(
                format: "weights %.0f MiB packed, process at most %.0f MiB, memory reads %.1f GB/s",
                Double(report.weightBytes) / 1_048_576,
                Double(report.peakBytes) / 1_048_576, report.bandwidth / 1e9))
        print("            tokens/s")
        for row in report.rows {
            let name = row.kind == "prefill" ? "prefill \(row.tokens)" : "decode ×\(row.sequences)"
            let share =
                row.share.map {
                    String(
                        format: "  %3.0f%% of the %@", $0 * 100,
                        row.kind == "prefill" ? "int8 peak" : "bandwidth")
                } ?? ""
            print(
                name.padding(toLength: 12, withPad: " ", startingAt: 0)
                    + String(format: "%8.1f", row.tokensPerSecond)
                    + share)
        }
    }
}

struct BenchKVCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kv",
        abstract:
            "Time to the first token of a remembered context, and memory of sequences that share a beginning."
    )

    @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
        "smollm2"
    @Option(help: "Tokens of the prompt, 2000 at least.") var tokens = 4000
    @Option(help: "Repetitions; the median counts.") var repetitions = 3
    @Option(help: "A Redis or Valkey server to measure, too; its blocks of this prompt stay there.")
    var remote: String?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let model = try Home.languageModel(model), folder = Home.folder + "/bench-kv-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard tokens >= 2000, tokens < model.decoder.configuration.contextLength, repetitions > 0
        else {
            throw InputError(
                "--tokens lies between 2000 and the model's context, \(model.decoder.configuration.contextLength)."
            )
        }
        let report = try await KVBenchmark.run(
            model, tokens: tokens, repetitions: repetitions, folder: folder,
            remote: remote.map { try RedisTier(url: $0) }
        ) {
            if Terminal.isInteractive(STDERR_FILENO) { Terminal.note($0) }
        }
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.model), a prompt of \(report.tokens) tokens, \(report.diskBytes / 1_048_576) MiB on disk"
        )
        print("                              first token   sooner")
        let names = [
            "anew": "computed anew", "memory": "from memory", "disk": "from disk, in its cache",
            "disk-cold": "from disk, cold", "remote": "from the server",
        ]
        for row in report.rows {
            let times =
                row.from == "anew"
                ? "" : String(format: "%7.0f×", report.rows[0].milliseconds / row.milliseconds)
            print(
                (names[row.from] ?? row.from).padding(toLength: 28, withPad: " ", startingAt: 0)
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

struct BenchIndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract:
            "Recall and speed of vector search, memory, filters and updates, at several sizes.",
        discussion:
            "scripts/index_texts.py makes a file of texts from what a Debian system has; scripts/peers/index_peers.py measures other libraries on the same vectors."
    )

    @Argument(
        help:
            "Texts, one a line, which are embedded once into FILE.npy; or vectors as NumPy writes them (.npy, f32)."
    )
    var file: String
    @Option(
        parsing: .upToNextOption, help: "How many vectors; 10000 100000 1000000 as far as they go.")
    var sizes: [Int] = []
    @Option(help: "Queries: the last vectors of the file.") var queries = 1000
    @Option(help: ArgumentHelp("Show these measurements beside.", valueName: "json")) var peers: String?
    @Option(help: ArgumentHelp("Draw recall against speed at the largest size.", valueName: "svg"))
    var plot: String?
    @Option(
        help: ArgumentHelp("Draw how much is read from disk as the index grows.", valueName: "svg"))
    var growth: String?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let vectors = file.hasSuffix(".npy") ? file : file + ".npy"
        if !FileManager.default.fileExists(atPath: vectors) {
            let progress = ProgressLine()
            try VectorFile.embed(lines: file, to: vectors, embedder: try Home.embedder()) {
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
        let pictures = [
            (plot, report.rows.map(\.size).max().map { IndexBenchmark.plot(report, size: $0) }),
            (growth, IndexBenchmark.growth(report)),
        ]
        for case (let path?, let picture?) in pictures {
            guard FileManager.default.createFile(atPath: path, contents: Data(picture.utf8)) else {
                throw FileError(path)
            }
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
            func text(_ value: Double?, _ format: String, _ width: Int) -> String {
                let text = value.map { String(format: format, $0) } ?? "–"
                return String(repeating: " ", count: max(0, width - text.count)) + text
            }
            // The first effort that finds 99 in 100, or the most that was reached.
            let point =
                row.points.first { $0.recall >= 0.99 } ?? row.points.max { $0.recall < $1.recall }
            print(
                row.name.padding(toLength: 26, withPad: " ", startingAt: 0)
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
