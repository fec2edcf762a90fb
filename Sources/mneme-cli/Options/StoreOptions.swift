import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// The store's file, and recall with or without an embedding model: for commands that remember and
/// recall.
struct StoreOptions: ParsableArguments {
    @OptionGroup var file: StoreFileOptions
    /// The embedding model by its name; the setting `embedder` if left out.
    @Option(
        help: ArgumentHelp(
            "The embedding model: minilm, a folder in $MNEME_HOME/models or its path, http://HOST/v1#MODEL, or none.",
            valueName: "name"))
    var embedder: String?
    /// Leaves the embedding model out: nothing is embedded now, and recall goes by words alone.
    @Flag(help: "Recall by words alone; needs no model.")
    var noEmbedder = false

    /// Stages of the pipeline that differ from the standard ones; memories stay what they are.
    @Option(
        help: ArgumentHelp(
            "How memory works: a name of `mneme recipes` or a file of stages (default: standard).",
            valueName: "name|file"))
    var recipe: String?

    /// Two options that contradict each other.
    func validate() throws {
        guard embedder == nil || !noEmbedder else {
            throw ValidationError("--embedder and --no-embedder exclude each other.")
        }
    }

    /// The embedding model's name; nil if there is to be none.
    var embedderName: String? {
        let name = noEmbedder ? "none" : embedder ?? Settings.current.text(.embedder) ?? "minilm"
        return name == "none" ? nil : name
    }

    /// The memories, with the embedding model where it is wanted and here. What has vectors of
    /// another embedder is told on standard error.
    ///
    /// - Parameters:
    ///   - requiresModel: true if it is an error that the embedding model is not here; otherwise what is
    ///     done goes without.
    ///   - indexes: the folder of a database's index files; that of the settings if nil.
    /// - Throws: `StoreError`, `InputError` for a recipe that there is not, or `ModelError` where the model is missing and required.
    func open(requiresModel: Bool = true, indexes: String? = nil) throws -> MemoryOS {
        let recipe = try RecipeOption.recipe(recipe ?? Settings.current.text(.recipe) ?? "standard")
        let store = try file.open()
        guard let name = embedderName else {
            return try Home.memory(store, file.path, embedder: nil, recipe: recipe, indexes: indexes)
        }
        let known = try store.embedders()
        let embedder =
            try requiresModel
            ? Home.embedder(name, known: known) : Home.localEmbedder(name, known: known)
        guard let embedder else {
            return try Home.memory(store, file.path, embedder: nil, recipe: recipe, indexes: indexes)
        }
        let former = Home.formerEmbedder(of: embedder, among: known)
        if requiresModel { Self.tell(of: known, embedder, former) }
        return try Home.memory(
            store, file.path, embedder: embedder, former: former, recipe: recipe, indexes: indexes)
    }

    /// Says that there are vectors of other embedders, and what becomes of them.
    private static func tell(
        of known: [StoredEmbedder], _ embedder: any TextEmbedder, _ former: (any TextEmbedder)?
    ) {
        let others = known.map(\.identifier).filter { $0 != embedder.identifier }
        guard !others.isEmpty else { return }
        let serving = former.map { "those of \($0.identifier) serve" } ?? "recall goes by words"
        Terminal.note(
            "There are vectors of \(others.joined(separator: ", ")), not of \(embedder.identifier). Until `mneme reembed` has made them anew, \(serving)."
        )
    }
}
