import ArgumentParser
import Foundation
import Mneme
import MnemeServer

extension EmbedderCommand {
    /// `mneme embedder use NAME`: opens the embedder, and writes it into the settings' file if it can
    /// be used. No vector changes: `mneme reembed` makes those of a store anew, and a server that runs
    /// takes the setting when it is started again.
    struct Use: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "use",
            abstract: "Choose the embedding model, for all commands from now on.")

        /// See ``EmbedderCommand``.
        @Argument(help: "minilm, none, a folder's name or path, or http://HOST/v1#MODEL.")
        var name: String

        /// - Throws: `ModelError` or `InputError` if it cannot be used; the setting then stays.
        func run() throws {
            var name = name
            if name != "none" {
                let embedder = try Home.embedder(name)
                // A path is meant from here, whatever folder later commands are started in.
                if name != "minilm", !RemoteEmbedder.isAddress(name),
                    let folder = Home.embedderFolder(name), !folder.hasPrefix(Home.models + "/")
                {
                    name = URL(fileURLWithPath: folder).standardizedFileURL.path
                }
                print(
                    Terminal.line(
                        "\(embedder.identifier): \(embedder.dimension) elements, texts of \(embedder.maximumTokens) tokens."
                    ))
            }
            try Settings.current.write(.embedder, name)
            print(Terminal.line("'embedder' in \(Settings.current.file) is \(name) now."))
            if let source = Settings.current.value(.embedder)?.source, case .variable(let variable) = source {
                Terminal.note("\(variable) is set, and comes before it.")
            }
            if name != "none" {
                print("`mneme reembed` makes the vectors of memories that have others.")
            }
        }
    }
}
