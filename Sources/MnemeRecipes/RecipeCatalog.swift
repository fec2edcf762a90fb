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
    ///   - name: as ``names`` has it, or with a variant behind a colon, as ``variants(of:)`` has them.
    ///   - standard: what the recipe changes stages of.
    public static func recipe(_ name: String, over standard: Recipe) -> Recipe? {
        if name == standardCard.name { return standard }
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let type = published.first(where: { $0.card.name == parts[0] }) else { return nil }
        let made =
            parts.count == 1 ? type.recipe(over: standard) : type.recipe(over: standard, variant: parts[1])
        guard var recipe = made else { return nil }
        recipe.name = name
        return recipe
    }

    /// What a recipe can be besides: `tradinggpt:swift` is a variant of `tradinggpt`. None for most.
    public static func variants(of name: String) -> [String] {
        published.first { $0.card.name == name }?.variants.map { "\(name):\($0)" } ?? []
    }
}
