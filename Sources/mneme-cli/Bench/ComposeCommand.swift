import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeRecipes

/// `mneme compose`: searches for a composition of recipes' stages that finds more on your conversations, or does better on
/// made streams of tasks.
///
/// Exit code 1 if the embedding model is not here, 2 for a file that cannot be read.
struct ComposeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compose",
        abstract:
            "Search for a recipe of other recipes' stages that does best on your conversations or streams of tasks.",
        discussion: """
            Stages are exchanged at random and the best compositions go on. Half of the conversations are kept aside; on them \
            the winner is compared with the standard recipe. --recipe FILE uses what --output wrote; you may write such a file \
            yourself: {"name": "mine", "extractor": "lightmem", "retrieval": "arcmemo+hymem", "maintainer": "memorybank"}, or \
            "weights" of the ranker's features instead of a "ranker". With + between, stages stand one around the other.

            --stream searches on the made streams of mneme eval --stream, and compares on streams of other seeds; the score is \
            the mean of puzzles solved, errors not repeated, actions foretold and outlooks that were right. There the search \
            begins with every recipe as a whole, and with conversations with the standard one; --from names others.
            """)

    @Option(help: ArgumentHelp("A LoCoMo file (locomo10.json or one of its shape).", valueName: "file"))
    var data: String?
    @Flag(help: "Play made streams of tasks instead of conversations.") var stream = false
    @Option(help: ArgumentHelp("With --stream: tasks of a stream, about.", valueName: "number")) var tasks = 100
    @Option(
        help: ArgumentHelp(
            "With --stream: recipes that the winner is compared with, with commas between, or all.", valueName: "names")
    )
    var against: String?
    @Option(
        help: ArgumentHelp(
            "Recipes that are measured first and changed, with commas between, or all.", valueName: "names"))
    var from: String?
    @Option(help: "Compositions that are made and measured.") var steps = 12
    @Option(help: "Conversations of the file at most.") var limit: Int?
    @Option(help: "Another number gives another search.") var seed: UInt64 = 1
    @Option(name: .shortAndLong, help: ArgumentHelp("Write the winner here.", valueName: "file")) var output: String?
    @Flag(help: "Recall by words alone; needs no model.") var noEmbedder = false
    @Flag(help: "Print JSON.") var json = false

    /// Data or streams, and not both.
    func validate() throws {
        guard stream != (data != nil) else { throw ValidationError("Say either --data FILE or --stream.") }
        guard (8...10_000).contains(tasks) else { throw ValidationError("--tasks lies between 8 and 10000.") }
        guard stream || against == nil else { throw ValidationError("--against is of streams.") }
    }

    /// Searches, and prints what was measured.
    func run() async throws {
        guard (1...10_000).contains(steps) else { throw InputError("--steps lies between 1 and 10000.") }
        var search = try chosen()
        let others = try Self.names(against ?? "").map { try RecipeOption.recipe($0) }
        search.first = Self.names(from ?? (stream ? "all" : ""))
        let line = ProgressLine()
        let outcome = try await search.run(over: .standard, steps: steps, against: others) {
            line.show($0, $1, "compositions measured")
        }
        line.end()
        if let output {
            try AtomicFile.write(try JSONEncoder().encode(outcome.measured[0].composition), to: output)
        }
        if json { return print(try OperationTable.encode(outcome, pretty: true)) }
        for candidate in outcome.measured.prefix(5) {
            let parts = candidate.composition
            let stages = [
                ("extractor", parts.extractor), ("reconciler", parts.reconciler), ("retrieval", parts.retrieval),
                ("ranker", parts.ranker), ("maintainer", parts.maintainer),
            ].compactMap { name, of in of.map { "\(name) \($0)" } }
            print(
                String(format: "%.3f ", candidate.score),
                stages.isEmpty ? "standard" : stages.joined(separator: ", "))
        }
        let aside = String(format: "%.3f, and %.3f by the standard recipe.", outcome.best, outcome.standard)
        print("On the \(stream ? "streams" : "conversations") kept aside: \(aside)")
        for (name, score) in outcome.others.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            print(String(format: "%.3f ", score), name)
        }
    }

    /// Recipes by their names, with commas between, or all.
    private static func names(_ text: String) -> [String] {
        let named = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        return named == ["all"] ? RecipeCatalog.names : named
    }

    /// The search that the options ask for.
    private func chosen() throws -> RecipeSearch {
        guard let data else { return RecipeSearch(streamsOf: tasks, seed: seed) }
        guard limit ?? 2 > 1 else {
            throw InputError("--limit is at least 2: half of the conversations are kept aside.")
        }
        guard let file = FileManager.default.contents(atPath: data) else {
            throw InputError("\(data) cannot be read.")
        }
        let conversations = try LocomoConversation.read(file).prefix(limit ?? .max)
        let name = noEmbedder ? "none" : Settings.current.text(.embedder) ?? "minilm"
        return try RecipeSearch(
            Array(conversations), embedder: name == "none" ? nil : try Home.embedder(name), seed: seed)
    }
}
