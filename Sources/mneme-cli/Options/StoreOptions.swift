import ArgumentParser
import Mneme

/// The store's file, and recall with or without the embedding model: for commands that remember and
/// recall.
struct StoreOptions: ParsableArguments {
    @OptionGroup var file: StoreFileOptions
    /// Leaves the embedding model out: nothing is embedded now, and recall goes by words alone.
    @Flag(help: "Recall by words alone; needs no model.")
    var noEmbedder = Settings.current.text(.embedder) == "none"

    /// The memories, with the embedding model where it is wanted and here.
    ///
    /// - Parameter requiresModel: true if it is an error that the embedding model is not here;
    ///   otherwise what is done goes without.
    /// - Throws: `StoreError`, or `ModelError` where the model is missing and required.
    func open(requiresModel: Bool = true) throws -> MemoryOS {
        let runsWithoutModel = noEmbedder || (!requiresModel && !Home.hasEmbedder)
        return try Home.memory(file.path, embedder: runsWithoutModel ? nil : Home.embedder())
    }
}
