import ArgumentParser
import MnemeModels

extension AdaptersCommand {
    /// `mneme adapters erase`: an adapter's files and name are gone; a running server refuses it from
    /// the next request on. Exit code 1 if there is none.
    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Erase an adapter.")

        @Argument(help: "The adapter's name.") var name: String

        func run() async throws {
            try Home.adapters.erase(name)
            print("Erased \(name).")
        }
    }
}
