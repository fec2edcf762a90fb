public import MnemePipeline

/// The recipes by name. A new one is a file in `Published/` and a line here.
public enum RecipeCatalog {
    /// Published systems, in the order of the lists.
    static let published: [any PublishedRecipe.Type] = [
        AMA.self, AMem.self, ArcMemo.self, BudgetMem.self, ComoRAG.self, Engram.self, GAM.self, GMemory.self,
        HEMA.self, HMem.self, HyMem.self, LiCoMemory.self, LightMem.self, LongNAP.self, Mem1.self, MemAlpha.self,
        MemGAS.self, MemLoRA.self, MemoryBank.self, MemoryR1.self, MemSifter.self, MemTree.self, OMem.self, RetLLM.self,
        SEDM.self, StructuralMemory.self, ThinkInMemory.self, TradingGPT.self, ViLoMem.self,
    ]

    /// The card of the default recipe.
    public static let standardCard = RecipeCard(
        name: "standard", paper: "none: Mneme's own",
        idea: "BM25, dense similarity, dates and a walk of the graph, fused by fitted weights",
        simplified: "", claim: "")

    /// The cards of all recipes, the standard one first.
    public static let cards = [standardCard] + published.map { $0.card }

    /// The names of all recipes, the standard one first.
    public static let names = cards.map(\.name)

    /// A recipe by its name; nil if there is none.
    ///
    /// - Parameters:
    ///   - name: as ``names`` has it.
    ///   - standard: what the recipe changes stages of.
    public static func recipe(_ name: String, over standard: Recipe) -> Recipe? {
        if name == standardCard.name { return standard }
        guard let type = published.first(where: { $0.card.name == name }) else { return nil }
        var recipe = type.recipe(over: standard)
        recipe.name = name
        return recipe
    }
}
