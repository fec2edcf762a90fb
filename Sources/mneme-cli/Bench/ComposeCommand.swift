import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench

/// `mneme compose`: searches for a composition of recipes' stages that finds more on your conversations.
///
/// Exit code 1 if the embedding model is not here, 2 for a file that cannot be read.
struct ComposeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compose",
        abstract: "Search for a recipe of other recipes' stages that finds most on your conversations.",
        discussion: """
            Stages are exchanged at random and the best compositions go on. Half of the conversations are kept aside; on them \
            the winner is compared with the standard recipe. --recipe FILE uses what --output wrote; you may write such a file \
            yourself: {"name": "mine", "extractor": "lightmem", "retrieval": "hymem", "maintainer": "memorybank"}, or "weights" of \
            the ranker's features instead of a "ranker".
            """)

    @Option(help: ArgumentHelp("A LoCoMo file (locomo10.json or one of its shape).", valueName: "file"))
    var data: String
    @Option(help: "Compositions that are measured.") var steps = 12
    @Option(help: "Conversations of the file at most.") var limit: Int?
    @Option(help: "Another number gives another search.") var seed: UInt64 = 1
    @Option(name: .shortAndLong, help: ArgumentHelp("Write the winner here.", valueName: "file")) var output: String?
    @Flag(help: "Recall by words alone; needs no model.") var noEmbedder = false
    @Flag(help: "Print JSON.") var json = false

    /// Searches, and prints what was measured.
    func run() async throws {
        guard (1...10_000).contains(steps) else { throw InputError("--steps lies between 1 and 10000.") }
        guard limit ?? 2 > 1 else {
            throw InputError("--limit is at least 2: half of the conversations are kept aside.")
        }
        guard let file = FileManager.default.contents(atPath: data) else {
            throw InputError("\(data) cannot be read.")
        }
        let conversations = try LocomoConversation.read(file).prefix(limit ?? .max)
        let name = noEmbedder ? "none" : Settings.current.text(.embedder) ?? "minilm"
        let search = try RecipeSearch(
            Array(conversations), embedder: name == "none" ? nil : try Home.embedder(name), seed: seed)
        let line = ProgressLine()
        let outcome = try await search.run(over: .standard, steps: steps) { line.show($0, $1, "compositions measured") }
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
        print(
            String(
                format: "On the conversations kept aside: %.3f, and %.3f by the standard recipe.", outcome.best,
                outcome.standard))
    }
}
