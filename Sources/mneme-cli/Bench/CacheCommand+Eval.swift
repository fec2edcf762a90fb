import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeCache

extension CacheCommand {
    /// `mneme cache eval`: what a cache of answers does with questions whose answers are known, by
    /// threshold alone, with rules for words, and with the policies of this machine's cache.
    ///
    /// Nothing of the cache is read or changed but its policies. Exit code 1 if the embedding model
    /// is not here, 2 for a file that holds no questions.
    struct Eval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "eval",
            abstract: "Measure hits, false hits and stale answers on a file of questions.",
            discussion: """
                A line is {"at": seconds, "question": text, "group": text, "version": number}: questions of one group have the same answer, whose version says \
                which one holds at that time. scripts/make_cache_data.py makes such files. recall: the share of questions asked before that get a right and \
                fresh answer; saved: calls that are not needed, of all questions.

                --examples plays lines of question, answer and large (what the large model says): kept answers handed out again, \
                shown to --model as examples by similarity, and by learned use with a router. scripts/make_example_data.py \
                makes such files. --cascade plays questions with a category, each --times over: a memory of exact inputs before \
                two small models that complement each other, beside one large model, all trained on --train.
                """)
        @Argument(help: "A file of questions, a JSON object a line.") var data: String
        @OptionGroup var file: CacheFileOptions
        @Option(help: ArgumentHelp("The embedding model.", valueName: "name")) var embedder: String?
        /// Then the file holds questions that two models have answered.
        @Flag(
            help:
                "Compare routers between a small and a large model instead, on lines of question, small and large (whether their answers are good), confidence, judged."
        )
        var route = false
        @Option(help: "With --route: the share from which the small model is asked.") var threshold = 0.7
        @Option(help: "With --route: what the small model costs, of the large one's price.") var price = 0.1
        @Option(
            help: ArgumentHelp(
                "Compare these thresholds of the cosine alone, with commas between.", valueName: "numbers"))
        var cosine: String?
        @Flag(help: "Compare answers as examples of a smaller model with answers handed out again.") var examples =
            false
        @Option(help: ArgumentHelp("With --examples: the smaller model, which runs here.", valueName: "name"))
        var model = "smollm2"
        @Flag(help: "Compare a memory before a cascade of two small models with one large model.") var cascade = false
        @Option(help: ArgumentHelp("With --cascade: what the models learn from.", valueName: "file")) var train: String?
        @Option(help: "With --cascade: how often each question is asked.") var times = 2
        @Flag(help: "With --cascade: print what the models did with each question, for --route.") var record = false
        @Flag(help: "Print pairs of questions for scripts/fit_cache.py instead.") var pairs = false
        @Flag(help: "Print JSON.") var json = false

        /// One kind of comparison at a time.
        func validate() throws {
            guard [route, examples, cascade, pairs, cosine != nil].count(where: \.self) < 2 else {
                throw ValidationError("--route, --examples, --cascade, --cosine and --pairs exclude each other.")
            }
            guard cascade == (train != nil), cascade || !record else {
                throw ValidationError("--cascade goes with --train FILE, and --record with both.")
            }
            guard (1...100).contains(times) else { throw ValidationError("--times lies between 1 and 100.") }
        }

        /// Reads the file whole before anything is measured.
        func run() async throws {
            guard let bytes = FileManager.default.contents(atPath: data) else {
                throw InputError("\(data) cannot be read.")
            }
            if route { return try compareRouters(bytes) }
            if examples { return try await compareExamples(bytes) }
            if cascade { return try compareCascade(bytes) }
            let questions = try CacheEvaluation.read(bytes)
            let policies =
                FileManager.default.fileExists(atPath: file.path)
                ? try file.open().policies() : CachePolicies()
            let name = embedder ?? Settings.current.text(.embedder) ?? "minilm"
            let evaluation = CacheEvaluation(questions, embedder: try Home.embedder(name))
            if pairs { return try evaluation.pairs { print($0) } }
            let line = ProgressLine()
            let ways = try thresholds.map(CacheEvaluation.cosineWays) ?? CacheEvaluation.ways(policies: policies)
            var rows: [CacheEvaluation.Row] = []
            for way in ways {
                rows.append(try evaluation.run(way))
                line.show(rows.count, ways.count, "ways")
            }
            line.end()
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print("way                    hits   exact similar   false  of hits   stale  recall   saved")
            func percent(_ value: Double) -> String { String(format: "%.1f%%", value * 100).leftPadded(to: 8) }
            for row in rows {
                let numbers = [row.exact, row.similar, row.falseHits].map { "\($0)".leftPadded(to: 8) }.joined()
                print(
                    row.name.padded(to: 19) + percent(row.hitRate) + numbers + " " + percent(row.falseShare)
                        + "\(row.stale)".leftPadded(to: 8) + percent(row.recall) + percent(row.callsSaved))
            }
        }

        /// The numbers of `--cosine`; nil without.
        private var thresholds: [Double]? {
            get throws {
                try cosine.map { list in
                    try list.split(separator: ",").map { word in
                        guard let value = Double(word.trimmingCharacters(in: .whitespaces)), (0...1).contains(value)
                        else {
                            throw InputError("'\(word.prefix(40))' is no threshold: numbers between 0 and 1.")
                        }
                        return value
                    }
                }
            }
        }

        /// Cost and quality of each router, on every other question; it learns from the rest.
        private func compareRouters(_ bytes: Data) throws {
            guard (0...1).contains(threshold), (0...1).contains(price) else {
                throw InputError("--threshold and --price lie between 0 and 1.")
            }
            let questions = try RoutedQuestion.list(bytes)
            let name = embedder ?? Settings.current.text(.embedder) ?? "minilm"
            let rows = try RouteEvaluation.run(
                questions, embedder: Home.embedder(name), threshold: threshold, price: price)
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print("router      chooses    small     good    cost")
            for row in rows {
                let all = Double(max(1, row.questions))
                let shares = [Double(row.small), Double(row.good), row.cost].map {
                    String(format: "%.1f%%", $0 / all * 100).leftPadded(to: 9)
                }
                print(row.router.padded(to: 12) + (row.stage?.rawValue ?? "-").padded(to: 8) + shares.joined())
            }
        }
    }
}
