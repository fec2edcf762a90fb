import ArgumentParser
import Mneme
import MnemeBase
import MnemeBench

/// `mneme bench load`: a store under load from many tenants: latencies, errors, memory over time,
/// and whether anybody ever saw a memory of another tenant.
///
/// Times are in milliseconds; memory is read once a minute.
///
/// For whoever sizes a server. The store is loaded first, in a temporary folder or in `--folder`,
/// which is kept, and the time that it will take is told; then writers and readers run side by side. Exit code 2 for counts out of bounds.
struct BenchLoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract:
            "Many tenants at once: writers and readers for some minutes, with latencies, errors and memory.",
        discussion: "Each client has the rights of one tenant.")

    @Option(help: "Tenants, each with one user.") var tenants = 10
    @Option(help: "Memories of each tenant before the load.") var memories = 10_000
    @Option(help: "Clients that remember.") var writers = 8
    /// The rate that each writer aims at.
    @Option(help: "Memories a second of each writer.") var rate = 10.0
    @Option(help: "Clients that recall.") var readers = 8
    /// The rate of each reader; without one it asks again as soon as it has the answer.
    @Option(help: "Questions a second of each reader; as fast as the answers come if left out.")
    var asks: Double?
    @Option(help: "How long.") var minutes = 1.0
    @Option(
        help: ArgumentHelp(
            "Folder for the store; a temporary one if left out. What it holds is not loaded again.",
            valueName: "folder"
        )) var folder: String?
    /// A store that is there stays, with what the benchmark puts into it.
    @Option(
        help: ArgumentHelp(
            "A database instead, postgres://USER@HOST/DATABASE; made for this, as the tenants stay in it.",
            valueName: "url")) var store: String?
    @Option(help: "Servers that share the database, all in this process.") var servers = 1
    @Flag(help: "Make vectors from the words' hashes instead of by the model: for the store's own speed.")
    var madeVectors = false
    @Flag(help: "Print JSON.") var json = false

    /// Checks the counts first, then loads and measures in MnemeBench.
    func run() async throws {
        guard tenants > 0, memories > 0, writers >= 0, readers >= 0, rate > 0, asks ?? 1 > 0,
            minutes > 0,
            writers < 1000, readers < 1000
        else {
            throw InputError(
                "Tenants, memories, rate and minutes are above 0; there are fewer than 1,000 writers and readers."
            )
        }
        guard (1...100).contains(servers), store != nil || servers == 1 else {
            throw InputError("Several servers, 100 at most, share a database: name it with --store.")
        }
        let shared = try store.map { store in
            guard Home.isDatabase(store) else {
                throw InputError("--store is the URL of a database here; --folder names a place for a file.")
            }
            return try (0..<servers).map { _ in try Home.memoryStore(store) }
        }
        let progress = ProgressLine()
        let report = try await LoadBenchmark(
            tenants: tenants, memories: memories, writers: writers, readers: readers,
            writesPerSecond: rate,
            asksPerSecond: asks,
            seconds: minutes * 60, folder: folder
        ).run(embedder: try madeVectors ? HashedWordsEmbedder() : Home.miniLM(), shared: shared ?? []) {
            progress.show($0, $1, $2)
        } note: { seconds in
            progress.end()
            Terminal.note("This takes about \(Int((seconds / 60).rounded(.up))) minutes.")
        }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(report.summary)
    }
}
