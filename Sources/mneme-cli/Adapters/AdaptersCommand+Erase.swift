import ArgumentParser

extension AdaptersCommand {
    /// `mneme adapters erase`: an adapter's files, its name and its memory are gone; a running server refuses it from
    /// the next request on. Exit code 1 if there is none.
    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase",
            abstract: "Erase an adapter.")

        @Argument(help: "The adapter's name.") var name: String

        func run() async throws {
            try await Home.eraseAdapter(name)
            print("Erased \(name).")
        }
    }
}
