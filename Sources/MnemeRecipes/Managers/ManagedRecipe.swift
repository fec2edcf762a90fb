import MnemePipeline

/// A published recipe whose manager chooses by a ``ManagerPolicy`` once one was trained, and by its rule before.
protocol ManagedRecipe: PublishedRecipe {
    /// The names of what the manager knows of an option, in the order of rows.
    static var features: [String] { get }
    /// The recipe with a trained manager.
    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe
}
