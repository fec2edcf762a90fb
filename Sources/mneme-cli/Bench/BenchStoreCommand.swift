import ArgumentParser
import Mneme
import MnemeBench

/// `mneme bench store`: writes and questions a second at a size of the store, over made-up
/// sentences from a fixed seed. With an encryption key set, the store is encrypted.
///
/// It loads `--memories`, then times single writes and questions. The store is a temporary one
/// unless `--folder` names a place, whose memories are not loaded again. Exit code 1 if the embedding
/// model is not here and vectors are not made from words.
struct BenchStoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Writes and recalls a second, with latencies, at a size of your choice.")

    @Option(help: "Memories to load before recalling.") var memories = 10_000
    @Option(help: "Single writes to time.") var writes = 500
    @Option(help: "Questions to time.") var questions = 300
    @Option(
        help: ArgumentHelp(
            "Folder for the store, to be kept; a temporary one if left out.", valueName: "folder")) var folder: String?
    @Flag(help: "Make vectors from the words' hashes instead of by the model: to reach a million soon.")
    var madeVectors = false
    @Flag(help: "Print JSON.") var json = false

    /// Encrypts the store of the benchmark if an encryption key is set on this machine.
    func run() async throws {
        let progress = ProgressLine()
        let report = try await StoreBenchmark(
            memories: memories, writes: writes, questions: questions, folder: folder,
            key: Home.encryptionKey()
        )
        .run(embedder: madeVectors ? HashedWordsEmbedder() : Home.miniLM()) { progress.show($0, $1, $2) }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(report.summary)
    }
}
