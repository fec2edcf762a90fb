import ArgumentParser
import Mneme

/// Which store, and whether with the embedding model: for commands that remember and recall.
struct StoreOptions: ParsableArguments {
    @OptionGroup var file: StoreFileOptions
    /// Leaves the embedding model out: nothing is embedded now, and recall goes by words alone.
    @Flag(help: "Recall by words alone; needs no model.")
    var noEmbedder = false

    /// The memories.
    ///
    /// - Parameter requiresModel: whether it is an error if the embedding model is not here;
    ///   otherwise what is done goes without.
    /// - Throws: `StoreError`, or `ModelError` where the model is missing and required.
    func open(requiresModel: Bool = true) throws -> MemoryOS {
        let goesWithout = noEmbedder || (!requiresModel && !Home.hasEmbedder)
        return try Home.memory(file.path, embedder: goesWithout ? nil : Home.embedder())
    }
}
