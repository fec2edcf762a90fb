import ArgumentParser
import Crypto
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeRecipes

/// `mneme eval`: one table of what recipes find and what they cost, on conversations of the LoCoMo
/// format. Results are kept in a file a recipe, so that a run that was ended goes on where it
/// stopped.
///
/// The columns any@k and all@10: the share of questions of which one piece, or all pieces, of the
/// evidence are among the first k memories; time@10: any@10 of the questions that ask for times. Times
/// are without embedding, whose vectors are made once for all recipes.
///
/// With `--stream` made streams of tasks take the place of conversations, see `StreamEvaluation` of MnemeBench.
///
/// Exit code 1 if the embedding model is not here, 2 for a recipe or file that cannot be read.
struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Compare memory recipes by what they find and cost on your conversations, or on streams of tasks.",
        discussion: """
            Each recipe stores the conversations, does its maintenance and is asked every question; no language model \
            answers. Results are kept in $MNEME_HOME/eval for this program, data and limit; --again measures anew.

            --grid measures every structure of memories (chunks, triples, facts, summaries, mixed) with every search (single, \
            reranked, iterative), and the recipes that --recipes names beside them; build× and recall× are times as \
            multiples of chunks-single, which is flat memory. \(StructureGrid.granularities.joined(separator: ", ")): MemGAS \
            with one granularity.

            --stream needs no file: it makes puzzles whose rules recur, scenes on which errors repeat, a log of actions and \
            news from --seed, and plays each to the recipes as tasks that come one after the other. Who acts is a simple rule \
            that goes by what recall returns. Beside the recipes stand no memory, similarity alone, and similarity with a \
            memory for each agent of the team. Vectors are of hashed words; --no-embedder recalls by words alone.
            """)

    @Option(help: ArgumentHelp("Recipes with commas between, or all; with --grid none.", valueName: "names"))
    var recipes: String?
    @Flag(help: "Measure every structure of memories with every search.") var grid = false
    @Option(help: ArgumentHelp("A LoCoMo file (locomo10.json or one of its shape).", valueName: "file"))
    var data: String?
    @Option(help: "Conversations of the file at most.") var limit: Int?
    @Flag(help: "Play made streams of tasks instead of conversations.") var stream = false
    @Option(help: ArgumentHelp("With --stream: another number gives other streams.", valueName: "number"))
    var seed: UInt64 = 1
    @Option(help: ArgumentHelp("With --stream: tasks of a stream, about.", valueName: "number")) var tasks = 200
    @Flag(help: "Recall by words alone; needs no model.") var noEmbedder = false
    @OptionGroup var oracle: OracleOptions
    @Flag(help: "Measure anew what was measured before.") var again = false
    @Flag(help: "Print JSON.") var json = false

    /// Data or streams, and not both.
    func validate() throws {
        guard stream != (data != nil) else { throw ValidationError("Say either --data FILE or --stream.") }
        guard (8...10_000).contains(tasks) else { throw ValidationError("--tasks lies between 8 and 10000.") }
        guard !stream || (limit == nil && !again && !grid && oracle.oracle == nil) else {
            throw ValidationError("--limit, --again, --grid and --oracle are of conversations, not of --stream.")
        }
    }

    /// Measures what is not measured yet, and prints the table.
    func run() async throws {
        guard limit ?? 1 > 0 else { throw InputError("--limit is at least 1.") }
        let named = (recipes ?? (grid ? "" : "all")).split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }
        let names = (grid ? StructureGrid.names : []) + (named == ["all"] ? RecipeCatalog.names : named)
        guard !names.isEmpty else { throw InputError("--recipes names no recipe.") }
        let chosen = try names.map { try StructureGrid.recipe($0, over: .standard) ?? RecipeOption.recipe($0) }
        guard let data else { return try await playStreams(chosen) }
        guard let file = FileManager.default.contents(atPath: data) else {
            throw InputError("\(data) cannot be read.")
        }
        let conversations = try LocomoConversation.read(file).prefix(limit ?? .max)
        let asked = try oracle.remote()
        let folder = Home.folder + "/eval/" + key(file, asked)
        let evaluation = RecipeEvaluation(
            Array(conversations), embedder: try embedderName.map { try Home.embedder($0) },
            oracle: asked)
        var rows: [RecipeEvaluation.Row] = []
        let line = ProgressLine()
        let start = ContinuousClock.now
        // Those that are measured in this run tell how long the rest will take.
        var measured = 0
        let open = chosen.filter { again || kept(folder, $0.name) == nil }.count
        for recipe in chosen {
            if !again, let row = kept(folder, recipe.name) {
                rows.append(row)
                continue
            }
            let before = measured
            let row = try await evaluation.run(recipe) { done, total in
                let share = (Double(before) + Double(done) / Double(max(1, total))) / Double(open)
                let left = (ContinuousClock.now - start) / .seconds(1) * (1 - share) / max(share, 1e-3)
                line.show(
                    done, total,
                    "\(recipe.name), \(before + 1) of \(open) recipes, about \(Self.time(left)) left")
            }
            measured += 1
            rows.append(row)
            try keep(row, folder)
        }
        line.end()
        if json { return print(try OperationTable.encode(rows, pretty: true)) }
        print(
            "\((data as NSString).lastPathComponent): \(conversations.count) conversations, "
                + "\(evaluation.turns) turns, \(rows.first?.questions ?? 0) questions; ms without embedding"
        )
        for line in RecipeTable(rows).lines { print(line) }
    }

    /// Seconds as people say them.
    static func time(_ seconds: Double) -> String {
        seconds < 90 ? "\(Int(seconds.rounded(.up))) s" : "\(Int((seconds / 60).rounded(.up))) min"
    }

    /// The embedding model's name; nil if there is to be none.
    private var embedderName: String? {
        let name = noEmbedder ? "none" : Settings.current.text(.embedder) ?? "minilm"
        return name == "none" ? nil : name
    }

    /// Names what results depend on: the program, the data, and what is asked of it.
    private func key(_ file: Data, _ oracle: (any Oracle)?) -> String {
        let program = Bundle.main.executablePath.flatMap {
            try? FileManager.default.attributesOfItem(atPath: $0)
        }
        let built = (program?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        let parts = [
            "\(built)", "\(limit ?? 0)", embedderName ?? "", oracle?.name ?? "",
        ]
        var hash = SHA256()
        hash.update(data: Data(parts.joined(separator: "\n").utf8))
        hash.update(data: file)
        return hash.finalize().prefix(8).map { String(format: "%02x", $0) }.joined()
    }

    /// The result that an earlier run kept.
    private func kept(_ folder: String, _ name: String) -> RecipeEvaluation.Row? {
        FileManager.default.contents(atPath: "\(folder)/\(name).json").flatMap {
            try? JSONDecoder().decode(RecipeEvaluation.Row.self, from: $0)
        }
    }

    /// Keeps a result.
    private func keep(_ row: RecipeEvaluation.Row, _ folder: String) throws {
        try Privacy.makeFolder(folder)
        try AtomicFile.write(try JSONEncoder().encode(row), to: "\(folder)/\(row.recipe).json")
    }
}
