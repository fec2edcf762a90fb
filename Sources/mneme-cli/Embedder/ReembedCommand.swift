import ArgumentParser
import Mneme

/// `mneme reembed`: makes the vectors that are missing or of another embedder, with the embedder in
/// use.
///
/// A batch at a time is stored, so that an interrupted run goes on where it was, and other processes
/// recall meanwhile. `mneme jobs add embed` has a running server do the same in the background, with
/// the embedder that it was started with. Exit code 1 if a text could not be embedded.
struct ReembedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reembed",
        abstract: "Make the vectors that are missing or of another embedding model.",
        discussion: """
            After `mneme embedder use NAME`. What has a new vector is found by it at once, the rest by its old vector where that model is still here, else \
            by words. An interrupted run goes on where it was. `mneme jobs add embed` does it in the background of a server.
            """)

    @OptionGroup var store: StoreOptions

    /// Embeds until nothing is left.
    func run() async throws {
        let memory = try store.open()
        let progress = ProgressLine()
        guard let embedder = memory.embedder else {
            throw InputError("There is no embedding model: choose one with `mneme embedder use`.")
        }
        do {
            let count = try await memory.reembed { progress.show($0, $1, "embedded") }
            progress.end()
            print(
                Terminal.line(
                    count == 0
                        ? "All memories have vectors of \(embedder.identifier)."
                        : "\(count) vectors made; all memories have vectors of \(embedder.identifier)."
                ))
        } catch {
            progress.end()
            await memory.close(deadline: .zero)
            throw error
        }
        await memory.close()
    }
}
